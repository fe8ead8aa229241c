"""VEX documents out of files: which form one has, and what all of them say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from imagegate.errors import VexError
from imagegate.jsonfile import JsonFile
from imagegate.vex.statement import Statement


class _Head(msgspec.Struct):
    """What tells the forms apart."""

    context: Any = msgspec.field(default=None, name="@context")
    bom_format: Any = msgspec.field(default=None, name="bomFormat")
    document: Any = None


def load_all(paths: Sequence[Path], limit: int) -> tuple[Statement, ...]:
    """Read documents. limit: bytes of each. Raises VexError for what is none, is damaged, or has mistakes."""
    openvex: list[JsonFile] = []
    cyclonedx: list[JsonFile] = []
    for path in paths:
        file = JsonFile(path, limit, VexError)
        head = file.decode(_Head)
        if head.bom_format is not None:
            cyclonedx.append(file)
        elif isinstance(head.context, str) and "openvex" in head.context:
            openvex.append(file)
        else:
            kind = "CSAF" if head.document is not None else "no VEX document"
            raise VexError(f"{path} is {kind}", hint="OpenVEX 0.2.0 and CycloneDX 1.4 to 1.7 are read, as JSON.")
    found: list[Statement] = []
    if openvex:
        from imagegate.vex.openvex import read

        found += [statement for file in openvex for statement in read(file)]
    if cyclonedx:
        from imagegate.vex.cyclonedx import read_all

        found += read_all(cyclonedx)
    return tuple(found)
