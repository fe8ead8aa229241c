"""What a step tells Jenkins: short, printable, and of several lines where the error has several."""

from __future__ import annotations

from imagegate import __version__
from imagegate.cli.main import End
from imagegate.cli.step_result import printable, result, shortened
from imagegate.jenkins.request import Request, read_request
from imagegate.model import Action, Severity, Verdict
from imagegate.model.news import Change, Hit, HitImage, Kind, News


def test_an_error_of_several_lines_stays_one() -> None:
    assert printable("mistakes:\n  one\x1b[31m\n  two") == "mistakes:\n  one\\x1b[31m\n  two"


def test_what_nobody_would_read_is_cut() -> None:
    assert len(printable("x" * 1_000_000)) == 4000
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "ab…"


def test_a_rechecks_news_is_the_builds_description() -> None:
    change = Change(0.0, Kind.NEW, "CVE-1", Severity.HIGH, "openssl", "1", "dpkg")
    news = News(1, (change,), (HitImage("r/a", "sha256:1", ("1",), "t", "", (Hit(0, False, Action.STOP),)),))
    request = Request("imagegate", __version__, {"args": ["recheck"]})
    told = result(read_request(request, {}), End(1), news, None)
    assert told.description == "1 new or changed vulnerability in 1 image"
    assert (told.outcome, told.document.images) == (Verdict.STOP, ())
