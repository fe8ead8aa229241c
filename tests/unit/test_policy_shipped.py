"""What the shipped policies let pass, and what they stop."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from imagegate.analysis.patterns import SECRETS
from imagegate.model import (
    BaseProof,
    BaseStatus,
    ContentMatch,
    Distro,
    FileEntry,
    FileType,
    SearchKind,
    Severity,
    Verdict,
)
from imagegate.policy.document import PolicyBundle, load_bundle
from imagegate.policy.facts import Facts
from imagegate.policy.shipped import find
from tests.unit.policies import LODASH, OPENSSL, facts, report, run, vulnerability

APPLICATION, BASE_IMAGE = load_bundle(find("application")), load_bundle(find("base-image"))
PROVED = BaseProof(BaseStatus.PROVED, "registry.example.com/base/python:3.11")
DOCKERFILE = "FROM registry.example.com/base/python:3.11\nEXPOSE 8080\nUSER app\nHEALTHCHECK CMD /app/ok\n"
GOOD: dict[str, Any] = {
    "user": "app",
    "ports": ("8080/tcp",),
    "dockerfile": DOCKERFILE,
    "report": report(),
    "base": PROVED,
}


def test_a_good_application_passes_without_a_word() -> None:
    evaluation = run(APPLICATION, facts(**GOOD))
    assert (evaluation.verdict, evaluation.findings) == (Verdict.PASS, ())


@pytest.mark.parametrize(
    ("flaw", "triggers"),
    [
        ({"user": ""}, {"effective_user"}),
        ({"ports": ("22/tcp",)}, {"exposed_ports"}),
        ({"report": report(vulnerability(LODASH))}, {"package"}),
        ({"base": BaseProof(BaseStatus.UNSIGNED, "registry.example.com/base/x:1")}, {"not_signed"}),
        ({"base": BaseProof(BaseStatus.UNTRUSTED_REGISTRY, "debian:12")}, {"not_signed", "not_trusted_registry"}),
        ({"base": BaseProof(BaseStatus.NONE)}, {"not_signed", "not_trusted_registry"}),
    ],
)
def test_each_flaw_stops_an_application_for_its_own_reason(flaw: dict[str, Any], triggers: set[str]) -> None:
    evaluation = run(APPLICATION, facts(**{**GOOD, **flaw}))
    assert evaluation.verdict is Verdict.STOP
    assert {finding.trigger for finding in evaluation.findings} == triggers
    assert all(finding.fix for finding in evaluation.findings)


def with_secret(name: str) -> Facts:
    known = facts(**GOOD)
    found = (ContentMatch(SearchKind.SECRET, "/app/config", name, SECRETS[name], (1,)),)
    return msgspec.structs.replace(known, analysis=msgspec.structs.replace(known.analysis, matches=found))


@pytest.mark.parametrize("policy", [APPLICATION, BASE_IMAGE], ids=["application", "base-image"])
@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("AWS_ACCESS_KEY", Verdict.STOP),
        ("AWS_SECRET_KEY", Verdict.STOP),
        ("DOCKER_AUTH", Verdict.STOP),
        ("PRIV_KEY", Verdict.PASS),
    ],
)
def test_credentials_stop_and_keys_of_unknown_use_are_told(policy: PolicyBundle, name: str, verdict: Verdict) -> None:
    evaluation = run(policy, with_secret(name))
    assert (evaluation.verdict, len(evaluation.findings)) == (verdict, 1)


@pytest.mark.parametrize(("path", "count"), [("/root/.ssh/id_rsa", 1), ("/home/a/.ssh/id_ed25519", 1), ("/id_rsa", 0)])
def test_ssh_keys_stop(path: str, count: int) -> None:
    file = FileEntry(path, FileType.FILE, 0o600, 0, 0, 9)
    for policy in (APPLICATION, BASE_IMAGE):
        assert len(run(policy, facts(**GOOD, files=(file,))).findings) == count


@pytest.mark.parametrize("add", ["ADD https://example.org/x.tar /", "ADD --chown=app http://example.org/x /x"])
def test_what_a_url_answers_is_not_built_in(add: str) -> None:
    for policy in (APPLICATION, BASE_IMAGE):
        assert run(policy, facts(**{**GOOD, "dockerfile": f"{DOCKERFILE}{add}\n"})).verdict is Verdict.STOP
        assert not run(policy, facts(**{**GOOD, "dockerfile": f"{DOCKERFILE}ADD x.tar /\n"})).findings


@pytest.mark.parametrize(
    "flaw",
    [
        {"dockerfile": DOCKERFILE.partition("HEALTHCHECK")[0]},
        {"dockerfile": None, "history": ("HEALTHCHECK CMD /app/ok",)},
        {"report": report(vulnerability(LODASH, Severity.MEDIUM))},
        {"report": report(vulnerability(OPENSSL, Severity.CRITICAL, fix="3.1"))},
    ],
)
def test_an_application_is_warned_and_passes(flaw: dict[str, Any]) -> None:
    evaluation = run(APPLICATION, facts(**{**GOOD, **flaw}))
    assert (evaluation.verdict, len(evaluation.findings)) == (Verdict.PASS, 1)


@pytest.mark.parametrize("lacking", [{"base": None}, {"report": None}, {"report": report(missing=("npm",))}])
def test_what_was_not_looked_at_decides_nothing(lacking: dict[str, Any]) -> None:
    assert run(APPLICATION, facts(**{**GOOD, **lacking})).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("change", "verdict", "findings"),
    [
        ({}, Verdict.PASS, 0),
        ({"report": report(vulnerability(OPENSSL, Severity.HIGH))}, Verdict.PASS, 1),
        ({"report": report(vulnerability(OPENSSL, Severity.MEDIUM, fix="3.1"))}, Verdict.PASS, 1),
        ({"report": report(vulnerability(OPENSSL, Severity.HIGH, fix="3.1"))}, Verdict.STOP, 1),
        ({"report": report(vulnerability(LODASH, Severity.HIGH))}, Verdict.STOP, 1),
        ({"user": "0"}, Verdict.STOP, 1),
        ({"ports": ("22/tcp",)}, Verdict.STOP, 1),
        ({"distro": Distro("foolinux", "1")}, Verdict.PASS, 1),
        ({"files": (FileEntry("/bin/su", FileType.FILE, 0o4755, 0, 0, 9),)}, Verdict.PASS, 1),
    ],
)
def test_base_images(change: dict[str, Any], verdict: Verdict, findings: int) -> None:
    evaluation = run(BASE_IMAGE, facts(**{**GOOD, "base": None, **change}))
    assert (evaluation.verdict, len(evaluation.findings)) == (verdict, findings)
