"""Which rules are for an image, what is waived, and what decides."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate.model import Action, Digest, Reason, Verdict
from imagegate.policy.mapping import parse_name
from imagegate.policy.pattern import matches
from tests.unit.policies import ALL, DIGEST, LODASH, NOW, bundle, facts, report, rule, run, vulnerability

STOP, WARN = rule("always", "always"), rule("always", "always", "WARN")
PACKAGES = rule("vulnerabilities", "package", package_type="all")


def image(kind: str = "tag", value: str = "*", registry: str = "*", repository: str = "*") -> dict[str, Any]:
    return {**ALL, "registry": registry, "repository": repository, "image": {"type": kind, "value": value}}


def waiver(trigger_id: str, gate: str = "always", **keys: str) -> dict[str, Any]:
    items = [{"id": "i", "gate": gate, "trigger_id": trigger_id, **keys}]
    return {
        "whitelists": [{"id": "w", "name": "waivers", "version": "1_0", "items": items}],
        "mappings": [{**ALL, "whitelist_ids": ["w"]}],
    }


@pytest.mark.parametrize(
    ("rules", "action", "verdict"),
    [
        ((), Action.GO, Verdict.PASS),
        ((rule("always", "always", "GO"),), Action.GO, Verdict.PASS),
        ((WARN,), Action.WARN, Verdict.PASS),
        ((WARN, STOP, rule("always", "always", "GO")), Action.STOP, Verdict.STOP),
    ],
)
def test_the_gravest_action_decides(rules: tuple[dict[str, Any], ...], action: Action, verdict: Verdict) -> None:
    evaluation = run(bundle(*rules), facts())
    assert (evaluation.final_action, evaluation.verdict) == (action, verdict)


@pytest.mark.parametrize(
    ("mapping", "about"),
    [
        (image(), True),
        (image(registry="registry.example.com", repository="team/app", value="1.0"), True),
        (image(registry="registryXexample.com"), False),
        (image(repository="team"), False),
        (image(repository="team/*", value="1.*"), True),
        (image(repository="regexp:team/(app|api)$"), True),
        (image(value="latest"), False),
        (image("digest", DIGEST), True),
        (image("digest", "sha256:" + "b" * 64), False),
        (image("id", "sha256:" + "c" * 64), True),
        (image("id", "c" * 64), True),
        (image("id", "d" * 64), False),
    ],
)
def test_mappings(mapping: dict[str, Any], about: bool) -> None:
    evaluation = run(bundle(STOP, mappings=[mapping]), facts(image_id=Digest("sha256:" + "c" * 64)))
    assert evaluation.verdict is (Verdict.STOP if about else Verdict.UNDECIDED)


def test_an_image_that_no_mapping_is_about_passes_only_where_the_site_says_so() -> None:
    policy = bundle(STOP, mappings=[image(value="latest")])
    assert run(policy, facts()).problems[0].type == "unmapped"
    assert run(policy, facts(), unmapped="go").verdict is Verdict.PASS
    assert run(policy, facts(), compat="engine").verdict is Verdict.UNDECIDED


def test_a_mapping_by_an_image_id_that_is_not_known_is_undecided() -> None:
    assert run(bundle(STOP, mappings=[image("id", "c" * 64)]), facts()).verdict is Verdict.UNDECIDED


def test_the_first_mapping_wins() -> None:
    policies = [{"id": name, "version": "1_0", "rules": rules} for name, rules in (("p", [WARN]), ("q", [STOP]))]
    second = {**image(), "name": "second", "policy_id": "q"}
    evaluation = run(
        bundle(policies=policies, mappings=[image(value="latest"), {**image(), "name": "1st"}, second]), facts()
    )
    assert (evaluation.mapping, evaluation.final_action) == ("1st", Action.WARN)


def test_names_without_a_registry_are_docker_hubs() -> None:
    name = parse_name("debian:12", DIGEST, None)
    assert (name.registry, name.repository, name.tag) == ("docker.io", "debian", "12")
    assert parse_name("localhost:5000/a/b", DIGEST, None).repository == "a/b"
    hub = bundle(STOP, mappings=[image(registry="dockerhub")])
    assert run(hub, facts(), "docker.io/library/debian:12").verdict is Verdict.STOP


def test_a_denied_image_stops_even_when_it_is_allowed_too() -> None:
    allowed = run(bundle(STOP, whitelisted_images=[image()]), facts())
    assert (allowed.verdict, allowed.reason) == (Verdict.PASS, Reason.ALLOWLISTED_IMAGE)
    assert allowed.findings
    both = run(bundle(whitelisted_images=[image()], blacklisted_images=[{**image(), "name": "no"}]), facts())
    assert (both.verdict, both.reason, both.matched_image_rule) == (Verdict.STOP, Reason.DENYLISTED_IMAGE, "no")


def test_in_doubt_a_pattern_denies_and_does_not_allow() -> None:
    prefix = image(repository="regexp:team/a")
    assert run(bundle(blacklisted_images=[prefix]), facts()).verdict is Verdict.STOP
    assert run(bundle(STOP, whitelisted_images=[prefix]), facts()).verdict is Verdict.STOP


@pytest.mark.parametrize(
    ("trigger_id", "gate", "let_through"),
    [
        ("CVE-2026-1+lodash", "vulnerabilities", True),
        ("CVE-2026-1+lodash", "VULNERABILITIES", True),
        ("cve-2026-1+lodash", "vulnerabilities", False),
        ("CVE-2026-1+lodash", "files", False),
        ("CVE-2026-1+*", "vulnerabilities", True),
        ("CVE-2026-1", "vulnerabilities", False),
        ("*", "vulnerabilities", True),
        (r"regexp:CVE-2026-\d\+.*", "vulnerabilities", True),
        ("regexp:CVE-2026", "vulnerabilities", False),
    ],
)
def test_waivers(trigger_id: str, gate: str, let_through: bool) -> None:
    evaluation = run(bundle(PACKAGES, **waiver(trigger_id, gate)), facts(report=report(vulnerability())))
    assert evaluation.verdict is (Verdict.PASS if let_through else Verdict.STOP)
    (finding,) = evaluation.findings
    assert bool(finding.allowlisted) is let_through


def test_a_waiver_ends_at_its_moment_and_says_so() -> None:
    later = (NOW + timedelta(seconds=1)).isoformat()
    assert run(bundle(STOP, **waiver("always", expires_on=later)), facts()).verdict is Verdict.PASS
    ended = run(bundle(STOP, **waiver("always", expires_on="2026-11-23T01:00:00+01:00")), facts())
    assert ended.verdict is Verdict.STOP
    assert "expired at 2026-11-23T00:00:00Z" in ended.problems[0].details


def test_an_expired_waiver_does_not_hide_one_that_holds() -> None:
    lists = waiver("always", expires_on="2020-01-01T00:00:00Z")
    lists["whitelists"][0]["items"].append({"id": "j", "gate": "always", "trigger_id": "*"})
    evaluation = run(bundle(STOP, **lists), facts())
    assert evaluation.findings[0].allowlisted
    assert evaluation.findings[0].allowlisted.item_id == "j"
    assert not evaluation.problems


def test_undecided_stays_undecided_beside_a_stop_and_tells_both() -> None:
    evaluation = run(bundle(STOP, PACKAGES), facts(packages=(LODASH,), report=report(missing=("npm",))))
    assert evaluation.verdict is Verdict.UNDECIDED
    assert evaluation.final_action is Action.STOP
    assert len(evaluation.findings) == 1


def test_the_record_names_what_was_evaluated() -> None:
    evaluation = run(bundle(STOP), facts())
    assert (evaluation.digest, evaluation.policy_id, evaluation.platform) == (DIGEST, "b", "linux/amd64")
    assert evaluation.policy_digest.startswith("sha256:")


@given(st.text(alphabet="ab.*+/-"), st.text(alphabet="ab.+/-"))
def test_a_glob_matches_what_is_equal_and_what_its_stars_fill(pattern: str, filling: str) -> None:
    assert matches(pattern, pattern.replace("*", filling))
    assert matches("*", filling)
    if "*" not in pattern:
        assert matches(pattern, filling) is (pattern == filling)


ITEMS = st.fixed_dictionaries(
    {
        "gate": st.sampled_from(["always", "vulnerabilities", "other"]),
        "trigger_id": st.sampled_from(["*", "CVE-2026-1*", "regexp:CVE.*", "nothing"]),
    },
    optional={"expires_on": st.sampled_from(["2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"])},
)


@given(st.lists(ITEMS, max_size=3), ITEMS)
def test_another_allowlist_item_makes_nothing_worse(items: list[dict[str, Any]], another: dict[str, Any]) -> None:
    known = facts(packages=(LODASH,), report=report(vulnerability()))

    def rank(listed: list[dict[str, Any]]) -> int:
        lists = [{"id": "w", "version": "1_0", "items": listed}]
        policy = bundle(WARN, PACKAGES, whitelists=lists, mappings=[{**ALL, "whitelist_ids": ["w"]}])
        return run(policy, known).final_action.rank

    assert rank([*items, another]) <= rank(items)


RULES = st.lists(
    st.sampled_from(
        [
            WARN,
            PACKAGES,
            rule("dockerfile", "effective_user", "GO", users="root", type="blacklist"),
            rule("files", "suid_or_guid_set", "WARN"),
            rule("packages", "required_package", "STOP", name="nothing"),
            rule("vulnerabilities", "stale_feed_data", "WARN", max_days_since_sync="1"),
            rule("malware", "scans"),
            rule("base_image", "not_signed"),
        ]
    ),
    max_size=6,
)


@given(RULES, st.randoms(use_true_random=False))
def test_the_verdict_depends_on_the_rules_and_not_on_their_order(rules: list[dict[str, Any]], random: Random) -> None:
    known = facts(packages=(LODASH,), report=report(vulnerability()))
    numbered = [{**each, "id": f"r{number}"} for number, each in enumerate(rules)]
    shuffled = random.sample(numbered, len(numbered))

    def judged(ordered: list[dict[str, Any]]) -> tuple[Any, ...]:
        evaluation = run(bundle(*ordered), known)
        told = sorted((each.rule_id, each.trigger_id, each.message, each.action.value) for each in evaluation.findings)
        problems = sorted(problem.details for problem in evaluation.problems)
        return evaluation.verdict, evaluation.final_action, told, problems

    assert judged(numbered) == judged(shuffled) == judged(numbered)
    assert run(bundle(*numbered), known) == run(bundle(*numbered), known)
