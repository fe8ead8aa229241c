"""The HTML report: that it needs no script, loses no finding, and that no image can be more than text in it."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from msgspec.structs import replace

from imagegate.model import Action, Digest, Evaluation, Finding, Owner, Problem, Reason
from imagegate.report import FORMATS, render_files
from imagegate.report.context import Context, LayerText, RuleText
from imagegate.report.html_findings import LONGEST
from tests.unit.test_report_renderers import (
    CONTEXT,
    CVE,
    DIGEST,
    ROOT,
    STOPPED,
    WAIVED,
    WARNING,
    evaluation,
    hostile_evaluations,
)

VOID = {"meta", "link", "input", "wbr"}
ELEMENTS = {
    *("html", "head", "title", "style", "body", "header", "main", "section", "footer", "div", "h1", "h2", "p", "b"),
    *("span", "small", "code", "pre", "ul", "li", "dl", "dt", "dd", "form", "fieldset", "legend", "label", "button"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary", "a"),
}
ATTRIBUTES = {
    *("lang", "charset", "http-equiv", "content", "name", "rel", "href", "class", "id", "role", "aria-label", "scope"),
    *("type", "checked", "method"),
}
HOSTILE = (
    "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\u202egpj\x00\x1b[2J\ud800\r\n<!--</td></style>`" + "&lt;"
)


class Page(HTMLParser):
    """What is on a page: elements must be closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    def handle_data(self, data: str) -> None:
        if "tr" in self._open:
            self.rows[-1] += data

    @property
    def findings(self) -> list[str]:
        """The texts of the rows, without the head's."""
        return self.rows[1:]


def page(*evaluations: Evaluation, context: Context = CONTEXT) -> Page:
    text = FORMATS["html"](evaluations, context)
    assert text.startswith("<!DOCTYPE html>\n")
    return Page(text)


def assert_harmless(shown: Page) -> None:
    """Assert that there is nothing on a page but what the report itself puts there."""
    for tag, attributes in shown.elements:
        assert tag in ELEMENTS | VOID
        assert set(attributes) <= ATTRIBUTES
        assert not (attributes.get("href") or "").startswith(("javascript:", "data:"))
        if tag == "a":
            assert (attributes["href"] or "").startswith(("https://nvd.nist.gov/", "https://github.com/advisories/"))
            assert attributes["rel"] == "noreferrer"


def test_every_finding_is_there_once_with_all_that_is_known() -> None:
    layer = Digest("sha256:" + "1" * 64)
    known = replace(CVE, owner=Owner.IMAGE, layer=layer, rule_place="here")
    context = replace(
        CONTEXT,
        rule_texts={"here": RuleText("policy.yaml:41")},
        layers={(DIGEST, layer): LayerText(3, 7, "RUN npm ci")},
    )
    shown = page(evaluation(WARNING, known, WAIVED, ROOT), context=context)
    root, vulnerable, warned, waived = shown.findings
    for part in ("stop", "runs as root", "Dockerfile:7", "dockerfile/effective_user", "p1 (r2)", "add a USER"):
        assert part in root
    for part in (
        "High", "CVE-2021-44906 in minimist 1.2.0 (npm, /app/node_modules/minimist/package.json)",
        "policy.yaml:41 (r1)", "upgrade minimist to 1.2.6", "image", "layer 3 of 7", "made by RUN npm ci",
        "cve: CVE-2021-44906",
    ):  # fmt: skip
        assert part in vulnerable
    assert "no HEALTHCHECK" in warned
    for part in ("allowlistedstop", "allowlisted by waivers, item w7", "let through"):
        assert part in waived


def test_the_verdict_stands_first_and_in_the_title() -> None:
    text = FORMATS["html"]([STOPPED], CONTEXT)
    assert "<title>Stop: registry.test/team/app:1.0 (linux/amd64) - imagegate</title>" in text
    assert text.index("<h1><b>Stop</b>") < text.index("Next: fix the 2 stop findings") < text.index(DIGEST)
    assert "application (application.yaml)" in text
    assert "<dt>Advisories of</dt><dd>2026-11-23</dd>" in text


def test_an_undecided_image_tells_its_problems_and_nothing_evaluated_is_no_pass() -> None:
    text = FORMATS["html"]([evaluation(problems=(Problem("error", "missing", "no advisories"),))], CONTEXT)
    assert "<h1><b>Could not decide</b>" in text
    assert "<b>error</b> missing: no advisories" in text
    assert "<h1><b>Could not decide</b> <span>nothing was evaluated" in FORMATS["html"]([])


def test_an_image_that_is_listed_as_a_whole_is_told() -> None:
    denied = evaluation(final_action=Action.STOP, reason=Reason.DENYLISTED_IMAGE, matched_image_rule="old-app")
    assert "the image itself is denylisted by old-app" in FORMATS["html"]([denied])


def test_several_images_have_a_verdict_each_and_rows_that_name_them() -> None:
    arm = evaluation(WARNING, platform="linux/arm64")
    text = FORMATS["html"]([STOPPED, arm])
    assert "2 images: 1 pass, 1 stop" in text
    assert text.count('class="tag pass">Pass') == 1
    shown = Page(text)
    assert len(shown.findings) == 5
    assert sum("(linux/arm64)" in row for row in shown.findings) == 1


def test_filters_tell_how_many_findings_they_let_through() -> None:
    text = FORMATS["html"]([STOPPED])
    assert '<input type="checkbox" id="a0"> <span>stop</span> <small>2</small>' in text
    assert '<input type="checkbox" id="a2"> <span>allowlisted</span> <small>1</small>' in text


@pytest.mark.parametrize(
    ("identifier", "url"),
    [
        ("CVE-2021-44906", "https://nvd.nist.gov/vuln/detail/CVE-2021-44906"),
        ("GHSA-xvch-5gv4-984h", "https://github.com/advisories/GHSA-xvch-5gv4-984h"),
        ("CVE-2021-44906/../x", ""),
        ("CVE-2021-44906\n", ""),
        ("javascript:alert(1)", ""),
        ("GHSA-xvch-5gv4-984h?x=1", ""),
    ],
)
def test_only_real_ids_become_links(identifier: str, url: str) -> None:
    shown = page(evaluation(replace(CVE, vulnerability=identifier)))
    assert [attributes["href"] for tag, attributes in shown.elements if tag == "a"] == ([url] if url else [])


def test_the_page_and_its_stylesheet_have_the_same_rules() -> None:
    (where, text), (beside, style) = render_files("html", Path("out/my report#1.html"), [STOPPED], CONTEXT)
    assert (where, beside) == (Path("out/my report#1.html"), Path("out/my report#1.css"))
    assert '<link rel="stylesheet" href="my%20report%231.css">' in text
    assert f"<style>\n{style}</style>" in text
    assert "</" not in style
    assert "url(" not in style
    assert "@import" not in style


def test_the_stylesheet_never_takes_the_place_of_the_page(tmp_path: Path) -> None:
    names = [path.name for path, _ in render_files("html", tmp_path / "page.css", [STOPPED])]
    assert names == ["page.css", "page.css.css"]


def test_what_is_no_file_has_nothing_beside_it() -> None:
    ((path, text),) = render_files("html", Path("/dev/null"), [STOPPED])
    assert path == Path("/dev/null")
    assert "<link" not in text


def test_no_image_can_be_more_than_text() -> None:
    package = replace(CVE.package, name=HOSTILE, version=HOSTILE, path=HOSTILE) if CVE.package else None
    findings = [
        replace(each, message=HOSTILE, trigger_id=HOSTILE, gate=HOSTILE, trigger=HOSTILE, fix=HOSTILE, path=HOSTILE)
        for each in (replace(CVE, package=package, vulnerability=HOSTILE), ROOT, WARNING, WAIVED)
    ]
    problem = Problem("error", HOSTILE, HOSTILE)
    shown = page(
        evaluation(*findings, tag=HOSTILE, platform=HOSTILE, mapping=HOSTILE, problems=(problem,)),
        evaluation(*findings, tag=HOSTILE),
        context=Context(policy=HOSTILE, dockerfile=HOSTILE, next_step=HOSTILE),
    )
    assert_harmless(shown)
    assert len(shown.findings) == 8


@given(image=hostile_evaluations())
def test_nothing_of_an_image_is_markup_or_steers_the_reader(image: Evaluation) -> None:
    text = FORMATS["html"]([image, image])
    shown = Page(text)
    assert_harmless(shown)
    assert len(shown.findings) == 2
    assert text.replace("\n", "").isprintable()


def test_a_text_that_nobody_reads_is_cut_and_whole_in_the_details() -> None:
    shown = page(evaluation(replace(WARNING, message="x" * 100_000)))
    assert shown.findings[0].count("x" * LONGEST) == 1 + 100_000 // LONGEST


def test_findings_are_told_apart_by_their_number_alone() -> None:
    findings = [Finding("files", "name_match", f"{n}", f"file {n:04}.", Action.WARN, "p", "r") for n in range(1000)]
    shown = page(evaluation(*findings))
    assert [f"file {n:04}." in row for n, row in enumerate(shown.findings)] == [True] * 1000
