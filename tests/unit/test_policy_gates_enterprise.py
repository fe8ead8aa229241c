"""The gates and parameters of Anchore Enterprise, as its public documents define them."""

from __future__ import annotations

import json

import msgspec
import pytest

from imagegate.errors import PolicyError
from imagegate.model import (
    AnalysedLayer,
    BaseProof,
    BaseStatus,
    Digest,
    Distro,
    Epss,
    Package,
    PackageType,
    Verdict,
    Vulnerability,
)
from imagegate.policy.document import parse_bundle
from imagegate.policy.facts import Facts, Previous
from tests.unit.policies import (
    DIGEST,
    LODASH,
    OPENSSL,
    bundle,
    document,
    facts,
    messages,
    report,
    rule,
    run,
    vulnerability,
)

PYTHON = "registry.example.com/base/python:3.11"
DEBIAN = "registry.example.com/base/debian:12"
B, C = (Digest("sha256:" + digit * 64) for digit in "bc")
PROVED = BaseProof(BaseStatus.PROVED, PYTHON, B, layers=1)
BELOW = BaseProof(BaseStatus.PROVED, DEBIAN, C, layers=1)
UNSIGNED = BaseProof(BaseStatus.UNSIGNED, PYTHON, B, detail="no role names it")
END = BaseProof(BaseStatus.NONE)


def on(*ancestors: BaseProof) -> Facts:
    return msgspec.structs.replace(facts(), ancestors=ancestors)


def ids(policy: object, known: Facts) -> list[str]:
    return [finding.trigger_id for finding in run(policy, known).findings]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ancestors", "allowed", "fires"),
    [
        ((PROVED, BELOW, END), PYTHON, False), ((PROVED, BELOW, END), f"x.test/a:1, {PYTHON}", False),
        ((PROVED, BELOW, END), DEBIAN, True), ((UNSIGNED,), PYTHON, True), ((END,), PYTHON, True),
        ((PROVED, END), "registry.example.com/base/python:3.1", True),
    ],
)  # fmt: skip
def test_only_an_approved_and_proved_base_is_allowed(
    ancestors: tuple[BaseProof, ...], allowed: str, fires: bool
) -> None:
    policy = bundle(rule("ancestry", "allowed_base_image_tag", base_tag=allowed))
    assert bool(run(policy, on(*ancestors)).findings) is fires
    digests = ",".join({PYTHON: B, DEBIAN: C}.get(name.strip(), DIGEST) for name in allowed.split(","))
    policy = bundle(rule("ancestry", "allowed_base_image_digest", base_digest=digests))
    assert bool(run(policy, on(*ancestors)).findings) is fires


def test_a_denied_ancestor_is_told_wherever_it_stands_in_the_chain() -> None:
    tags = bundle(rule("ancestry", "denylist_ancestor_image_tag", ancestor_tag=f"docker.io/nginx:latest,{DEBIAN}"))
    digests = bundle(rule("ancestry", "denylist_ancestor_image_digest", ancestor_digest=f"{DIGEST},{C.upper()}"))
    for policy, kind in ((tags, "tag"), (digests, "digest")):
        assert ids(policy, on(PROVED, BELOW, END)) == [f"denylist_ancestor_image_{kind}+{DEBIAN}@{C}"]
        assert ids(policy, on(PROVED, END)) == []
    claimed = bundle(rule("ancestry", "denylist_ancestor_image_tag", ancestor_tag=PYTHON))
    assert ids(claimed, on(UNSIGNED)) == [f"denylist_ancestor_image_tag+{PYTHON}@{B}"]


@pytest.mark.parametrize(("ancestors", "fires"), [((PROVED, END), False), ((UNSIGNED,), True), ((END,), True)])
def test_an_image_of_unknown_origin_is_told(ancestors: tuple[BaseProof, ...], fires: bool) -> None:
    assert bool(ids(bundle(rule("ancestry", "no_ancestors_analyzed")), on(*ancestors))) is fires


@pytest.mark.parametrize(
    ("trigger", "parameter", "value"),
    [
        ("allowed_base_image_tag", "base_tag", "x.test/a@sha256:1"),
        ("allowed_base_image_tag", "base_tag", "oci:x"),
        ("allowed_base_image_digest", "base_digest", "sha256:12"),
        ("denylist_ancestor_image_tag", "ancestor_tag", "A//b:1"),
    ],
)  # fmt: skip
def test_what_names_no_image_is_a_mistake(trigger: str, parameter: str, value: str) -> None:
    with pytest.raises(PolicyError, match=parameter):
        bundle(rule("ancestry", trigger, **{parameter: value}))


def test_ancestry_that_nobody_looked_at_is_no_pass() -> None:
    for trigger, parameter in (
        ("no_ancestors_analyzed", {}),
        ("denylist_ancestor_image_tag", {"ancestor_tag": DEBIAN}),
    ):
        assert run(bundle(rule("ancestry", trigger, **parameter)), facts()).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("name", "version", "check", "fires"),
    [
        ("debian", "12", "=", True), ("Debian", "9", ">", True), ("debian", "9", "<", False),
        ("debian", "13", "<", True),
        ("ubuntu", "12", "=", False), ("debian", "12", "!=", False),
    ],
)  # fmt: skip
def test_distributions_are_denied(name: str, version: str, check: str, fires: bool) -> None:
    policy = bundle(rule("distro", "deny", distro=name, version=version, check=check))
    assert bool(messages(policy, facts())) is fires
    assert messages(policy, facts(distro=None)) == []


def test_rules_of_version_2_documents_are_read() -> None:
    text = json.dumps(document(rule("distro", "deny", distro="debian", version="12", check="=")))
    for old, new in (("policies", "rule_sets"), ("policy_id", "rule_set_ids"), ("1_0", "2")):
        text = text.replace(f'"{old}"', f'"{new}"')
    policy = parse_bundle(text.replace('"rule_set_ids": "p"', '"rule_set_ids": ["p"]').encode(), "policy.json")
    assert ids(policy, facts(distro=Distro("debian", "12"))) == ["deny+debian:12"]


def drifted(previous: tuple[Package, ...] | None, *now: Package) -> Facts:
    before = Previous(None if previous is None else facts(packages=previous).analysis)
    return msgspec.structs.replace(facts(packages=now), previous=before)


def package(name: str, version: str, type_: PackageType = PackageType.NPM) -> Package:
    return Package(name, version, type_, "")


def test_packages_that_drift_are_told() -> None:
    old = (package("same", "1"), package("gone", "1"), package("moved", "1"), package("moved", "2"))
    new = (package("same", "1"), package("moved", "2"), package("new", "1"), package("gone", "1", PackageType.PYTHON))

    def fired(trigger: str, **parameters: str) -> list[str]:
        return ids(bundle(rule("tag_drift", trigger, **parameters)), drifted(old, *new))

    assert fired("packages_added") == ["packages_added+npm+new", "packages_added+python+gone"]
    assert fired("packages_added", package_type="python") == ["packages_added+python+gone"]
    assert fired("packages_removed") == ["packages_removed+npm+gone"]
    assert fired("packages_removed", package_type="apk") == []
    assert fired("packages_modified") == ["packages_modified+npm+moved"]
    (message,) = messages(bundle(rule("tag_drift", "packages_modified")), drifted(old, *new))
    assert "modified: 1, 2 to 2" in message


def test_a_new_tag_has_not_drifted_and_one_that_nobody_looked_at_is_undecided() -> None:
    policy = bundle(rule("tag_drift", "packages_added"))
    assert run(policy, drifted(None, LODASH)).verdict is Verdict.PASS
    assert run(policy, facts(packages=(LODASH,))).verdict is Verdict.UNDECIDED


def weighed(*found: Vulnerability, data: tuple[str, ...] = ("KEV", "EPSS")) -> Facts:
    return facts(report=msgspec.structs.replace(report(*found), exploitation=data))


def test_known_exploited_vulnerabilities_are_told() -> None:
    policy = bundle(rule("vulnerabilities", "kev_list"))
    known = (vulnerability(exploited=True), vulnerability(OPENSSL, id_="CVE-2026-2"))
    assert ids(policy, weighed(*known)) == ["CVE-2026-1+lodash"]
    assert run(policy, weighed(*known)).verdict is Verdict.STOP
    assert run(policy, weighed()).verdict is Verdict.PASS
    assert run(policy, weighed(data=())).verdict is Verdict.UNDECIDED
    assert run(policy, weighed(data=()), missing_advisories="go").verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("params", "fires"),
    [
        ({"epss_score": "0.5"}, True), ({"epss_score": "0.51"}, False),
        ({"epss_score": "0.6", "epss_score_comparison": "<"}, True),
        ({"epss_percentile": "0.9"}, True), ({"epss_percentile": "0.95"}, False),
    ],
)  # fmt: skip
def test_rules_ask_for_the_epss_score(params: dict[str, str], fires: bool) -> None:
    policy = bundle(rule("vulnerabilities", "package", package_type="all", severity="low", **params))
    assert bool(ids(policy, weighed(vulnerability(epss=Epss(0.5, 0.9))))) is fires
    assert run(policy, weighed(vulnerability(), data=("KEV",))).verdict is Verdict.UNDECIDED


def test_a_score_that_nobody_gave_is_0() -> None:
    policy = bundle(rule("vulnerabilities", "package", package_type="all", epss_score="0.1"))
    assert ids(policy, weighed(vulnerability())) == []


@pytest.mark.parametrize(("wanted", "expected"), [("true", "openssl"), ("false", "lodash")])
def test_rules_ask_whether_the_base_brought_it(wanted: str, expected: str) -> None:
    policy = bundle(rule("vulnerabilities", "package", package_type="all", severity="low", inherited_from_base=wanted))
    base, own = (AnalysedLayer(digest, digest, 1) for digest in (B, C))
    found = (
        vulnerability(msgspec.structs.replace(LODASH, layer=C)),
        vulnerability(msgspec.structs.replace(OPENSSL, layer=B)),
    )
    known = facts(report=report(*found), base=PROVED)
    known = msgspec.structs.replace(known, analysis=msgspec.structs.replace(known.analysis, layers=(base, own)))
    told = [finding.package.name for finding in run(policy, known).findings if finding.package]
    assert told == [expected]
    unproved = msgspec.structs.replace(known, base=UNSIGNED)
    assert len(run(policy, unproved).findings) == 2
