"""What authors are told of their policies: mistakes and surprises with lines, pages, tests, and differences."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from imagegate.cli.main import run as command
from imagegate.policy.cases import Expected, ExpectedFinding, compare, failures
from imagegate.policy.document import parse_document
from imagegate.policy.lint import Note, SpecGate, lines, lint, located
from imagegate.policy.page import page
from imagegate.policy.shipped import NAMES
from tests.unit.policies import ALL, NOW, bundle, document, facts, rule, run

TEXT = """\
id: x
version: "1_0"
name: x
policies:
  - id: p
    version: "1_0"
    rules:
      - {id: a, gate: dockerfile, trigger: exposed_port, action: STOP, params: []}
      - id: b
        gate: packages
        trigger: blacklist
        action: STOP
        params:
          - {name: nam, value: x}
mappings:
  - {name: all, registry: "*", repository: "*", image: {type: tag, value: "*"}, policy_id: p}
"""


def notes(written: dict[str, Any], **arguments: Any) -> dict[str, str]:
    return {note.place: note.what for note in lint(written, "p.json", NOW, **arguments)}


def mapping(registry: str, repository: str = "*", value: str = "*", kind: str = "tag") -> dict[str, Any]:
    return {**ALL, "registry": registry, "repository": repository, "image": {"type": kind, "value": value}}


def test_mistakes_are_told_with_their_lines() -> None:
    known = lines(TEXT)
    found = [located(note, known) for note in lint(parse_document(TEXT.encode(), "p.yaml"), "p.yaml", NOW)]
    assert [(note.line, note.place) for note in found] == [
        (8, "policies[0].rules[0].trigger"),
        (14, "policies[0].rules[1].params[0]"),
        (13, "policies[0].rules[1].params"),
    ]
    assert all(note.mistake for note in found)


def test_json_has_lines_too_and_what_has_none_is_the_first() -> None:
    text = json.dumps(parse_document(TEXT.encode(), "p"), indent=1)
    assert text.splitlines()[lines(text)["policies[0].rules[0].trigger"] - 1].strip().startswith('"trigger"')
    assert located(Note("nowhere[3].x", "?"), {}).line == 1
    assert lines("{\t") == {}


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (mapping("*"), mapping("r.example.com"), True),
        (mapping("*", "team/*"), mapping("*", "team/app"), True),
        (mapping("*", "team/*"), mapping("*", "other/app"), False),
        (mapping("*", "team/app"), mapping("*", "team/*"), False),
        (mapping("*", value="1.*"), mapping("*", value="1.2"), True),
        (mapping("*", value="1.*"), mapping("*", value="*"), False),
        (mapping("*", value="1.*"), mapping("*", value="sha256:1", kind="digest"), False),
        (mapping("*"), mapping("*", value="sha256:1", kind="digest"), True),
        (mapping("*", value="x", kind="id"), mapping("*", value="x", kind="id"), True),
    ],
)
def test_a_mapping_that_is_never_used(first: dict[str, Any], second: dict[str, Any], told: bool) -> None:
    found = notes(document(rule("always", "always"), mappings=[first, second]))
    assert ("mappings[1]" in found) is told


def test_what_nothing_uses_has_expired_or_cannot_match() -> None:
    items = [
        {"gate": "dockerfile", "trigger_id": "x", "expires_on": "2020-01-01T00:00:00Z"},
        {"gate": "dockerfil", "trigger_id": "x"},
    ]
    found = notes(document(whitelists=[{"id": "w", "version": "1_0", "items": items}]))
    assert found == {
        "whitelists[0]": "no mapping names the whitelist 'w'",
        "whitelists[0].items[0].expires_on": "it expired on 2020-01-01",
        "whitelists[0].items[1].gate": "there is no gate 'dockerfil'; did you mean 'dockerfile'?, so it lets nothing "
        "through",
    }
    unused = document(rule("always", "always"))
    unused["policies"].append({**unused["policies"][0], "id": "q"})
    assert notes(unused) == {"policies[1]": "no mapping names the policy 'q'"}


SPEC = msgspec.convert(
    [
        {
            "name": "dockerfile",
            "triggers": [
                {"name": "exposed_ports", "parameters": [{"name": "ports", "required": True}, {"name": "type"}]},
                {"name": "no_dockerfile_provided", "parameters": None},
            ],
        },
        {"name": "anchoresec", "state": "eol", "superceded_by": "vulnerabilities"},
    ],
    list[SpecGate],
)


def test_a_servers_spec_has_its_say() -> None:
    written = document(
        rule("dockerfile", "exposed_ports", type="blacklist", actual_dockerfile_only="true"),
        rule("dockerfile", "effective_user", users="root", type="blacklist"),
        rule("always", "always"),
        rule("anchoresec", "vulnhigh"),
    )
    found = notes(written, spec=SPEC)
    assert found["policies[0].rules[0].params"] == "the server's dockerfile.exposed_ports needs 'ports'"
    assert "has no parameter 'actual_dockerfile_only'" in found["policies[0].rules[0].params[1]"]
    assert "has no trigger 'effective_user'" in found["policies[0].rules[1].trigger"]
    assert "the server has no gate 'always'" in found["policies[0].rules[2].gate"]
    assert "is eol; use 'vulnerabilities'" in found["policies[0].rules[3].gate"]


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_policies_are_clean_and_have_a_page(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["policy", "lint", name]) == 0
    assert command(["policy", "show", name]) == 0
    shown = capsys.readouterr().out
    assert "stops: dockerfile/exposed_ports, ports `22`" in shown


def test_a_page_says_what_happens_in_order() -> None:
    policy = bundle(
        rule("always", "always", "WARN"),
        rule("dockerfile", "effective_user", users="root", type="blacklist"),
        whitelists=[{"id": "w", "version": "1_0", "items": [{"gate": "always", "trigger_id": "*"}]}],
        mappings=[{**ALL, "repository": "team/*", "whitelist_ids": ["w"]}, ALL],
        blacklisted_images=[{k: v for k, v in ALL.items() if k != "policy_id"}],
    )
    text = page(policy, NOW)
    order = [
        "always stopped",
        "1. `*/team/*:*`",
        "- stops: dockerfile",
        "- warns: always",
        "Let through",
        "2. every image",
    ]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


def test_lint_and_convert_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(TEXT)
    assert command(["policy", "lint", str(file)]) == 1
    assert f"{file}:8: policies[0].rules[0].trigger: the gate dockerfile has no trigger" in capsys.readouterr().out
    assert command(["policy", "lint", str(file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["notes"][0]["line"] == 8
    assert command(["policy", "convert", str(file), "--to", "2", "-o", str(tmp_path / "out.json")]) == 0
    assert json.loads((tmp_path / "out.json").read_text())["rule_sets"][0]["id"] == "p"
    assert (
        command(["policy", "convert", str(tmp_path / "out.json"), "--to", "1_0", "-o", str(tmp_path / "b.yaml")]) == 0
    )
    back = parse_document((tmp_path / "b.yaml").read_bytes(), "b")
    assert back["policies"][0]["rules"][1]["trigger"] == "blacklist"
    assert command(["policy", "convert", str(file), "--to", "9"]) == 2


ROOT = rule("dockerfile", "effective_user", users="root", type="blacklist")


@pytest.mark.parametrize(
    ("expected", "count"),
    [
        ({"verdict": "stop"}, 0),
        ({"verdict": "pass"}, 1),
        ({"findings": [{"gate": "dockerfile", "action": "STOP"}], "only": True}, 0),
        ({"findings": [{"gate": "dockerfile", "trigger": "exposed_ports"}]}, 1),
        ({"findings": [{"gate": "dockerfile", "trigger_id": "x"}]}, 1),
        ({"only": True}, 1),
        ({}, 0),
    ],
)
def test_what_a_case_expects(expected: dict[str, Any], count: int) -> None:
    evaluation = run(bundle(ROOT), facts(user="root"))
    assert len(list(failures(evaluation, msgspec.convert(expected, Expected)))) == count


def test_a_change_is_told_by_what_comes_and_goes() -> None:
    sides = [run(bundle(*rules), facts(user="root")) for rules in ((ROOT,), ({**ROOT, "action": "WARN"},))]
    change = compare("a", *sides)
    assert (change.before.value, change.after.value) == ("stop", "pass")
    assert [each.split()[0] for each in (*change.gone, *change.new)] == ["stop", "warn"]
    assert change
    assert not compare("a", sides[0], sides[0])
    assert str(ExpectedFinding("g", action="stop")) == "stop g/*"


def test_tests_and_differences_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_bytes(msgspec.json.encode(facts(user="root").analysis))
    (tmp_path / "strict.json").write_text(json.dumps(document(ROOT)))
    (tmp_path / "loose.json").write_text(json.dumps(document({**ROOT, "action": "WARN"})))
    tests = "policy: strict.json\ncases:\n  - {name: root, analysis: a.json, expect: {verdict: %s}}\n"
    for verdict, code in (("stop", 0), ("pass", 1)):
        (tmp_path / "tests.yaml").write_text(tests % verdict)
        assert command(["policy", "test", str(tmp_path / "tests.yaml")]) == code
    assert "the verdict is stop, not pass" in capsys.readouterr().out
    strict, loose, analysis = (str(tmp_path / name) for name in ("strict.json", "loose.json", "a.json"))
    assert command(["policy", "diff", strict, loose, analysis]) == 1
    assert "stop -> pass" in capsys.readouterr().out
    assert command(["policy", "diff", strict, strict, analysis]) == 0
    for broken in ("policy: strict.json\ncases: [{nam: x}]\n", "policy: strict.json\ncases: [{name: x}]\n", "- x\n"):
        (tmp_path / "tests.yaml").write_text(broken)
        assert command(["policy", "test", str(tmp_path / "tests.yaml")]) == 2
    assert command(["policy", "diff", strict, loose, strict]) == 2
