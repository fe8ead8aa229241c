"""The order of versions against the tools that define it, on real and generated pairs.

Tools that the tests can run are asked; of the others the answers are recorded (`tests/authorities/record.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from imagegate.vulnerability.versions import KeyFunction, apk, composer, gem, golang, maven, nuget, rpm, semver
from lab.packages import ensure
from tests.authorities import PROGRAMS, Pair, cases, compare, maven_artifact
from tests.authorities.record import read

COUNT = 12_000
LEAST = 5000


def sign(key: KeyFunction, left: str, right: str) -> str:
    """Answer as the programs do. All of `<`, `>` and `==` are asked: an order may be wrong in one of them."""
    try:
        first, second = key(left), key(right)
    except ValueError:
        return "!"
    answers = [mark for mark, true in (("<", first < second), ("=", first == second), (">", first > second)) if true]
    return "".join(answers)


def differences(key: KeyFunction, pairs: Sequence[Pair], answers: Sequence[str]) -> list[tuple[str, str, str, str]]:
    """Also, that enough of the pairs were pairs of versions."""
    assert sum(answer != "!" for answer in answers) >= LEAST
    told = [(*pair, answer, sign(key, *pair)) for pair, answer in zip(pairs, answers, strict=True)]
    return [(left, right, answer, ours) for left, right, answer, ours in told if answer != ours]


def test_rpm_order_is_rpms() -> None:
    ensure("rpm")
    pairs = cases.pairs(cases.real("rpm"), [*"0019aZ~~^^..-:+_", "el9", "rc", "00", "é", "?"], COUNT)
    program = PROGRAMS / "compare.lua"
    assert differences(rpm.key, pairs, compare(["rpm", "--eval", f"%{{lua: dofile('{program}')}}"], pairs)) == []


def test_gem_order_is_rubygems() -> None:
    ensure("ruby")
    pairs = cases.pairs(cases.real("gem"), [*"0019aZ...-_ ", "pre", "rc", ".0", ".0.0", "00", ".a", ".b"], COUNT)
    assert differences(gem.key, pairs, compare(["ruby", PROGRAMS / "compare.rb"], pairs)) == []


def test_maven_order_is_mavens(tmp_path: Path) -> None:
    tokens = [
        *"0019abmx..--_+",
        "-0",
        ".0",
        "rc",
        "sp",
        "ga",
        "-alpha",
        "final",
        "snapshot",
        "cr",
        "1234567890123456789",
    ]
    pairs = cases.pairs(cases.real("maven"), tokens, COUNT)
    command: list[str | Path] = [
        "java",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-cp",
        maven_artifact(tmp_path),
        PROGRAMS / "Compare.java",
    ]
    assert differences(maven.key, pairs, compare(command, pairs)) == []


def test_composer_order_is_composers() -> None:
    ensure("composer")
    tokens = [
        *"0019x..--vV+@ ",
        "-dev",
        "RC",
        "-p",
        "beta",
        ".x-dev",
        "-Stable",
        "-stable",
        "@dev",
        "pl",
        " as 1",
        "00",
    ]
    pairs = cases.pairs(cases.real("composer"), [*tokens, "9223372036854775808", "20230101"], COUNT * 5 // 4)
    assert differences(composer.key, pairs, compare(["php", PROGRAMS / "compare.php"], pairs)) == []


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("go", golang.key),
        ("toolchain", golang.key),
        ("apk", apk.key),
        ("nuget", nuget.key),
        ("hex", semver.key),
        ("crates", semver.key),
    ],
)
def test_order_is_as_recorded(name: str, key: KeyFunction) -> None:
    """Each version is compared with each other one."""
    groups, _ = read(name)
    keys = [[key(version) for version in group] for group in groups]
    firsts = [group[0] for group in keys]
    wrong = [
        (groups[i][0], groups[j][0])
        for i in range(len(firsts))
        for j in range(i + 1, len(firsts))
        if not (firsts[i] < firsts[j] and firsts[j] > firsts[i] and firsts[i] != firsts[j])
    ]
    assert wrong == []
    assert [
        versions for versions, same in zip(groups, keys, strict=True) if any(each != same[0] for each in same)
    ] == []
    versions = sum(map(len, groups))
    assert versions * (versions - 1) // 2 >= LEAST


def test_what_nuget_refuses_is_refused() -> None:
    _, refused = read("nuget")
    assert [text for text in refused if sign(nuget.key, text, text) != "!"] == []


@pytest.mark.parametrize("name", ["go", "toolchain"])
def test_what_go_takes_for_no_version_is_below_all(name: str) -> None:
    _, refused = read(name)
    assert [text for text in refused if golang.key(text) is not golang.INVALID] == []
