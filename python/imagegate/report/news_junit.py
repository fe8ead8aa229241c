"""What a re-check found, as JUnit XML: a case for each change, a failure where it is above the threshold."""

from __future__ import annotations

from collections import defaultdict
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from imagegate.model.news import News, Reaches
from imagegate.report.escape import line, xml
from imagegate.report.news import severity

_MOST = 100


def render(news: News, reaches: Reaches) -> str:
    """Return the report. Its suite always has the case `decided`, so that it is never empty."""
    hit: dict[int, list[str]] = defaultdict(list)
    above: set[int] = set()
    for image in news.images:
        for each in image.hits:
            hit[each.change].append(image.name)
            if reaches(news.changes[each.change], each):
                above.add(each.change)
    root = Element("testsuites", name="imagegate")
    suite = SubElement(root, "testsuite", name="imagegate recheck", time="0")
    decided = SubElement(suite, "testcase", classname="imagegate.recheck", name="decided", time="0")
    if news.problems:
        SubElement(decided, "error", type="undecided", message=xml(line(news.problems[0]))).text = xml(
            "\n".join(map(line, news.problems))
        )
    for number, change in enumerate(news.changes):
        name = f"{change.vulnerability} {change.package} {change.version} ({change.kind.value})"
        case = SubElement(suite, "testcase", classname="imagegate.recheck", name=xml(line(name)), time="0")
        images = hit.get(number, [])
        told = [
            f"{severity(change)}; fix: {change.fix or 'none yet'}; {len(images)} images",
            *map(line, images[:_MOST]),
        ]
        if number in above:
            SubElement(case, "failure", type="hit", message=xml(told[0])).text = xml("\n".join(told))
        elif images:
            SubElement(case, "system-out").text = xml("\n".join(told))
    for element in (root, suite):
        element.set("tests", str(len(suite)))
        element.set("failures", str(len(above)))
        element.set("errors", str(int(bool(news.problems))))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"
