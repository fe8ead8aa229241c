"""What a finding's explanation says, and that what it offers to paste works."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from imagegate.model import AnalysedLayer, BaseProof, BaseStatus, Digest, FileEntry, FileType, Finding, Owner, Verdict
from imagegate.policy.evaluate import evaluate
from imagegate.policy.facts import Facts
from imagegate.policy.waivers import read_waivers
from imagegate.report import FORMATS, render_text
from imagegate.report.context import Context, LayerText, RuleText
from imagegate.report.explain import explain, is_selected
from imagegate.settings import PolicySettings
from imagegate.yamlfile import load_yaml
from tests.unit.policies import DIGEST, LODASH, NAME, NOW, bundle, facts, report, rule, run, vulnerability

LOWER, UPPER = Digest("sha256:" + "1" * 64), Digest("sha256:" + "2" * 64)
VULNERABLE, SETUID = rule("vulnerabilities", "package", package_type="all"), rule("files", "suid_or_guid_set")
PROVED = BaseProof(BaseStatus.PROVED, "registry.example.com/base:1", layers=1)


def known(package_layer: Digest = UPPER, file_layer: int = 0, base: BaseProof | None = PROVED) -> Facts:
    package = msgspec.structs.replace(LODASH, layer=package_layer)
    found = facts(
        user="app",
        packages=(package,),
        files=(FileEntry("/bin/su", FileType.FILE, 0o4755, 0, 0, 9, layer=file_layer),),
        report=report(vulnerability(package, id_="CVE-2026-1", aliases=("GHSA-1",), fix="4.17.21")),
        base=base,
    )
    layers = (AnalysedLayer(LOWER, LOWER, 1), AnalysedLayer(UPPER, UPPER, 1))
    return msgspec.structs.replace(found, analysis=msgspec.structs.replace(found.analysis, layers=layers))


def findings(about: Facts) -> dict[str, Finding]:
    return {finding.gate: finding for finding in run(bundle(VULNERABLE, SETUID), about).findings}


@pytest.mark.parametrize(
    ("about", "package", "file"),
    [
        (known(), Owner.IMAGE, Owner.BASE),
        (known(LOWER, 1), Owner.BASE, Owner.IMAGE),
        (known(base=None), None, None),
        (known(base=BaseProof(BaseStatus.UNSIGNED, layers=1)), None, None),
        (known(file_layer=-1), Owner.IMAGE, None),
        (known(file_layer=7), Owner.IMAGE, None),
    ],
)
def test_whose_a_finding_is(about: Facts, package: Owner | None, file: Owner | None) -> None:
    found = findings(about)
    assert (found["vulnerabilities"].owner, found["files"].owner) == (package, file)


def context(layer: str = "RUN npm ci") -> Context:
    return Context(
        rule_texts={"policies[0].rules[0]": RuleText("p.yaml:7", "package_type `all`")},
        layers={(DIGEST, LOWER): LayerText(1, 3), (DIGEST, UPPER): LayerText(2, 3, layer)},
        bases={DIGEST: "registry.example.com/base:1"},
    )


def told(gate: str, about: Facts, known: Context | None = None) -> str:
    evaluation = run(bundle(VULNERABLE, SETUID), about)
    (finding,) = (each for each in evaluation.findings if each.gate == gate)
    return explain(finding, evaluation, known or context())


def test_it_says_what_where_whose_and_what_to_do() -> None:
    text = told("vulnerabilities", known())
    for part in (
        "stop vulnerabilities/package CVE-2026-1+lodash",
        "rule:        p.yaml:7 (r1) package_type `all`",
        "where:       lodash 4.17.10 (npm); /app/node_modules/lodash/package.json; layer 2 of 3, made by RUN npm ci",
        "whose:       this image's own",
        "fix:         Update lodash 4.17.10 to 4.17.21",
    ):
        assert part in text
    assert "the base's, registry.example.com/base:1" in told("files", known())
    assert "not known" in told("files", known(base=None))


@pytest.mark.parametrize("gate", ["vulnerabilities", "files"])
def test_the_waiver_to_paste_lets_that_finding_through(tmp_path: Path, gate: str) -> None:
    text = told(gate, known()).partition("waivers.yaml:\n")[2].partition("\n\n")[0]
    (tmp_path / "w.yaml").write_text(text.replace("…", "x"))
    waivers = read_waivers([load_yaml(tmp_path / "w.yaml")])
    policy = bundle(VULNERABLE if gate == "vulnerabilities" else SETUID)
    evaluation = evaluate(policy, known(), tag=NAME, settings=PolicySettings(), now=NOW, waivers=waivers)
    assert evaluation.verdict is Verdict.PASS


def test_the_item_to_paste_lets_that_finding_through() -> None:
    item = json.loads(told("files", known()).rpartition("whitelist:\n")[2])
    lists = {"whitelists": [{"id": "w", "version": "1_0", "items": [item]}]}
    mapping = {"name": "all", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"}}
    policy = bundle(SETUID, **lists, mappings=[{**mapping, "policy_id": "p", "whitelist_ids": ["w"]}])
    assert run(policy, known()).verdict is Verdict.PASS


@pytest.mark.parametrize("wanted", ["cve-2026-1", "GHSA-1", "lodash", "vulnerabilities/", "r1", "/app/"])
def test_findings_are_selected_by_what_a_user_sees(wanted: str) -> None:
    finding = findings(known())["vulnerabilities"]
    assert is_selected(finding, wanted)
    assert not is_selected(finding, f"{wanted}-not")


def test_no_image_can_steer_the_terminal() -> None:
    text = told("vulnerabilities", known(), context("RUN \x1b[2J\n\rverdict: pass"))
    assert "layer 2 of 3, made by RUN" in text
    assert "\x1b" not in text
    assert "\nverdict: pass" not in text


@pytest.mark.parametrize("form", ["json", "junit", "sarif", "markdown"])
def test_every_report_says_by_which_rule_whose_and_how_to_let_it_through(form: str) -> None:
    evaluation = run(bundle(VULNERABLE, SETUID), known())
    text = FORMATS[form]([evaluation], context())
    for part in (
        "p.yaml:7 (r1)", "layer 2 of 3, made by RUN npm ci", "this image", "s, registry.example.com/base:1",
        "4.17.21", "cve: CVE-2026-1", "CVE-2026-1+lodash", "2026-12-23T23:59:59Z",
    ):  # fmt: skip
        assert part in text


def test_the_text_report_says_in_a_line_by_which_rule_and_whose() -> None:
    evaluation = run(bundle(VULNERABLE, SETUID), known())
    text = render_text([evaluation], context(), width=200)
    assert "by:  p.yaml:7, from this image, layer 2 of 3" in text
    assert "by:  from the base registry.example.com/base:1, layer 1 of 3" in text
    assert "imagegate explain" in text
