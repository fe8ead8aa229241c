"""Judging one image: analyse it, ask the advisories and the base's proof where the policy needs them, evaluate.

`check` and `gate` share it. It works over the interfaces; what it needs from disk and network comes in as callables,
which are called only when the policy has a rule that asks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from imagegate.dockerfile import Dockerfile
from imagegate.errors import AdvisoryError
from imagegate.gate import Judgement
from imagegate.image.source import ImageSource
from imagegate.model import Analysis, BaseProof, PackageListing, Platform, PlatformImage, VulnerabilityReport
from imagegate.policy.demands import needs_base
from imagegate.policy.document import PolicyBundle
from imagegate.policy.evaluate import evaluate
from imagegate.policy.facts import Facts, Previous
from imagegate.policy.waivers import Waiver
from imagegate.settings import Advisories, PolicySettings
from imagegate.vex.statement import Statement

if TYPE_CHECKING:
    from imagegate.sbom.contents import Sbom


@dataclass(frozen=True)
class PolicyJudge:
    """A `gate.Judge` over one policy bundle."""

    bundle: PolicyBundle
    policy: PolicySettings
    advisories: Advisories
    dockerfile: Dockerfile | None
    analyze: Callable[[PlatformImage, ImageSource], Analysis]
    match: Callable[[Analysis], VulnerabilityReport]
    prove_base: Callable[[PlatformImage], BaseProof]
    prove_ancestry: Callable[[PlatformImage], tuple[BaseProof, ...]]
    previous: Callable[[str, Platform], Previous]
    listing: Callable[[], PackageListing | None]
    waivers: tuple[Waiver, ...]
    vex: tuple[Statement, ...]
    clock: Callable[[], datetime]

    def __call__(self, image: PlatformImage, source: ImageSource, name: str) -> Judgement:
        """Evaluate the image under the name that it is, or would be, published as."""
        analysis = self.analyze(image, source)
        ancestors = self.prove_ancestry(image) if self.bundle.uses_gate("ancestry") else None
        base = ancestors[0] if ancestors else self.prove_base(image) if needs_base(self.bundle) else None
        facts = Facts(
            analysis=analysis,
            dockerfile=self.dockerfile,
            base=base,
            image_id=image.config_descriptor.digest,
            ancestors=ancestors,
        )
        return self._evaluate(facts, name)

    def of_sbom(self, sbom: Sbom, name: str) -> Judgement:
        """Evaluate what an SBOM says, under a name. What needs the image itself is then left undecided."""
        return self._evaluate(Facts(analysis=sbom.analysis, problems=sbom.problems), name)

    def _evaluate(self, facts: Facts, name: str) -> Judgement:
        now, analysis = self.clock(), facts.analysis
        report = self.match(analysis) if self.bundle.uses_gate("vulnerabilities") else None
        if report:
            self._refuse_old(report, now)
        listed = self.bundle.uses_gate("npms") or self.bundle.uses_gate("ruby_gems")
        facts = msgspec.structs.replace(
            facts,
            vulnerabilities=report,
            listing=self.listing() if listed else None,
            previous=self.previous(name, analysis.platform) if self.bundle.uses_gate("tag_drift") else None,
        )
        evaluation = evaluate(
            self.bundle, facts, tag=name, settings=self.policy, now=now, waivers=self.waivers, vex=self.vex
        )
        fetched = min((feed.synced_at for feed in report.feeds), default=None) if report else None
        found = report.vulnerabilities if report else ()
        return Judgement(evaluation, facts.base, len(analysis.packages), fetched, analysis.layers, found)

    def _refuse_old(self, report: VulnerabilityReport, now: datetime) -> None:
        if not self.advisories.max_age_days:
            return
        limit = timedelta(days=self.advisories.max_age_days)
        old = [feed for feed in report.feeds if now - feed.synced_at > limit]
        if old:
            oldest = min(old, key=lambda feed: feed.synced_at)
            raise AdvisoryError(
                f"advisories for {', '.join(feed.ecosystem for feed in old)} are too old to decide by",
                why=f"fetched {oldest.synced_at:%Y-%m-%d}, the limit is {self.advisories.max_age_days} days",
                hint="Import newer ones with `imagegate db import`.",
            )
