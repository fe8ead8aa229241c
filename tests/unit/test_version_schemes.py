"""The order of versions in the schemes of languages and of RPM: what their documents say, and that it is an order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate.vulnerability.versions import Key, KeyFunction, composer, gem, golang, maven, nuget, pub, rpm

ORDERS = [composer.key, gem.key, golang.key, nuget.key, pub.key, rpm.key]
SCHEMES = [*ORDERS, maven.key]
HOSTILE = ["9" * 100_000, "1." + "1" * 50_000 + "!", "1.0-" + "a." * 50_000 + "-", "1-" * 50_000, "1" + "a1" * 50_000]
TEXTS = st.text(alphabet="0012abrcdevp.~^+-: é", max_size=12)


def ordered(key: KeyFunction, text: str) -> Key | None:
    try:
        return key(text)
    except ValueError:
        return None


@pytest.mark.parametrize(
    ("key", "ascending"),
    [
        (rpm.key, "1.0~rc1-1 1.0-1 1.0-1.el9 1.0^git1-1 1.0a-1 1.0.1-1 1.10-1 1:0.1-1"),
        (rpm.key, "1.0 1.0-0 1.0-1"),
        (gem.key, "0 1.a 1.b.0.a 1.b 1.b.0.0.1 1.b.0.1 1.b.1 1 1.0.1 1.1.pre 1.1 1.10"),
        (gem.key, "1.0.0-alpha 1.0.0.rc1 1.0.0.rc2 1.0.0"),
        (maven.key, "1-alpha-1 1-beta 1-m3 1-rc1 1-SNAPSHOT 1 1-sp 1-jre 1-1 1.1 1.10"),
        (maven.key, "2.0.0-M1 2.0.0.RC1 2.0.0.RELEASE 2.0.1 2.17.1 4.1.118.Final"),
        (golang.key, "(devel) v0.0.0-20200101000000-abcdefabcdef v0.1.0 v1.0.0-rc.2 v1.0.0-rc.10 v1 v1.2 v1.10.0"),
        (
            golang.key,
            "go1.20rc1 go1.20 go1.20.14 go1.21 1.21.0-beta.1 go1.21rc1 go1.21rc2 1.21.0 go1.21.3-custom 1.22rc1",
        ),
        (nuget.key, "1.0.0-1 1.0.0-Alpha 1.0.0-alpha.1 1.0.0-beta 1.0 1.0.0.1 1.0.1 1.10.0"),
        (composer.key, "1.0.0-dev 1.0-alpha2 v1.0.0-BETA1 1.0RC1 1.0 1.0-p1 1.0.0.1 1.0.x-dev 1.1 1.10 20230101"),
        (pub.key, "1.0.0-1 1.0.0-a 1.0.0-a+1 1.0.0 1.0.0+1 1.0.0+2 1.0.0+10 1.0.0+a 1.0.1"),
    ],
)
def test_ascending(key: KeyFunction, ascending: str) -> None:
    versions = ascending.split()
    keys = [key(version) for version in versions]
    assert [a < b for index, a in enumerate(keys) for b in keys[index + 1 :]].count(False) == 0
    assert [a == b for index, a in enumerate(keys) for b in keys[index + 1 :]].count(True) == 0
    backwards = list(reversed(versions))
    assert sorted(backwards, key=key) == versions


@pytest.mark.parametrize(
    ("key", "same"),
    [
        (rpm.key, ["1.0-1", "0:1.0-1", ":1.00-1", "1..0-01", "1_0-1"]),
        (gem.key, ["1", "1.0", "1.0.0", " 01 "]),
        (gem.key, ["", "0", "0.0"]),
        (gem.key, ["1-a", "1.pre.a", "1.0.pre.a"]),
        (maven.key, ["1", "1.0", "1-ga", "1.0.0-final", "1-RELEASE", "1.0-0"]),
        (maven.key, ["1-rc", "1-CR", "1.rc"]),
        (maven.key, ["1a1", "1-alpha-1", "1-alpha1"]),
        (golang.key, ["v2.0.0", "2.0.0", "v2", "v2.0.0+incompatible"]),
        (golang.key, ["go1.21rc1", "1.21rc1", "1.21.0-rc.1"]),
        (golang.key, ["go1.21.3", "1.21.3", "go1.21.3 X:boringcrypto", "go1.21.3-custom"]),
        (nuget.key, ["1", "1.0", "1.0.0.0", "01.0", "1.0.0+build"]),
        (nuget.key, ["1.0-RC", "1.0-rc"]),
        (composer.key, ["1.0", "v1", "1.0.0.0", "1.0-stable", "1.0+build", "1.0@dev"]),
        (composer.key, ["1.0-p1", "1.0pl1", "1.0-patch1"]),
        (composer.key, ["2.x-dev", "2.x.x-dev", "2.9999999.9999999.9999999-dev"]),
    ],
)
def test_equal(key: KeyFunction, same: list[str]) -> None:
    assert [text for text in same if key(text) != key(same[0])] == []


@pytest.mark.parametrize(
    ("key", "texts"),
    [
        (rpm.key, ["", " "]),
        (gem.key, ["x", "1..2", "1_2", "v1"]),
        (maven.key, ["", " "]),
        (nuget.key, ["", "x", "1.2.3.4.5", "1.", "1.0-", "1.0-01", "2147483648", "v1.0"]),
        (composer.key, ["", "x", "dev-main", "master", "1.2.3.4.5", "1.0-foo"]),
        (pub.key, ["", "1.0", "v1.0.0", "1.0.0-", "1.0.0+"]),
    ],
)
def test_no_version(key: KeyFunction, texts: list[str]) -> None:
    assert [text for text in texts if ordered(key, text) is not None] == []


def test_what_go_takes_for_no_version_is_invalid() -> None:
    texts = ["(devel)", "", "v1.2.3.4", "v01.2.3", "v1.2-rc1", "go1.21.3rc1", "devel go1.22-abcdef"]
    assert {golang.key(text) for text in texts} == {golang.INVALID}


@pytest.mark.parametrize("key", ORDERS)
@given(texts=st.lists(TEXTS, min_size=3, max_size=3))
def test_versions_are_totally_ordered(key: KeyFunction, texts: list[str]) -> None:
    keys = [each for text in texts if (each := ordered(key, text)) is not None]
    assert all((a < b) + (a == b) + (a > b) == 1 and (a < b) == (b > a) for a in keys for b in keys)
    assert all(a <= c for a in keys for b in keys for c in keys if a <= b <= c)


@given(texts=st.lists(TEXTS.filter(str.strip), min_size=2, max_size=2))
def test_two_maven_versions_are_ordered(texts: list[str]) -> None:
    a, b = map(maven.key, texts)
    assert (a < b) + (a == b) + (a > b) == 1
    assert (a < b) == (b > a)
    assert (a <= b) == (a < b or a == b)


def test_mavens_order_goes_in_circles_as_mavens_own_does() -> None:
    assert maven.key("1-0-rc") < maven.key("1") < maven.key("1-sp") < maven.key("1-0-rc")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("key", SCHEMES)
@pytest.mark.parametrize("version", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_versions_are_ordered_at_once(key: KeyFunction, version: str) -> None:
    one, hostile = key("1.0.0"), ordered(key, version)
    assert hostile is None or (hostile < one) + (hostile == one) + (hostile > one) == 1
