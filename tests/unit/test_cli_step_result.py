"""What a step tells Jenkins: short, printable, and of several lines where the error has several."""

from __future__ import annotations

from imagegate.cli.step_result import printable, shortened


def test_an_error_of_several_lines_stays_one() -> None:
    assert printable("mistakes:\n  one\x1b[31m\n  two") == "mistakes:\n  one\\x1b[31m\n  two"


def test_what_nobody_would_read_is_cut() -> None:
    assert len(printable("x" * 1_000_000)) == 4000
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "ab…"
