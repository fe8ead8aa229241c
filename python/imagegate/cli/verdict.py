"""How `check`, `gate` and `promote` tell their verdict: on the terminal, as one JSON document, and as reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from imagegate.cli import console
from imagegate.cli.app import App, titled
from imagegate.errors import UsageError
from imagegate.gate import Judgement, Outcome, undecided
from imagegate.image.source import ImageSource
from imagegate.judge import PolicyJudge
from imagegate.model import Digest, Evaluation, PlatformImage, Verdict, joint_verdict
from imagegate.report.context import Context, LayerText, Rule, RuleText

if TYPE_CHECKING:
    from imagegate.sbom.contents import Sbom
    from imagegate.server_judge import ServerJudge

EXIT_CODES = {Verdict.PASS: 0, Verdict.STOP: 1, Verdict.UNDECIDED: 2}


class Witness:
    """A judge whose judgements are kept for the report."""

    def __init__(self, judge: PolicyJudge | ServerJudge) -> None:
        self.bundle = judge.bundle if isinstance(judge, PolicyJudge) else None
        self._judge = judge
        self._api = "" if isinstance(judge, PolicyJudge) else judge.server.api
        self.judgements: list[Judgement] = []
        self._image_ids: dict[Digest, Digest] = {}

    def announce(self, image: PlatformImage, source: ImageSource, name: str) -> None:
        """Let slow work on an image begin that will be judged."""
        if not isinstance(self._judge, PolicyJudge):
            self._judge.announce(image, source, name)

    def __call__(self, image: PlatformImage, source: ImageSource, name: str) -> Judgement:
        judgement = self._judge(image, source, name)
        self.judgements.append(judgement)
        self._image_ids[image.digest] = image.config_descriptor.digest
        return judgement

    def of_sbom(self, sbom: Sbom, name: str) -> Judgement:
        """Judge what an SBOM says. Raises UsageError where a server judges: it is given images."""
        if not isinstance(self._judge, PolicyJudge):
            raise UsageError("an Anchore server evaluates images, not SBOMs", hint="Set scanner: local.")
        judgement = self._judge.of_sbom(sbom, name)
        self.judgements.append(judgement)
        return judgement

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        return tuple(judgement.evaluation for judgement in self.judgements)

    def context(self, dockerfile: Path | None, next_step: str) -> Context:
        """Return what a report says beside the evaluations."""
        fetched = [judgement.advisories for judgement in self.judgements if judgement.advisories]
        return Context(
            policy=f"{self.bundle.name} ({self.bundle.source})" if self.bundle else "",
            packages={judgement.evaluation.digest: judgement.packages for judgement in self.judgements},
            advisories=min(fetched, default=None),
            dockerfile=str(dockerfile or "Dockerfile"),
            next_step=next_step,
            rules=tuple(
                Rule(rule.gate, rule.trigger, rule_set_id, rule.id, rule.action, mapping.images.name)
                for mapping in (self.bundle.mappings if self.bundle else ())
                for rule_set_id in mapping.rule_set_ids
                if self.bundle
                for rule in self.bundle.rule_sets[rule_set_id].rules
            ),
            rule_texts=self._rule_texts(),
            layers={
                (judgement.evaluation.digest, layer.digest): LayerText(number, len(judgement.layers), layer.created_by)
                for judgement in self.judgements
                for number, layer in enumerate(judgement.layers, 1)
            },
            image_ids=self._image_ids,
            vulnerabilities={each.evaluation.digest: each.vulnerabilities for each in self.judgements},
            anchore_api=self._api,
            answers=tuple(judgement.answers for judgement in self.judgements),
            bases={each.evaluation.digest: each.base.reference for each in self.judgements if each.base},
        )

    def _rule_texts(self) -> dict[str, RuleText]:
        """Return the rules that found something."""
        found = {finding.rule_place for each in self.evaluations for finding in each.findings}
        if not found or self.bundle is None:
            return {}
        from imagegate.policy.lint import lines
        from imagegate.policy.page import parameters

        source = Path(self.bundle.source)
        places = lines(source.read_text())
        return {
            rule.place: RuleText(
                f"{source.name}:{places[rule.place]}" if rule.place in places else source.name, parameters(rule)
            )
            for rule_set in self.bundle.rule_sets.values()
            for rule in rule_set.rules
            if rule.place in found
        }


def publish(
    app: App,
    witness: Witness,
    reports: Sequence[tuple[str, Path]],
    *,
    dockerfile: Path | None,
    next_step: str = "",
    outcome: Outcome | None = None,
) -> None:
    """Write the reports, then print the verdict.

    next_step: what happens next, told last. outcome: of the gate, which `--json` prints in place of the evaluations.
    """
    from imagegate.report import render_files, render_text, write_atomically

    evaluations = outcome.evaluations if outcome else witness.evaluations
    context = witness.context(dockerfile, next_step)
    rendered = [each for name, path in reports for each in render_files(name, path, evaluations, context)]
    for file, text in rendered:
        write_atomically(file, text)
    checked = titled("check", {"verdict": joint_verdict(evaluations), "evaluations": evaluations})
    app.answer(
        outcome or checked,
        lambda: render_text(evaluations, context, colour=console.coloured(), width=console.width()),
    )
    problems = undecided(evaluations)
    if problems:
        app.say(f"imagegate: could not decide: {problems}")
