"""Which images a Dockerfile takes in, and replacing them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate.build.images import ImageUse, Kind, Replacement, images, rewrite
from imagegate.dockerfile import parse
from imagegate.errors import BuildError
from imagegate.model import Platform

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64", "v8")


def uses(text: str, target: str = "", platform: Platform = AMD64, **build_args: str) -> tuple[ImageUse, ...]:
    return images(parse(text), build_args, target=target, platform=platform, build_platform=AMD64)


def names(text: str, target: str = "", **build_args: str) -> list[str]:
    return [use.name for use in uses(text, target, **build_args)]


def test_arguments_have_defaults_that_build_arguments_replace() -> None:
    text = "ARG REGISTRY=r.test\nARG BASE=${REGISTRY}/debian\nFROM ${BASE}:${TAG:-12}\n"
    assert names(text) == ["r.test/debian:12"]
    assert names(text, REGISTRY="other.test") == ["other.test/debian:12"]
    assert names('ARG A="r.test/x"\nFROM "$A"') == ["r.test/x"]


def test_a_name_without_a_value_is_an_error_with_its_line() -> None:
    with pytest.raises(BuildError, match=r"line 2: FROM \$BASE: BASE has no value"):
        names("ARG BASE\nFROM $BASE")


def test_stages_and_scratch_are_no_images() -> None:
    text = "FROM a.test/x AS Build\nFROM build AS two\nFROM scratch\nCOPY --from=BUILD / /\nCOPY --from=1 / /\n"
    assert names(text) == ["a.test/x"]
    assert names("ARG S=build\nFROM a.test/x AS build\nFROM $S\n") == ["a.test/x"]


def test_a_stage_is_no_name_before_it_is_defined() -> None:
    assert names("FROM late\nFROM a.test/x AS late\n") == ["late", "a.test/x"]


def test_images_that_are_copied_or_mounted_from_count() -> None:
    text = (
        "FROM a.test/x\nCOPY --chown=1:1 --from=b.test/y:1 /a /b\n"
        "RUN --mount=type=bind,from=c.test/z,target=/z --mount=type=cache,target=/c true\n"
    )
    assert [(use.kind, use.name, use.line) for use in uses(text)] == [
        (Kind.FROM, "a.test/x", 1),
        (Kind.COPY, "b.test/y:1", 2),
        (Kind.MOUNT, "c.test/z", 3),
    ]


def test_variables_in_copy_from_and_numbers_of_later_stages_are_refused() -> None:
    with pytest.raises(BuildError, match="no variables are expanded"):
        names("ARG X=a\nFROM a.test/x\nCOPY --from=$X / /\n")
    with pytest.raises(BuildError, match="no such stage"):
        names("FROM a.test/x\nCOPY --from=0 / /\n")


def test_only_what_leads_to_the_target_counts() -> None:
    text = "FROM a.test/x AS one\nFROM b.test/y AS two\n"
    assert names(text, "ONE") == ["a.test/x"]
    assert names(text, "0") == ["a.test/x"]
    with pytest.raises(BuildError, match="Its named stages: one, two"):
        names(text, "three")


def test_the_final_base_is_the_one_below_the_target() -> None:
    text = "FROM a.test/x AS base\nFROM b.test/tool AS tool\nFROM base\nCOPY --from=tool /t /t\n"
    assert [use.name for use in uses(text) if use.final] == ["a.test/x"]
    assert [use.name for use in uses(text, "tool") if use.final] == ["b.test/tool"]
    assert not [use for use in uses("FROM a.test/x AS y\nFROM scratch\nCOPY --from=y / /") if use.final]


def test_platforms_are_the_targets_unless_a_flag_says_otherwise() -> None:
    text = "FROM --platform=$BUILDPLATFORM a.test/x AS b\nFROM --platform=linux/s390x a.test/y AS c\nFROM a.test/z\n"
    assert [str(use.platform) for use in uses(text, platform=ARM64)] == ["linux/amd64", "linux/s390x", "linux/arm64/v8"]
    assert names("FROM a.test/x-$TARGETARCH") == ["a.test/x-amd64"]


def test_an_empty_dockerfile_is_refused() -> None:
    with pytest.raises(BuildError, match="no FROM"):
        names("# nothing\n")


def replaced(text: str, *, platform: Platform | None = None) -> str:
    return rewrite(text, [Replacement(use, f"PIN{n}", platform) for n, use in enumerate(uses(text))])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM a.test/x:1\n", "FROM PIN0\n"),
        ("from  a.test/x\tAS\tx  \nRUN echo a.test/x", "from  PIN0\tAS\tx  \nRUN echo a.test/x"),
        ("FROM a.test/x\r\nUSER app\r\n", "FROM PIN0\r\nUSER app\r\n"),
        ("\ufeffFROM a.test/x", "\ufeffFROM PIN0"),
        ("ARG B=a.test/x\nFROM ${B}\n", "ARG B=a.test/x\nFROM PIN0\n"),
        ("FROM \\\n# a.test/x here\n\n  a.test/x \\\n AS y\n", "FROM \\\n# a.test/x here\n\n  PIN0 \\\n AS y\n"),
        ("# escape=`\nFROM `\n a.test/x`\n AS y", "# escape=`\nFROM `\n PIN0`\n AS y"),
        ("FROM --platform=linux/amd64 a.test/x AS a.test\n", "FROM --platform=linux/amd64 PIN0 AS a.test\n"),
        ("FROM a.test/x\nCOPY --from=a.test/x /f /a.test/x\n", "FROM PIN0\nCOPY --from=PIN1 /f /a.test/x\n"),
        (
            "FROM a.test/x\nRUN --mount=from=a.test/y,target=/y --mount=target=/z,from=a.test/z ls",
            "FROM PIN0\nRUN --mount=from=PIN1,target=/y --mount=target=/z,from=PIN2 ls",
        ),
        ("FROM a.test/x AS x\nFROM x\n", "FROM PIN0 AS x\nFROM x\n"),
    ],
)
def test_images_are_replaced_and_every_other_byte_stays(text: str, expected: str) -> None:
    assert replaced(text) == expected


def test_a_platform_is_replaced_only_on_request() -> None:
    text = "FROM --platform=$TARGETPLATFORM a.test/x\nFROM a.test/y\n"
    assert replaced(text).startswith("FROM --platform=$TARGETPLATFORM PIN0\n")
    assert replaced(text, platform=AMD64) == "FROM --platform=linux/amd64 PIN0\nFROM PIN1\n"


def test_a_name_in_two_pieces_cannot_be_replaced() -> None:
    with pytest.raises(BuildError, match="in one piece"):
        replaced("FROM a.te\\\nst/x\n")


words = st.sampled_from(["a.test/x", "b.test/y:1", "tool", "scratch"])
lines = st.one_of(
    words.map(lambda name: f"FROM {name}"),
    st.tuples(words, st.sampled_from(["tool", "x"])).map(lambda pair: f"FROM \\\n  {pair[0]} AS {pair[1]}"),
    words.filter(lambda name: name != "scratch").map(lambda name: f"COPY --from={name} / /"),
    words.map(lambda name: f"RUN echo {name}"),
    st.sampled_from(["# FROM a.test/x", "", "USER app", "RUN cat <<EOF\nFROM a.test/x\nEOF"]),
)


@given(st.lists(lines, max_size=8))
def test_after_a_rewrite_nothing_but_the_replacements_is_taken_in(body: list[str]) -> None:
    text = "\n".join(["FROM a.test/first", *body])
    taken = uses(text)
    after = uses(rewrite(text, [Replacement(use, "pinned@sha256:0") for use in taken]))
    assert [use.name for use in after] == ["pinned@sha256:0"] * len(taken)
    assert [(use.kind, use.line, use.final) for use in after] == [(use.kind, use.line, use.final) for use in taken]
