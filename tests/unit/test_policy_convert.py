"""Documents in the words of both versions: nothing is lost, and they decide the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate.errors import PolicyError
from imagegate.policy.convert import convert
from imagegate.policy.document import load_document, parse_bundle
from imagegate.policy.gates import TRIGGERS
from imagegate.policy.shipped import NAMES, find
from imagegate.policy.words import LATER_TRIGGERS, V1, V2
from tests.unit.policies import ALL, OPENSSL, document, facts, rule, run

FULL = document(
    rule("dockerfile", "effective_user", users="root", type="blacklist"),
    rule("packages", "blacklist", name="openssl"),
    whitelists=[{"id": "w", "version": "1_0", "name": "w", "items": [{"id": "i", "gate": "g", "trigger_id": "t"}]}],
    whitelisted_images=[{k: v for k, v in {**ALL, "id": "1"}.items() if k != "policy_id"}],
    blacklisted_images=[],
    mappings=[{**ALL, "whitelist_ids": ["w"]}],
    x_unknown={"kept": [1, None, True]},
)

TEXT = st.text("abc", max_size=3)
JSON = st.recursive(st.none() | st.booleans() | TEXT, lambda inner: st.lists(inner, max_size=2), max_leaves=4)
UNKNOWN = st.dictionaries(st.sampled_from(["x", "y_unknown", "comment", "description"]), JSON, max_size=2)


def extended(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(UNKNOWN, st.fixed_dictionaries(fields)).map(lambda both: {**both[0], **both[1]})


def documents(words: Any) -> st.SearchStrategy[dict[str, Any]]:
    """Whole documents of a version, with keys that nobody knows."""
    later = words is V2
    triggers = st.sampled_from(sorted(words.triggers))
    params = st.lists(extended(name=st.sampled_from(["type", "users"]), value=st.sampled_from(["blacklist", "x"])))
    rules = st.tuples(triggers, extended(id=TEXT, action=TEXT, params=st.just([]) if later else params)).map(
        lambda both: {**both[1], "gate": both[0][0], "trigger": both[0][1]}
    )
    kind = {"artifact_type": st.sampled_from(["source", "image"])} if later else {}
    sets = extended(id=TEXT, version=st.just(words.version), rules=st.lists(rules, max_size=3), **kind)
    lists = extended(id=TEXT, version=st.just(words.version), items=st.lists(extended(id=TEXT), max_size=2))
    ids = st.lists(TEXT, max_size=2)
    one = st.just({}) if later else st.just({}) | st.fixed_dictionaries({"policy_id": TEXT})
    mappings = st.tuples(one, extended(**{words.policy_ids: ids, words.whitelist_ids: ids})).map(
        lambda both: {**both[0], **{k: v for k, v in both[1].items() if not (both[0] and k == words.policy_ids)}}
    )
    return extended(
        version=st.just(words.version),
        **{
            words.policies: st.lists(sets, max_size=2),
            words.whitelists: st.lists(lists, max_size=2),
            words.whitelisted_images: st.lists(UNKNOWN, max_size=1),
            words.blacklisted_images: st.lists(UNKNOWN, max_size=1),
            "mappings": st.lists(mappings, max_size=2),
        },
    )


@given(documents(V1))
def test_version_1_comes_back_as_it_was(written: dict[str, Any]) -> None:
    before = json.dumps(written)
    assert convert(convert(written, "2"), "1_0") == written
    assert json.dumps(written) == before, "the document itself is left alone"


@given(documents(V2))
def test_version_2_comes_back_as_it_was(written: dict[str, Any]) -> None:
    assert convert(convert(written, "1_0"), "2") == written


def test_the_words_of_version_2() -> None:
    later = convert(FULL, "2")
    assert later["version"] == "2"
    assert later["x_unknown"] == FULL["x_unknown"]
    (rule_set,) = later["rule_sets"]
    assert (rule_set["version"], rule_set["artifact_type"]) == ("2", "image")
    assert rule_set["rules"][0]["params"][1] == {"name": "type", "value": "denylist"}
    assert rule_set["rules"][1]["trigger"] == "denylist"
    assert later["mappings"][0]["rule_set_ids"] == ["p"]
    assert later["mappings"][0]["allowlist_ids"] == ["w"]
    assert not [key for key in later if "white" in key or "black" in key]
    assert LATER_TRIGGERS["passwd_file", "blacklist_usernames"] == "denylist_usernames"


@pytest.mark.parametrize("user", ["", "app"])
@pytest.mark.parametrize("packages", [(), (OPENSSL,)])
def test_both_versions_decide_the_same(user: str, packages: Any) -> None:
    known = facts(user=user, packages=packages)
    first = run(parse_bundle(json.dumps({**FULL, "whitelisted_images": []}).encode(), "one.json"), known)
    later = convert({**FULL, "whitelisted_images": []}, "2")
    second = run(parse_bundle(json.dumps(later).encode(), "two.json"), known)
    assert (first.verdict, first.final_action) == (second.verdict, second.final_action)
    assert [each.message for each in first.findings] == [each.message for each in second.findings]
    assert {each.trigger for each in second.findings} <= {"effective_user", "denylist"}


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_policies_convert(name: str) -> None:
    written = load_document(find(name))
    later = convert(written, "2")
    assert parse_bundle(json.dumps(later).encode(), "two.json").rule_sets.keys() == {name}
    assert convert(later, "1_0") == written


def test_a_changed_mapping_counts_more_than_what_it_was() -> None:
    later = convert(FULL, "2")
    later["mappings"][0]["rule_set_ids"] = ["other"]
    (mapping,) = convert(later, "1_0")["mappings"]
    assert mapping["policy_ids"] == ["other"]
    assert "policy_id" not in mapping


def test_rule_sets_for_sources_are_refused_not_passed_over() -> None:
    later = convert(FULL, "2")
    later["rule_sets"][0]["artifact_type"] = "source"
    with pytest.raises(PolicyError, match="only rule sets for images"):
        parse_bundle(json.dumps(later).encode(), "two.json")


@pytest.mark.parametrize("version", ["3", "", None])
def test_a_version_that_is_not_there_is_told(version: Any) -> None:
    with pytest.raises(PolicyError, match="there is no version"):
        convert({**FULL, "version": version}, "2")
    with pytest.raises(PolicyError, match="there is no version"):
        convert(FULL, str(version))


def test_every_trigger_has_a_name_in_version_2() -> None:
    assert len(V2.triggers) == len(TRIGGERS)
    assert not [name for _, name in V2.triggers if "black" in name or "white" in name]


def test_documents_are_read_from_either_form(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("id: x\nversion: 1_0\n")
    assert load_document(tmp_path / "a.yaml") == {"id": "x", "version": "1_0"}
