"""docs/analysis.md describes the document that the model writes."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from imagegate.model import AnalysedLayer, Analysis, Distro, FileEntry, FileType, Package, PackageType, PasswdEntry

PAGE = (Path(__file__).parents[2] / "docs" / "analysis.md").read_text()


def section(title: str) -> str:
    return re.split(r"^#+ ", PAGE.partition(f"# {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def described(title: str) -> list[str]:
    """The names in code in the first column of the section's table."""
    rows = [line for line in section(title).splitlines() if line.startswith("| ") and not line.startswith("| key")]
    return [name for row in rows for name in re.findall(r"`([a-z0-9_]+)`", row.split("|")[1])]


def keys(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("The document", ["schema", *keys(Analysis)]),
        ("A layer", keys(AnalysedLayer)),
        ("A package", keys(Package)),
        ("A file", keys(FileEntry)),
    ],
)
def test_every_key_is_described_once(title: str, expected: list[str]) -> None:
    assert sorted(described(title)) == sorted(expected)


def test_the_positions_of_a_file_are_right() -> None:
    rows = re.findall(r"^\| (\d) `(\w+)`", section("A file"), re.MULTILINE)
    assert [name for _, name in rows] == keys(FileEntry)
    assert [int(number) for number, _ in rows] == list(range(len(rows)))


def test_nested_values_and_choices_are_described() -> None:
    document = section("The document")
    for kind in (Distro, PasswdEntry):
        assert all(f"`{key}`" in document for key in keys(kind))
    assert all(f"`{each.value}`" in section("A package") for each in PackageType)
    assert all(f"`{each.value}`" in section("A file") for each in FileType)


def test_the_schema_is_the_documents_tag() -> None:
    assert f'"schema": "{Analysis.__struct_config__.tag}"' in PAGE
