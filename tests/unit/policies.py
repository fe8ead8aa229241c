"""Small policies and facts to test with."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from imagegate.dockerfile import parse
from imagegate.model import (
    AnalysedLayer,
    Analysis,
    BaseProof,
    Digest,
    Distro,
    Evaluation,
    FileEntry,
    HistoryEntry,
    ImageConfig,
    Package,
    PackageType,
    PasswdEntry,
    Platform,
    RuntimeConfig,
    Severity,
    Vulnerability,
    VulnerabilityReport,
)
from imagegate.policy.document import PolicyBundle, parse_bundle
from imagegate.policy.evaluate import evaluate
from imagegate.policy.facts import Facts
from imagegate.settings import PolicySettings

NOW = datetime(2026, 11, 23, tzinfo=UTC)
DIGEST = Digest("sha256:" + "a" * 64)
NAME = "registry.example.com/team/app:1.0"
ALL = {"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"}, "policy_id": "p"}
PASSWD = (
    PasswdEntry("root", "x", "0", "0", "root", "/root", "/bin/bash"),
    PasswdEntry("app", "x", "1000", "1000", "", "/home/app", "/bin/sh"),
    PasswdEntry("toor", "x", "0", "0", "", "/root", "/bin/sh"),
)
LODASH = Package(
    "lodash", "4.17.10", PackageType.NPM, "pkg:npm/lodash@4.17.10", "/app/node_modules/lodash/package.json"
)
OPENSSL = Package("openssl", "3.0.11", PackageType.DPKG, "pkg:deb/debian/openssl@3.0.11", "/var/lib/dpkg/status")


def rule(gate: str, trigger: str, action: str = "STOP", **params: str) -> dict[str, Any]:
    return {
        "id": "r1",
        "gate": gate,
        "trigger": trigger,
        "action": action,
        "params": [{"name": name, "value": value} for name, value in params.items()],
    }


def document(*rules: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {
        "id": "b",
        "version": "1_0",
        "name": "bundle",
        "policies": [{"id": "p", "version": "1_0", "name": "policy", "rules": list(rules)}],
        "mappings": [ALL],
        **keys,
    }


def bundle(*rules: dict[str, Any], **keys: Any) -> PolicyBundle:
    return parse_bundle(json.dumps(document(*rules, **keys)).encode(), "policy.json")


def facts(
    *,
    user: str = "",
    ports: tuple[str, ...] = (),
    dockerfile: str | None = None,
    history: tuple[str, ...] = (),
    files: tuple[FileEntry, ...] = (),
    packages: tuple[Package, ...] = (),
    passwd: tuple[PasswdEntry, ...] | None = PASSWD,
    distro: Distro | None = Distro("debian", "12"),  # noqa: B008 - frozen
    report: VulnerabilityReport | None = None,
    base: BaseProof | None = None,
    image_id: Digest | None = None,
) -> Facts:
    runtime = RuntimeConfig(user=user or None, exposed_ports={port: {} for port in ports} or None)
    steps = tuple(HistoryEntry(created_by=step) for step in history)
    analysis = Analysis(
        digest=DIGEST,
        platform=Platform(),
        size=1000,
        config=ImageConfig(architecture="amd64", os="linux", config=runtime, history=steps),
        layers=(AnalysedLayer(DIGEST, DIGEST, 1000),),
        distro=distro,
        packages=packages,
        files=files,
        passwd=passwd,
        retrieved={},
        analyzer="test",
    )
    return Facts(
        analysis=analysis,
        dockerfile=parse(dockerfile) if dockerfile is not None else None,
        vulnerabilities=report,
        base=base,
        image_id=image_id,
    )


def vulnerability(
    package: Package = LODASH, severity: Severity = Severity.HIGH, id_: str = "CVE-2026-1", **fields: Any
) -> Vulnerability:
    return Vulnerability(id_, package, severity, **{"url": "https://example.org/x", **fields})


def report(*found: Vulnerability, missing: tuple[str, ...] = ()) -> VulnerabilityReport:
    return VulnerabilityReport(found, (), missing)


def run(policy: PolicyBundle, known: Facts, name: str = NAME, **settings: Any) -> Evaluation:
    return evaluate(policy, known, tag=name, settings=PolicySettings(**settings), now=NOW)


def messages(policy: PolicyBundle, known: Facts, **settings: Any) -> list[str]:
    return [finding.message for finding in run(policy, known, **settings).findings]
