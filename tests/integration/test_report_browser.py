"""The HTML report in a browser, served with the policies that Jenkins serves archived files with."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from msgspec.structs import replace

from imagegate.model import Action, Evaluation, Finding, Owner, Problem, Severity
from imagegate.report import render_files
from tests.unit.test_report_renderers import CONTEXT, CVE, MINIMIST, ROOT, WAIVED, WARNING, evaluation

POLICY = "default-src 'none'; img-src 'self'; style-src 'self';"
POLICIES = (f"sandbox; {POLICY}", f"sandbox allow-same-origin; {POLICY}")
"""Jenkins's default since 1.641 and 1.625.3, and what many set in its place to have the page's own origin."""
SWITCHES = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
ZLIB = replace(MINIMIST, name="Zlib", version="1.2")
WARNED = replace(CVE, trigger_id="w", action=Action.WARN, severity=Severity.CRITICAL, package=ZLIB, fix="")
BASE = replace(CVE, trigger_id="b", action=Action.WARN, severity=Severity.LOW, owner=Owner.BASE)
STOPPED = evaluation(WARNING, CVE, WAIVED, ROOT, WARNED, BASE)
QUICK = 5.0
"""Seconds within which a page of a thousand findings answers on a machine busy with other tests; it takes 0.3 s."""

_VISIBLE = """
return [...document.querySelectorAll('tbody tr')].filter(row => row.checkVisibility())
  .map(row => [row.getBoundingClientRect().top, row.querySelector(arguments[0]).innerText.replace(/\\s+/g, ' ')])
  .sort((one, other) => one[0] - other[0]).map(each => each[1])
"""


class Site(SimpleHTTPRequestHandler):
    """Files of a directory, under the policy of their server."""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", str(getattr(self.server, "policy", "")))
        super().end_headers()

    def do_GET(self) -> None:
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
        """Say nothing."""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from selenium import webdriver

    from lab.packages import ensure

    ensure("chromium", "chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for switch in (*SWITCHES, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(switch)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


class Reader:
    """Somebody who looks at reports that Jenkins serves."""

    def __init__(self, driver: Any, server: ThreadingHTTPServer, directory: Path) -> None:
        self._driver = driver
        self._server = server
        self._directory = directory
        self._reports = 0

    def open(self, *evaluations: Evaluation, policy: str = POLICIES[0], dark: bool = False, width: int = 1400) -> None:
        """Open a report of its own name, so that nothing comes from the browser's cache."""
        self._reports += 1
        for path, text in render_files("html", self._directory / f"re port{self._reports}.html", evaluations, CONTEXT):
            path.write_text(text)
        self._server.policy = policy  # type: ignore[attr-defined]
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self._driver.get_log("browser")
        self._driver.get(f"http://127.0.0.1:{self._server.server_port}/re%20port{self._reports}.html")

    def click(self, selector: str) -> float:
        """Click and return the seconds until it is drawn."""
        element = self._driver.find_element("css selector", selector)
        start = time.perf_counter()
        element.click()
        self.look()
        return time.perf_counter() - start

    def look(self) -> None:
        """Return once the page is drawn. (In the sandbox no callback runs that could tell.)"""
        self._driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "jpeg", "quality": 50})

    def label(self, text: str) -> str:
        """Return the selector of an input by what a reader sees of its label."""
        for label in self._driver.find_elements("css selector", "form label"):
            if re.sub(r"\s*[\d,]*$", "", label.text) == text:
                return f"#{label.find_element('css selector', 'input').get_attribute('id')}"
        raise AssertionError(f"no label {text}")

    def rows(self, cell: str = ".what") -> list[str]:
        """Return a cell of each row that is seen, from above to below."""
        found: list[str] = self._driver.execute_script(_VISIBLE, cell)
        return found

    def style(self, selector: str, name: str) -> str:
        element = self._driver.find_element("css selector", selector)
        return str(element.value_of_css_property(name))

    def run(self, script: str) -> Any:
        return self._driver.execute_script(script)

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self._driver.get_log("browser")]


@pytest.fixture
def reader(chromium: Any, tmp_path: Path) -> Iterator[Reader]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=str(tmp_path)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield Reader(chromium, server, tmp_path)
    server.shutdown()
    thread.join()
    server.server_close()


def names(rows: list[str]) -> list[str]:
    """Return the findings' short names, of what their cells begin with."""
    known = {"runs": "root", "no": "healthcheck", "suid": "suid"}
    return [known.get(row.split()[0]) or ("zlib" if "Zlib" in row else "minimist") for row in rows]


@pytest.mark.parametrize("policy", POLICIES)
def test_the_stylesheet_counts_and_nothing_else_is_refused(reader: Reader, policy: str) -> None:
    reader.open(STOPPED, policy=policy)
    assert reader.style("tbody tr", "display") == "grid"
    assert reader.style("h1 b", "color") == "rgba(179, 32, 27, 1)"
    complaints = reader.complaints()
    # The style inside of the page is for where it is opened without its server.
    assert len(complaints) == 1
    assert "Applying inline style violates" in complaints[0]


@pytest.mark.parametrize("policy", POLICIES)
def test_filters_show_what_they_say(reader: Reader, policy: str) -> None:
    reader.open(STOPPED, policy=policy)
    assert len(reader.rows()) == 6
    reader.click(reader.label("stop"))
    assert names(reader.rows()) == ["root", "minimist"]
    reader.click(reader.label("allowlisted"))
    assert names(reader.rows()) == ["root", "minimist", "suid"]
    reader.click(reader.label("vulnerabilities"))
    assert names(reader.rows()) == ["minimist"]
    reader.click("button[type=reset]")
    assert len(reader.rows()) == 6
    reader.click(reader.label("base"))
    assert reader.rows(".sev") == ["Low"]
    reader.click("button[type=reset]")
    reader.click(reader.label("Critical"))
    assert names(reader.rows()) == ["zlib"]


@pytest.mark.parametrize("policy", POLICIES)
def test_sorts_change_the_order_that_is_seen(reader: Reader, policy: str) -> None:
    reader.open(STOPPED, policy=policy)
    assert names(reader.rows()) == ["root", "minimist", "healthcheck", "zlib", "minimist", "suid"]
    reader.click(reader.label("severity"))
    assert reader.rows(".sev") == ["Critical", "High", "Low", "", "", ""]
    reader.click(reader.label("package"))
    assert names(reader.rows()) == ["minimist", "minimist", "zlib", "root", "healthcheck", "suid"]
    reader.click(reader.label("gate"))
    assert names(reader.rows()) == ["root", "healthcheck", "suid", "minimist", "zlib", "minimist"]
    reader.click(reader.label("fix known first"))
    assert [bool(fix) for fix in reader.rows(".fix")] == [True] * 3 + [False] * 3
    reader.click(reader.label("gravest first"))
    assert names(reader.rows())[0] == "root"


def test_it_is_usable_with_the_keyboard_alone(reader: Reader, chromium: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    reader.open(STOPPED)
    keys = chromium.switch_to.active_element
    keys.send_keys(Keys.TAB)
    chromium.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    assert reader.rows(".sev")[0] == "Critical"
    chromium.switch_to.active_element.send_keys(Keys.TAB)
    chromium.switch_to.active_element.send_keys(Keys.SPACE)
    assert len(reader.rows()) == 2


def test_details_unfold_under_their_row(reader: Reader) -> None:
    reader.open(STOPPED)
    assert not reader.run("return document.querySelector('pre').checkVisibility()")
    reader.click("tbody tr:nth-child(2) summary")
    assert "cve: CVE-2021-44906" in reader.run("return document.querySelector('details[open] pre').innerText")
    wide = reader.run("const at = x => document.querySelector(x).getBoundingClientRect().width;"
                      "return at('details[open] pre') / at('tbody tr')")  # fmt: skip
    assert wide > 0.95


def test_light_and_dark_differ_and_can_be_read(reader: Reader) -> None:
    seen = {}
    for dark in (False, True):
        reader.open(STOPPED, evaluation(problems=(Problem("error", "t", "d"),)), dark=dark)
        seen[dark] = reader.style("body", "background-color")
        assert reader.run(_CONTRASTS) >= 4.5
    assert seen[False] != seen[True]


@pytest.mark.parametrize("width", [400, 800, 1100, 1900])
def test_nothing_is_wider_than_the_window(reader: Reader, width: int) -> None:
    long = replace(WARNING, message="x" * 3000, path="/very/long" * 100)
    reader.open(evaluation(long, CVE, tag="registry.test/" + "team" * 60), width=width)
    assert reader.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert len(reader.rows()) == 2


def test_a_thousand_findings_stay_quick(reader: Reader) -> None:
    severities = list(Severity)
    findings: list[Finding] = [
        replace(
            CVE,
            trigger_id=f"{n}",
            vulnerability=f"CVE-2021-{n + 1000}",
            action=Action.WARN if n % 3 else Action.STOP,
            severity=severities[n % len(severities)],
            package=replace(MINIMIST, name=f"package{n % 300}"),
            owner=Owner.BASE if n % 2 else Owner.IMAGE,
        )
        for n in range(1000)
    ]
    start = time.perf_counter()
    reader.open(evaluation(*findings))
    reader.look()
    taken = {"render and open": time.perf_counter() - start}
    for label in ("package", "severity", "gravest first", "stop", "Critical", "base"):
        taken[label] = reader.click(reader.label(label))
    taken["reset"] = reader.click("button[type=reset]")
    print({what: f"{seconds:.3f} s" for what, seconds in taken.items()})
    assert len(reader.rows()) == 1000
    assert max(taken.values()) < QUICK


_CONTRASTS = """
const channel = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = element => {
  for (let each = element; each; each = each.parentElement) {
    const colour = numbers(getComputedStyle(each).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
};
const texts = [...document.querySelectorAll('body *')].filter(
  each => each.checkVisibility() && [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()));
return Math.min(...texts.map(element => {
  const [low, high] = [numbers(getComputedStyle(element).color), behind(element)].map(luminance).sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}));
"""
"""The least contrast of a text to what is behind it. (WCAG 2.2, 1.4.3 and "relative luminance".)"""
