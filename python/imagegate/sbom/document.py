"""SBOMs out of files: which form one has, and what it says."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from imagegate.errors import SbomError
from imagegate.jsonfile import JsonFile
from imagegate.model import Digest, SbomRef
from imagegate.sbom.contents import Contents, Sbom, analysis_of

_FORMS = "CycloneDX 1.2 to 1.7, SPDX 2.2 and 2.3, and syft's own are read, as JSON."


class _Head(msgspec.Struct):
    """What tells the forms apart."""

    bom_format: Any = msgspec.field(default=None, name="bomFormat")
    spdx_version: Any = msgspec.field(default=None, name="spdxVersion")
    artifacts: Any = None
    context: Any = msgspec.field(default=None, name="@context")


def load(reference: SbomRef, limit: int) -> Sbom:
    """Read an SBOM. limit: bytes. Raises SbomError for what is none, or is damaged."""
    file = JsonFile(Path(reference.path), limit, SbomError)
    digest = Digest(f"sha256:{hashlib.sha256(file.raw).hexdigest()}")
    return analysis_of(_read(file), reference.path, digest)


def _read(file: JsonFile) -> Contents:
    head = file.decode(_Head)
    if isinstance(head.context, str) and "spdx" in head.context:
        raise SbomError(f"{file.path} is SPDX 3", hint=_FORMS)
    forms = {"cyclonedx": head.bom_format, "spdx": head.spdx_version, "syft": head.artifacts}
    name = next((name for name, value in forms.items() if value is not None), "")
    if not name:
        raise SbomError(f"{file.path} is no SBOM", why="it has no bomFormat, spdxVersion or artifacts", hint=_FORMS)
    contents: Contents = import_module(f"imagegate.sbom.{name}").read(file)
    return contents
