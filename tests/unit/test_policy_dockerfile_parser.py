"""Dockerfiles are read as BuildKit reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate.dockerfile import expand, parse
from imagegate.errors import BuildError


def names_and_values(text: str) -> list[tuple[str, str, int]]:
    return [(instruction.name, instruction.value, instruction.line) for instruction in parse(text).instructions]


def test_continued_lines_are_one_instruction_even_over_comments_and_empty_lines() -> None:
    text = "FROM a\nexpose 80 \\\n# ssh\n\n   22\nUSER app\n"
    assert names_and_values(text) == [("FROM", "a", 1), ("EXPOSE", "80    22", 2), ("USER", "app", 6)]


def test_the_escape_directive_changes_the_continuation() -> None:
    text = "# escape=`\nFROM a\nCOPY a C:\\\nEXPOSE 80 `\n 22\n"
    assert [entry[1] for entry in names_and_values(text)] == ["a", "a C:\\", "80  22"]


def test_a_directive_below_another_line_is_a_comment() -> None:
    assert parse("# hello\n# escape=`\nFROM a").escape == "\\"


def test_a_doubled_escape_character_does_not_continue() -> None:
    assert len(parse("FROM a\nRUN echo \\\\\nUSER b").instructions) == 3


@pytest.mark.parametrize("opening", ["<<EOF", "<<'EOF'", '<<"EOF"', "<<-EOF", "3<<EOF", "<<EOF cat"])
def test_a_heredoc_is_no_instructions(opening: str) -> None:
    dockerfile = parse(f"FROM a\nRUN {opening}\nUSER root\nEOF\nUSER app\n")
    assert [instruction.name for instruction in dockerfile.instructions] == ["FROM", "RUN", "USER"]
    assert dockerfile.instructions[1].heredocs == ("USER root",)


def test_two_heredocs_in_one_line_are_read_in_order() -> None:
    dockerfile = parse("FROM a\nCOPY <<one <<two /x/\n1\none\n2\ntwo\nUSER u\n")
    assert dockerfile.instructions[1].heredocs == ("1", "2")
    assert dockerfile.instructions[2].line == 7


def test_a_heredoc_sign_in_quotes_or_exec_form_opens_none() -> None:
    assert len(parse('FROM a\nRUN echo "<<EOF"\nRUN ["<<EOF"]\nUSER u').instructions) == 4


def test_a_heredoc_without_an_end_is_refused_with_its_line() -> None:
    with pytest.raises(BuildError, match="line 2"):
        parse("FROM a\nRUN <<EOF\nUSER root\n")


def test_flags_are_kept_apart() -> None:
    instruction = parse("FROM --platform=linux/arm64 a:1 AS x").instructions[0]
    assert (instruction.flag("platform"), instruction.value) == ("linux/arm64", "a:1 AS x")
    assert instruction.text == "--platform=linux/arm64 a:1 AS x"


def test_stages_know_their_parents() -> None:
    dockerfile = parse("FROM a AS build\nUSER x\nFROM b\nUSER y\nFROM Build AS final\nUSER z\n")
    assert [(stage.base, stage.name, stage.parent) for stage in dockerfile.stages] == [
        ("a", "build", None),
        ("b", "", None),
        ("Build", "final", 0),
    ]
    assert [stage.index for stage in dockerfile.final_stages] == [0, 2]


def test_a_from_sees_global_arguments_only() -> None:
    dockerfile = parse("ARG TAG=1\nARG REF=base:${TAG}\nFROM $REF AS one\nARG TAG=9\nFROM x:${TAG:-none}-${NO}\n")
    assert dockerfile.image(dockerfile.stages[0], {}).text == "base:1"
    assert dockerfile.image(dockerfile.stages[0], {"TAG": "2"}).text == "base:2"
    second = dockerfile.image(dockerfile.stages[1], {})
    assert (second.text, second.missing) == ("x:1-", ("NO",))


def test_values_are_those_that_the_line_sees() -> None:
    text = "ARG P=1\nFROM a\nARG P\nARG Q=2\nENV Q=3 R='$Q'\nEXPOSE $P $Q $R\nENV P=9\nEXPOSE $P"
    exposed = [value.text for instruction, value in parse(text).resolved({}) if instruction.name == "EXPOSE"]
    assert exposed[0].startswith("1 3 ")
    assert exposed[1] == "9"


def test_arguments_end_with_their_stage_and_environment_does_not() -> None:
    text = "FROM a AS b\nARG X=1\nENV Y=2\nFROM b\nUSER $X$Y"
    (value,) = [value for instruction, value in parse(text).resolved({}) if instruction.name == "USER"]
    assert (value.text, value.missing) == ("2", ("X",))


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("$A", "1"), ("${A}", "1"), ("${A}b", "1b"), ("$Ab", ""), ("${N:-x}", "x"), ("${E:-x}", "x"), ("${E-x}", ""),
        ("${A:+y}", "y"), ("${N:+y}", ""), ("${N:-${A}}", "1"), ("\\$A", "$A"), ("'$A'", "'$A'"), ("$", "$"),
        ("a$$A", "a$1"),
    ],
)  # fmt: skip
def test_expansion(word: str, text: str) -> None:
    assert expand(word, {"A": "1", "E": ""}).text == text


@pytest.mark.parametrize("word", ["${A", "${A/x/y}", "${N:?must be set}"])
def test_what_cannot_be_expanded_is_an_error(word: str) -> None:
    with pytest.raises(BuildError):
        expand(word, {"A": "1"})


@given(st.text(alphabet="FROMUSE ab\\\n#<'\"$`{}=-\t", max_size=80))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        dockerfile = parse(text)
        list(dockerfile.resolved({}))
    except BuildError:
        return
    assert all(instruction.name for instruction in dockerfile.instructions)
