"""References: what Docker would read, and nothing else."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate.errors import InvalidReference
from imagegate.image.reference import parse, parse_platform, parse_repository, parse_tag
from imagegate.model import ArchiveRef, DaemonRef, LayoutRef, Platform, RegistryRef, Repository, SbomRef

DIGEST = "sha256:" + "a" * 64
SEGMENT = st.from_regex(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", fullmatch=True).filter(lambda text: len(text) < 30)
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}", fullmatch=True)
HOST = st.sampled_from(
    ["registry.example.com", "registry.example.com:5000", "127.0.0.1:5000", "localhost", "[::1]:5000"]
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("registry.example.com/team/app:1.0", RegistryRef(Repository("registry.example.com", "team/app"), "1.0")),
        ("registry.example.com:5000/app", RegistryRef(Repository("registry.example.com:5000", "app"), "latest")),
        ("localhost/app", RegistryRef(Repository("localhost", "app"), "latest")),
        ("debian", RegistryRef(Repository("docker.io", "library/debian"), "latest")),
        ("team/app:1", RegistryRef(Repository("docker.io", "team/app"), "1")),
        ("dockerhub/library/debian:12", RegistryRef(Repository("docker.io", "library/debian"), "12")),
        (f"r.example.com/app@{DIGEST}", RegistryRef(Repository("r.example.com", "app"), "", DIGEST)),
        (f"r.example.com/app:1@{DIGEST}", RegistryRef(Repository("r.example.com", "app"), "1", DIGEST)),
        ("docker-daemon:app:dev", DaemonRef("app:dev")),
        ("oci:images", LayoutRef("images")),
        ("oci:images:1.0", LayoutRef("images", "1.0")),
        ("docker-archive:app.tar:app:1.0", ArchiveRef("app.tar", "app:1.0")),
        ("sbom:app.cdx.json", SbomRef("app.cdx.json")),
    ],
)
def test_references_are_read_as_docker_reads_them(text: str, expected: object) -> None:
    assert parse(text) == expected


@given(HOST, st.lists(SEGMENT, min_size=1, max_size=4), TAG, st.booleans())
def test_what_is_written_is_read_back(host: str, path: list[str], tag: str, by_digest: bool) -> None:
    text = f"{host}/{'/'.join(path)}:{tag}" + (f"@{DIGEST}" if by_digest else "")
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "Team/App",
        "registry.example.com/Team/app",
        "r.example.com//app",
        "r.example.com/app:",
        "r.example.com/app:-x",
        "r.example.com/app:" + "x" * 129,
        "r.example.com/app@sha256:abc",
        "r.example.com/app@sha512:" + "a" * 128,
        "r.example.com/app@SHA256:" + "a" * 64,
        "https://r.example.com/app",
        "r.example.com/../app",
        "r.example.com/app:1\n",
        "r.example.com/app;rm",
        "r.example.com:99999999/app",
        "user:secret@r.example.com/app:1",
        "oci:",
        "docker-daemon:",
        "r.example.com/" + "a/" * 200 + "a",
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        parse(text)


@given(st.text(max_size=80))
def test_any_text_is_a_reference_or_a_clear_error(text: str) -> None:
    with suppress(InvalidReference):
        parse(text)


def test_a_bare_path_gets_the_hint_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidReference, match=f"Write oci:{tmp_path}"):
        parse(str(tmp_path))
    with pytest.raises(InvalidReference, match=r"Write docker-archive:\./app\.tar"):
        parse("./app.tar")


def test_a_path_that_exists_may_hold_a_colon(tmp_path: Path) -> None:
    directory = tmp_path / "a:b"
    directory.mkdir()
    assert parse(f"oci:{directory}") == LayoutRef(str(directory))


def test_a_repository_is_no_more_than_that() -> None:
    assert parse_repository("r.example.com/team/app") == Repository("r.example.com", "team/app")
    for more in ("r.example.com/team/app:1", f"r.example.com/team/app@{DIGEST}"):
        with pytest.raises(InvalidReference, match=r"Write r\.example\.com/team/app"):
            parse_repository(more)


def test_tags_and_platforms() -> None:
    assert parse_tag("1.0-rc_1") == "1.0-rc_1"
    assert parse_platform("linux/arm64/v8") == Platform("linux", "arm64", "v8")
    for text in ("", ".x", "a/b", "ä"):
        with pytest.raises(InvalidReference):
            parse_tag(text)
    for text in ("linux", "linux/", "a/b/c/d", "linux/AMD64"):
        with pytest.raises(InvalidReference):
            parse_platform(text)
