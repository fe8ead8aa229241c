"""`anchore_security.json` as Anchore's Jenkins plugin archives it: a table of vulnerabilities. (Plugin 1.0.23.)"""

from __future__ import annotations

import json
from collections.abc import Sequence

from imagegate.model import Evaluation
from imagegate.report.context import Context

COLUMNS = ("Tag", "CVE ID", "Severity", "Vulnerability Package", "Fix Available", "URL")


def render(evaluations: Sequence[Evaluation], context: Context) -> str:
    """Return the document: every vulnerability of every image, whether a rule asks for it or not."""
    rows = [
        [
            evaluation.tag,
            found.id,
            found.severity.value,
            f"{found.package.name}-{found.package.version}",
            found.fix or "None",
            found.url,
        ]
        for evaluation in evaluations
        for found in context.vulnerabilities.get(evaluation.digest, ())
    ]
    return json.dumps({"columns": [{"title": title} for title in COLUMNS], "data": rows}) + "\n"
