"""What happens inside one process: evaluating a policy, decoding an analysis, searching contents. Prints JSON.

python -m bench.inside
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from bench.advisories import MATCH
from bench.advisory_data import write
from bench.cases import ROOT
from imagegate.analysis.patterns import SECRETS
from imagegate.analysis.search import Search
from imagegate.model import (
    AnalysedLayer,
    Analysis,
    Digest,
    Distro,
    FileEntry,
    FileType,
    ImageConfig,
    Package,
    PackageType,
    Platform,
    SearchKind,
    Severity,
    Vulnerability,
    VulnerabilityReport,
)
from imagegate.policy.document import parse_bundle
from imagegate.policy.evaluate import evaluate
from imagegate.policy.facts import Facts
from imagegate.progress import NoProgress
from imagegate.settings import PolicySettings
from imagegate.vulnerability.importer import import_files

_FILES, _PACKAGES, _VULNERABILITIES = 50_000, 1000, 200
_DIGEST = Digest("sha256:" + "a" * 64)
_NOW = datetime(2026, 11, 23, tzinfo=UTC)


def main() -> None:
    """Measure, five runs each, and print the medians: seconds, and bytes a second for the search."""
    analysis = _analysis()
    raw = msgspec.msgpack.encode(analysis)
    search = Search({SearchKind.SECRET: SECRETS})
    contents = [path.read_bytes() for path in sorted(Path(json.__file__).parents[1].rglob("*.py"))[:3000]]
    size = sum(map(len, contents))
    list(search.find("/warm", b"up"))
    figures = {
        "evaluate": _timed(lambda: _evaluate(analysis)),
        "decode": _timed(lambda: msgspec.msgpack.decode(raw, type=Analysis)),
        "match": _match(),
        "search": size / _timed(lambda: [list(search.find("/f", content)) for content in contents]),
    }
    print(json.dumps(figures))


def _match() -> float:
    """Match an image with many advisories, in a warm process: as `bench.advisories` does in one of its own."""
    data = ROOT / ".work" / "bench" / "advisories"
    write(data)
    with tempfile.TemporaryDirectory() as name:
        database = Path(name) / "advisories.sqlite"
        import_files([data / "many.jsonl"], database, now=_NOW, progress=NoProgress())
        command = [sys.executable, str(MATCH), str(database), str(data / "packages.json"), "6"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return median(float(line.split()[0]) for line in done.stdout.splitlines()[1:])


def _timed(work: Callable[[], object]) -> float:
    samples = []
    for _ in range(5):
        started = time.perf_counter()
        work()
        samples.append(time.perf_counter() - started)
    return median(samples)


def _evaluate(analysis: Analysis) -> object:
    report = VulnerabilityReport(
        tuple(
            Vulnerability(f"CVE-2026-{number}", analysis.packages[number], Severity.HIGH, fix="2")
            for number in range(_VULNERABILITIES)
        ),
        (),
    )
    facts = Facts(analysis=analysis, vulnerabilities=report)
    return evaluate(_BUNDLE, facts, tag="r.example.com/app:1", settings=PolicySettings(), now=_NOW)


def _analysis() -> Analysis:
    types = (PackageType.DPKG, PackageType.NPM, PackageType.PYTHON)
    return Analysis(
        digest=_DIGEST,
        platform=Platform(),
        size=1,
        config=ImageConfig(architecture="amd64", os="linux"),
        layers=(AnalysedLayer(_DIGEST, _DIGEST, 1),),
        distro=Distro("debian", "12"),
        packages=tuple(
            Package(
                f"name{n}",
                f"1.{n}",
                types[n % 3],
                f"pkg:x/name{n}@1.{n}",
                f"/app/name{n}/package.json",
                licenses=("MIT",),
            )
            for n in range(_PACKAGES)
        ),
        files=tuple(
            FileEntry(f"/usr/lib/part{n % 500}/file{n}.py", FileType.FILE, 0o644, 0, 0, n, "a" * 64, "", 0)
            for n in range(_FILES)
        ),
        passwd=(),
        retrieved={},
        analyzer="bench",
    )


def _rules() -> list[dict[str, Any]]:
    kinds: list[tuple[int, str, str, dict[str, str]]] = [
        (8, "files", "name_match", {"regex": r".*/secret{}\.pem"}),
        (8, "packages", "blacklist", {"name": "name{}"}),
        (8, "vulnerabilities", "package", {"package_type": "all", "severity_comparison": ">=", "severity": "high"}),
        (6, "licenses", "blacklist_partial_match", {"licenses": "GPL{}"}),
        (6, "files", "attribute_match", {"filename": "/usr/lib/part1/file{}.py", "mode": "0777"}),
        (6, "npms", "blacklisted_name_version", {"name": "name{}"}),
        (4, "files", "suid_or_guid_set", {}),
        (4, "secret_scans", "content_regex_checks", {}),
    ]
    return [
        {
            "id": f"{gate}-{trigger}-{number}",
            "gate": gate,
            "trigger": trigger,
            "action": "STOP",
            "params": [{"name": name, "value": value.replace("{}", str(number))} for name, value in params.items()],
        }
        for count, gate, trigger, params in kinds
        for number in range(count)
    ]


_BUNDLE = parse_bundle(
    json.dumps(
        {
            "id": "bench",
            "version": "1_0",
            "policies": [{"id": "p", "version": "1_0", "rules": _rules()}],
            "mappings": [
                {
                    "name": "all",
                    "registry": "*",
                    "repository": "*",
                    "image": {"type": "tag", "value": "*"},
                    "policy_id": "p",
                }
            ],
        }
    ).encode(),
    "bench.json",
)


if __name__ == "__main__":
    main()
