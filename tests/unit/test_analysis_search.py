"""Searching contents: what is found, what is told of it, and at what cost."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate.analysis.analyze import analyze
from imagegate.analysis.patterns import SECRETS
from imagegate.analysis.search import Search, without_look_around
from imagegate.analysis.store import LayerStore
from imagegate.errors import ConfigError
from imagegate.model import Analysis, ContentMatch, SearchKind
from imagegate.progress import NoProgress
from imagegate.settings import AnalysisSettings, Limits
from tests.layers import BlobSource, file, hardlink, image, tar

ACCESS = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TEXTS = {
    "AWS_ACCESS_KEY": f"AWS_ACCESS_KEY_ID={ACCESS}",
    "AWS_SECRET_KEY": f'aws_secret_access_key = "{SECRET}"',
    "PRIV_KEY": "-----BEGIN RSA PRIVATE KEY-----",
    "DOCKER_AUTH": '  "auth": "cm9ib3Q6c2VjcmV0"',
    "API_KEY": "my_api-key = ABCDEFGHIJ0123456789ABCD",
}


def search(**patterns: str) -> Search:
    return Search({SearchKind.SECRET: patterns or SECRETS})


def names(found: Search, content: str | bytes) -> set[str]:
    raw = content.encode() if isinstance(content, str) else content
    return {match.name for match in found.find("/f", raw)}


def run(tmp_path: Path, *layers: bytes, **settings: Any) -> Analysis:
    built, blobs = image(*layers)
    return analyze(
        built,
        BlobSource(blobs),  # type: ignore[arg-type]
        settings=AnalysisSettings(catalogers="native", **settings),
        limits=Limits(),
        store=LayerStore(tmp_path / "cache"),
        progress=NoProgress(),
    )


@pytest.mark.parametrize("name", SECRETS)
def test_the_shipped_patterns_find_what_they_are_for(name: str) -> None:
    assert name in names(search(), f"first\n{TEXTS[name]}\nlast")
    assert names(search(), "nothing to see here\napi_key = short\nauth: none") == set()


def test_lines_are_told_and_contents_are_not() -> None:
    (match,) = search(PRIV_KEY=SECRETS["PRIV_KEY"]).find(
        "/f", b"a\n  -----BEGIN PRIVATE KEY-----\nb\n-BEGIN PRIVATE KEY-"
    )
    assert match == ContentMatch(SearchKind.SECRET, "/f", "PRIV_KEY", SECRETS["PRIV_KEY"], (2, 4), True)
    (match,) = search(PRIV_KEY=SECRETS["PRIV_KEY"]).find("/f", b"key:  -----BEGIN PRIVATE KEY-----")
    assert not match.anchored, "the engine looks at beginnings of lines only"


@pytest.mark.parametrize(
    ("pattern", "kept"),
    [
        (r"a(?<![A-Z0-9])b(?![)\]])c", "abc"),
        (r"(?=x(y)z)a(b)", "a(b)"),
        (r"[(?=]a\(?=b", r"[(?=]a\(?=b"),
        (r"[]()]a(?!b)[^](?!c)]", r"[]()]a[^](?!c)]"),
        (r"(?i)a(?:b)(?P<n>c)", r"(?i)a(?:b)(?P<n>c)"),
    ],
)
def test_look_around_is_taken_out_and_nothing_else(pattern: str, kept: str) -> None:
    assert without_look_around(pattern) == kept


@given(
    st.lists(st.sampled_from(["a", "B", "(?<!a)", "(?=b)", "[^a]", "a*", "(b|c)", "\\.", "^", "$", "(?:x)?", "(?!c)"])),
    st.text("abcABC.x\n", max_size=30),
)
def test_the_prefilter_loses_nothing(parts: list[str], text: str) -> None:
    pattern = "(?i)" + "".join(parts)
    expected = any(re.search(pattern.encode(), line) for line in text.encode().split(b"\n"))
    assert bool(names(search(P=pattern), text)) == expected


@pytest.mark.parametrize("pattern", [r"(a)\1", r"\Aab", r"a\Z"])
def test_what_re2_cannot_read_is_searched_all_the_same(pattern: str) -> None:
    assert names(search(P=pattern, Q="xyz"), "b\naa\nab\na") == {"P"}


def test_a_pattern_that_is_none_names_its_setting() -> None:
    with pytest.raises(ConfigError, match=r"analysis\.secrets\.MINE is no regular expression"):
        search(MINE="(")


def test_long_lines_cost_no_square() -> None:
    hostile = b"api_key = " + b"A" * 1_000_000
    started = time.process_time()
    names(search(), hostile)
    assert time.process_time() - started < 20
    assert names(search(), b"x" * 3000 + b"\t" * 900 + TEXTS["API_KEY"].encode()) == {"API_KEY"}


def test_what_is_seen_in_the_end_counts(tmp_path: Path) -> None:
    key = TEXTS["PRIV_KEY"]
    gone = tar(file("app/old", key), file("app/kept", key), hardlink("app/link", "app/old"), file("app/over", key))
    last = tar(file("app/.wh.old"), file("app/over", "nothing"))
    assert {match.path for match in run(tmp_path, gone, last).matches} == {"/app/kept", "/app/link"}


def test_settings_add_patterns_take_them_away_and_bound_the_size(tmp_path: Path) -> None:
    layer = tar(file("a", "token: 1234\n" + TEXTS["PRIV_KEY"]), file("large", "token: 1234\n" * 100))
    found = run(
        tmp_path, layer, secrets={"PRIV_KEY": "", "MINE": "token: [0-9]+"}, contents={"T": "token"}, search_max_size=500
    ).matches
    assert {(match.kind, match.name, match.path) for match in found} == {
        ("secret", "MINE", "/a"),
        ("content", "T", "/a"),
    }


def test_no_secret_is_in_the_document(tmp_path: Path) -> None:
    analysis = run(tmp_path, tar(file("app/.env", "\n".join(TEXTS.values()))))
    assert {match.name for match in analysis.matches} == set(TEXTS)
    text = msgspec.json.encode(analysis).decode()
    assert ACCESS not in text
    assert SECRET not in text
