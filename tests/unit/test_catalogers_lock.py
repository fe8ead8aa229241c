"""Lock files: what they ask for, and that they count only where it is asked for."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from imagegate.analysis.catalogers import LOCK_FILES, Unreadable, cataloger_of, cataloger_or_lock_of
from imagegate.errors import AnalysisError
from imagegate.model import Analysis
from imagegate.settings import AnalysisSettings
from tests.layers import analysed, file, tar

V3 = json.dumps(
    {
        "name": "shop", "version": "1.0.0", "lockfileVersion": 3,
        "packages": {
            "": {"name": "shop", "version": "1.0.0"},
            "node_modules/@babel/core": {"version": "7.0.0", "license": "MIT"},
            "node_modules/a/node_modules/b": {"version": "2.0.0"},
            "node_modules/alias": {"name": "real", "version": "3.0.0"},
            "node_modules/mocha": {"version": "9.0.0", "dev": True},
            "node_modules/linked": {"link": True, "resolved": "packages/linked"},
        },
    }
)  # fmt: skip
V1 = json.dumps(
    {
        "lockfileVersion": 1,
        "dependencies": {
            "a": {"version": "1.0.0", "requires": {"b": "^2"}, "dependencies": {"b": {"version": "2.0.0"}}},
            "alias": {"version": "npm:@s/real@3.0.0"},
            "mocha": {"version": "9.0.0", "dev": True},
        },
    }
)
POETRY = (
    '[[package]]\nname = "Flask"\nversion = "3.0.3"\nfiles = []\n[package.dependencies]\nClick = ">=8"\n[metadata]\n'
)
UV = '[[package]]\nname = "shop"\nversion = "1.0"\n[[package]]\nname = "dynamic"\nsource = { virtual = "." }\n'
PIPFILE = (
    '{"_meta": {}, "default": {"flask": {"version": "==3.0.3"}, "vcs": {"ref": "x"}}, '
    '"develop": {"x": {"version": "==1"}}}'
)
REQUIREMENTS = """\
# comment
flask==3.0.3 \\
    --hash=sha256:00
Django[argon2] == 4.2 ; python_version > "3"
arbitrary===1.0-x # why
loose>=2
any==1.*
two==1,!=2
-r other.txt
-e git+https://example.test/x==1
"""
GEMFILE = """\
GIT
  remote: https://example.test/x.git
  specs:
    from-git (0.1)

GEM
  remote: https://rubygems.example/
  specs:
    rack (2.2.4)
    rails (7.0)
      rack (>= 2)

DEPENDENCIES
    listed (1)
  rails!
"""


def names(path: str, content: str | bytes) -> list[tuple[str, str]]:
    cataloger = cataloger_or_lock_of(path)
    assert cataloger in LOCK_FILES
    assert cataloger
    raw = content.encode() if isinstance(content, str) else content
    return [(package.name, package.version) for package in cataloger.parse(path, raw)]


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("/a/package-lock.json", V3, [("@babel/core", "7.0.0"), ("b", "2.0.0"), ("real", "3.0.0"), ("shop", "1.0.0")]),
        ("/a/npm-shrinkwrap.json", V1, [("@s/real", "3.0.0"), ("a", "1.0.0"), ("b", "2.0.0")]),
        ("/a/node_modules/x/package-lock.json", V3, []),
        ("/a/package-lock.json", "{}", []),
        ("/a/poetry.lock", POETRY, [("Flask", "3.0.3")]),
        ("/a/uv.lock", UV, [("shop", "1.0")]),
        ("/a/Pipfile.lock", PIPFILE, [("flask", "3.0.3")]),
        ("/a/requirements.txt", REQUIREMENTS, [("Django", "4.2"), ("arbitrary", "1.0-x"), ("flask", "3.0.3")]),
        ("/a/dev-requirements-3.txt", "a==1", [("a", "1")]),
        ("/a/Gemfile.lock", GEMFILE, [("from-git", "0.1"), ("rack", "2.2.4"), ("rails", "7.0")]),
        ("/a/Gemfile.lock", GEMFILE.replace("\n", "\r\n"), [("from-git", "0.1"), ("rack", "2.2.4"), ("rails", "7.0")]),
        ("/a/Gemfile.lock", b"\xff\0", []),
    ],
)
def test_what_lock_files_ask_for(path: str, content: str | bytes, expected: list[tuple[str, str]]) -> None:
    assert names(path, content) == expected


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/a/package-lock.json", V3[:200]),
        ("/a/package-lock.json", ""),
        ("/a/package-lock.json", '{"dependencies": {"a": 1}}'),
        ("/a/package-lock.json", '{"dependencies": {"a":' * 50_000),
        ("/a/package-lock.json", b'{"packages": {"\xff": {}}}'),
        ("/a/poetry.lock", POETRY[:25]),
        ("/a/poetry.lock", "a = " + "[" * 50_000),
        ("/a/uv.lock", "package = 1"),
        ("/a/pdm.lock", b"\xff\xfe"),
        ("/a/Pipfile.lock", "[]"),
        ("/a/requirements.txt", b"a==1\xff"),
    ],
)
def test_a_damaged_lock_file_is_an_error_where_it_was_asked_for(
    tmp_path: Path, path: str, content: str | bytes
) -> None:
    with pytest.raises(Unreadable):
        names(path, content)
    layer = tar(file(path, content))
    assert run(tmp_path, layer, lock_files=False).packages == ()
    with pytest.raises(AnalysisError, match=f"{path} states packages"):
        run(tmp_path, layer)


@pytest.mark.parametrize("catalogers", ["auto", "native", "syft"])
def test_they_count_only_where_they_are_asked_for(tmp_path: Path, catalogers: str) -> None:
    layer = tar(file("app/poetry.lock", POETRY))
    found = run(tmp_path, layer, catalogers=catalogers)
    assert [(each.name, each.path, each.purl) for each in found.packages] == [
        ("Flask", "/app/poetry.lock", "pkg:pypi/flask@3.0.3")
    ]
    assert cataloger_of("/app/poetry.lock") is None
    assert run(tmp_path, layer, catalogers=catalogers, lock_files=False).packages == ()


@pytest.mark.parametrize("path", ["/requirements.txt", "/Gemfile.lock"])
@pytest.mark.parametrize(
    "content", ["a" + " " * 500_000, "a[" * 250_000, "a==" * 200_000, "A " * 300_000, "    a (" * 99_999]
)
def test_they_take_time_in_proportion(path: str, content: str) -> None:
    start = time.process_time()
    names(path, content)
    assert time.process_time() - start < 2


def run(tmp_path: Path, *layers: bytes, catalogers: str = "native", lock_files: bool = True) -> Analysis:
    settings = AnalysisSettings(catalogers=catalogers, lock_files=lock_files)  # type: ignore[arg-type]
    return analysed(tmp_path, *layers, settings=settings)
