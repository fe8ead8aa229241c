"""Conda packages, from the records in an environment's `conda-meta`. (conda docs, "PrefixRecord".)

syft 1.18 reads none of them, so that what is not Python in such an environment is unknown to it.
"""

from __future__ import annotations

import msgspec

from imagegate.analysis import purl
from imagegate.analysis.catalogers.cataloger import Cataloger, Unreadable
from imagegate.model import Package, PackageType


class _Record(msgspec.Struct):
    name: str
    version: str
    build: str = ""
    channel: str = ""
    subdir: str = ""
    license: str | None = None


_DECODER = msgspec.json.Decoder(_Record)


def parse(path: str, content: bytes) -> tuple[Package, ...]:
    """Return the package. Raises Unreadable for anything but a record: conda keeps nothing else under such a name."""
    try:
        record = _DECODER.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unreadable(f"it is no record of conda: {error}") from error
    if not record.name or not record.version:
        raise Unreadable("it is a record of conda without a name or a version")
    qualifiers = {"build": record.build, "channel": _channel(record), "subdir": record.subdir}
    return (
        Package(
            name=record.name,
            version=record.version,
            type=PackageType.OTHER,
            purl=purl.conda(record.name, record.version, qualifiers),
            path=path,
            licenses=(record.license,) if record.license else (),
        ),
    )


def _channel(record: _Record) -> str:
    """Return the name of the channel; conda keeps its URL, with or without the platform's directory, or the name."""
    return record.channel.rstrip("/").removesuffix(f"/{record.subdir}").rpartition("/")[2]


CONDA = Cataloger("conda", r".*/conda-meta/[^/]+\.json", (".json",), parse)
