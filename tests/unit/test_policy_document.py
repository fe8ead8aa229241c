"""Policy documents: what is refused, and that nothing of them is lost."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from imagegate.errors import PolicyError
from imagegate.policy.document import load_bundle, parse_bundle
from imagegate.policy.gates import TRIGGERS
from imagegate.policy.gates.known import ENDED, UNSUPPORTED
from imagegate.policy.shipped import NAMES, find
from tests.unit.policies import ALL, bundle, document, rule

ALWAYS = rule("always", "always")


def refusal(text: Any) -> str:
    raw = text if isinstance(text, bytes) else json.dumps(text).encode()
    with pytest.raises(PolicyError) as caught:
        parse_bundle(raw, "policy.json")
    return str(caught.value)


def test_all_mistakes_are_told_at_once_with_their_places() -> None:
    text = refusal(
        document(
            rule("dockerfil", "exposed_ports"),
            rule("dockerfile", "exposed_port"),
            rule("dockerfile", "exposed_ports", "HALT", ports="ssh", kind="blacklist"),
        )
    )
    assert "policy.json has 6 mistakes" in text
    assert "policies[0].rules[0].gate: there is no gate 'dockerfil'; did you mean 'dockerfile'?" in text
    assert "policies[0].rules[1].trigger: the gate dockerfile has no trigger 'exposed_port'" in text
    assert "policies[0].rules[2].action: 'HALT' is none of GO, WARN, STOP" in text
    assert "rules[2].params[0]: ports: 'ssh' is no comma-separated list of numbers" in text
    assert "rules[2].params[1]: dockerfile.exposed_ports has no parameter 'kind'" in text
    assert "rules[2].params: dockerfile.exposed_ports needs 'type'" in text


@pytest.mark.parametrize(("gate", "trigger"), [(gate, name) for gate, names in UNSUPPORTED.items() for name in names])
def test_what_is_not_evaluated_yet_is_refused(gate: str, trigger: str) -> None:
    assert (gate, trigger) not in TRIGGERS
    assert "not supported yet" in refusal(document(rule(gate, trigger)))


def test_gates_that_ended_are_left_out_where_that_is_asked_for() -> None:
    raw = json.dumps(document(rule("anchoresec", "vulnhigh"), ALWAYS)).encode()
    (rule_set,) = parse_bundle(raw, "policy.json", allow_deprecated=True).rule_sets.values()
    assert [each.gate for each in rule_set.rules] == ["always"]


@pytest.mark.parametrize("gate", ENDED)
def test_gates_that_ended_name_their_successor(gate: str) -> None:
    assert (ENDED[gate] or "no longer evaluated") in refusal(document(rule(gate, "x")))


@pytest.mark.parametrize(
    ("gate", "trigger", "params"),
    [
        ("files", "name_match", {"regex": "(["}),
        ("files", "attribute_match", {"filename": "/x", "mode": "9"}),
        ("files", "attribute_match", {"filename": "/x"}),
        ("dockerfile", "instruction", {"instruction": "FROM", "check": "like"}),
        ("dockerfile", "instruction", {"instruction": "FROM", "check": "like", "value": "("}),
        ("metadata", "attribute", {"attribute": "size", "check": ">", "value": "big"}),
        ("metadata", "attribute", {"attribute": "size", "check": ">"}),
        ("vulnerabilities", "package", {"package_type": "all", "severity": "High"}),
        ("vulnerabilities", "package", {"package_type": "all", "cvss_v3_base_score": "-"}),
        ("vulnerabilities", "package", {"package_type": "all", "fix_available": "yes"}),
        ("vulnerabilities", "stale_feed_data", {"max_days_since_sync": "two"}),
        ("passwd_file", "blacklist_usernames", {"user_names": "a,,b"}),
        ("base_image", "not_allowed", {"allowed": "("}),
    ],
)
def test_parameters_that_could_not_be_evaluated_are_refused(gate: str, trigger: str, params: dict[str, str]) -> None:
    assert "has 1 mistake" in refusal(document(rule(gate, trigger, **params)))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": "3"}, "'3' is none of 1_0, 2"),
        ({"version": None}, "version: it is missing"),
        ({"mappings": None}, "mappings: it is missing"),
        ({"mappings": [{**ALL, "policy_id": "q"}]}, "no policy with the id 'q'"),
        ({"mappings": [{**ALL, "policy_ids": ["p"]}]}, "either 'policy_id' or 'policy_ids'"),
        ({"mappings": [{k: v for k, v in ALL.items() if k != "policy_id"} | {"policy_ids": []}]}, "names no policy"),
        ({"mappings": [{**ALL, "whitelist_ids": ["w"]}]}, "no whitelist with the id 'w'"),
        ({"mappings": [{**ALL, "registry": "regexp:("}]}, "no regular expression"),
        ({"mappings": [{**ALL, "image": {"type": "name", "value": "*"}}]}, "none of tag, digest, id"),
        ({"policies": [{"id": "p", "version": "1_0"}] * 2}, "'p' stands more than once"),
        ({"policies": ["p"]}, "policies[0]: it is no mapping"),
        ({"whitelist": []}, "did you mean 'whitelists'?"),
    ],
)
def test_what_makes_no_sense_is_refused(change: dict[str, Any], told: str) -> None:
    assert told in refusal(document(ALWAYS, **change))


def test_a_misspelt_expiry_does_not_become_a_waiver_for_ever() -> None:
    item = {"gate": "always", "trigger_id": "always", "expires": "2020-01-01T00:00:00Z"}
    lists = [{"id": "w", "version": "1_0", "items": [item]}]
    assert "did you mean 'expires_on'?" in refusal(document(ALWAYS, whitelists=lists))


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T00:00:00", "tomorrow", "2026-13-01T00:00:00Z"])
def test_an_expiry_is_a_moment(text: str) -> None:
    item = {"gate": "always", "trigger_id": "always", "expires_on": text}
    assert "expires_on" in refusal(document(ALWAYS, whitelists=[{"id": "w", "version": "1_0", "items": [item]}]))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"- a",
        b"a: &a [*a]",
        b"{} {}",
        b'{"id": 1, "id": 2}',
        b"id: a\nid: b",
        b"!!python/object:os.system {}",
        b"[" * 100_000,
    ],
)
def test_bytes_that_are_no_document_are_refused(raw: bytes) -> None:
    refusal(raw)


def test_yaml_needs_no_quotes_around_versions_numbers_and_truth_values() -> None:
    text = """
id: b
version: 1_0
policies:
  - id: p
    version: 1_0
    rules:
      - {gate: dockerfile, trigger: exposed_ports, action: STOP,
         params: [{name: ports, value: 22}, {name: type, value: blacklist},
                  {name: actual_dockerfile_only, value: true}]}
mappings: [{name: all, registry: "*", repository: "*", image: {type: tag, value: "*"}, policy_ids: [p]}]
whitelists: [{id: w, version: 1_0, items: [{gate: always, trigger_id: x, expires_on: 2030-01-01T00:00:00Z}]}]
"""
    values = parse_bundle(text.encode(), "p.yaml").rule_sets["p"].rules[0].values
    assert values == {"ports": (22,), "type": "blacklist", "actual_dockerfile_only": True}


def test_unknown_keys_survive_and_the_digest_is_of_the_bytes() -> None:
    raw = json.dumps(document(ALWAYS, last_updated=5, source_mappings=[{"x": 1}])).encode()
    read = parse_bundle(raw, "x")
    assert read.document == json.loads(raw)
    assert read.digest == "sha256:" + hashlib.sha256(raw).hexdigest()


def test_it_says_which_gates_it_uses() -> None:
    assert bundle(ALWAYS).uses_gate("always")
    assert not bundle(ALWAYS).uses_gate("vulnerabilities")


@pytest.mark.parametrize("name", NAMES)
def test_shipped_policies_are_found_by_name_and_valid(name: str) -> None:
    assert load_bundle(find(name)).name == name


def test_a_policy_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="application, base-image"):
        find(str(tmp_path / "none.yaml"))


def test_every_trigger_is_documented_with_its_parameters_and_no_other() -> None:
    text = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
    for (gate, name), trigger in TRIGGERS.items():
        section = text.partition(f"\n### `{gate}`\n")[2].partition("\n### ")[0].partition("\n## ")[0]
        row = next((line for line in section.splitlines() if line.startswith(f"| `{name}` |")), "")
        assert row, f"{gate}.{name} is not documented"
        for parameter in trigger.parameters:
            short = parameter.name.removesuffix("_comparison")
            assert f"`{short}`" in row or f"`{short}`" in section, f"{gate}.{name}: {parameter.name} is not documented"
