"""How `gate` and `promote` record what they promoted. It is opened only once there is something to record."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagegate.errors import ImagegateError, InventoryError
from imagegate.gate import Judgement, Outcome
from imagegate.judge import PolicyJudge
from imagegate.model import (
    Analysis,
    BaseStatus,
    Digest,
    PlatformImage,
    PromotionRecord,
    Vulnerability,
    VulnerabilityReport,
)

if TYPE_CHECKING:
    from imagegate.cli.app import App
    from imagegate.image.source import ImageSource
    from imagegate.inventory.model import NotableFile, Promoted, Variant
    from imagegate.model import Distro, Package
    from imagegate.server_judge import ServerJudge

TEAM = "org.imagegate.team"
REVISION = "org.opencontainers.image.revision"
_AGAIN = "The image is promoted. The same command again records it."


@dataclasses.dataclass(frozen=True)
class _Seen:
    """What is kept of an analysis: an image has tens of thousands of files, and nobody asks for most."""

    distro: Distro | None
    packages: tuple[Package, ...]
    files: tuple[NotableFile, ...]
    labels: Mapping[str, str]


class Recorder:
    """Sees what is analysed and matched, and records the promotion that comes of it."""

    def __init__(self, app: App, environ: Mapping[str, str]) -> None:
        self._app, self._environ = app, environ
        self._settings = app.settings.inventory
        self._judge: PolicyJudge | ServerJudge | None = None
        self._seen: dict[Digest, _Seen] = {}
        self._states: set[tuple[str, int]] = set()
        self._of_servers: list[Vulnerability] = []

    def watching(self, judge: PolicyJudge | ServerJudge) -> PolicyJudge | ServerJudge:
        """Return the judge, whose analyses are seen."""
        self._judge = judge
        if not self._settings.record or not isinstance(judge, PolicyJudge):
            return judge
        inner = judge

        def analyze(image: PlatformImage, source: ImageSource) -> Analysis:
            analysis = inner.analyze(image, source)
            self._see(analysis)
            return analysis

        def match(analysis: Analysis) -> VulnerabilityReport:
            report = inner.match(analysis)
            self._states.add((report.lineage, report.number))
            return report

        return dataclasses.replace(judge, analyze=analyze, match=match)

    def record(self, outcome: Outcome, judgements: Sequence[Judgement]) -> InventoryError | None:
        """Record a promotion. Where that fails and need not succeed, it is told, kept, and done by the next run.

        Returns the error where it must succeed: it is to be raised when the reports are written.
        """
        if not outcome.record or not self._settings.record:
            return None
        from imagegate.inventory.pending import Pending, keep

        promoted = self._promoted(outcome.record, judgements)
        state = next(iter(self._states)) if len(self._states) == 1 else ("", 0)
        found = self._of_servers or [each for judgement in judgements for each in judgement.vulnerabilities]
        pending = Pending(promoted, state, tuple(dict.fromkeys(found)) if state[0] else ())
        try:
            self._app.factory.keeper.record(pending)
        except (ImagegateError, ImportError) as error:
            if self._settings.required:
                return InventoryError("the promotion could not be recorded", why=str(error), hint=_AGAIN)
            kept = keep(pending, self._app.factory.keeper.pending_directory)
            what = f"it is kept in {kept}, and the next run records it" if kept else "it could not be kept either"
            self._app.say(f"warning: the promotion is not in the inventory: {error}; {what}")
        return None

    def _see(self, analysis: Analysis) -> None:
        from imagegate.inventory.files import notable

        if analysis.digest not in self._seen:
            labels = analysis.config.runtime.labels or {}
            self._seen[analysis.digest] = _Seen(analysis.distro, analysis.packages, notable(analysis), labels)

    def _promoted(self, record: PromotionRecord, judgements: Sequence[Judgement]) -> Promoted:
        from imagegate.inventory.model import Promoted

        by_digest = {each.evaluation.digest: each for each in judgements}
        labels = next((seen.labels for seen in self._seen.values()), {})
        base, base_digest = self._base(record, labels)
        findings = [finding for each in record.evaluations for finding in each.findings]
        waivers = {
            f"{each.allowlisted.allowlist_id}/{each.allowlisted.item_id}" for each in findings if each.allowlisted
        }
        waivers |= {f"vex:{each.vex.place}" for each in findings if each.vex}
        return Promoted(
            record.repository,
            record.digest,
            record.tags,
            record.promoted_at,
            tuple(self._variant(each) for each in by_digest.values()),
            source=record.source,
            base=base,
            base_digest=base_digest,
            base_proved=record.base is not None and record.base.status is BaseStatus.PROVED,
            team=self._settings.team or labels.get(TEAM, ""),
            job=self._environ.get("JOB_NAME", ""),
            commit=labels.get(REVISION, "") or self._environ.get("GIT_COMMIT", ""),
            policy=self._policy(record),
            advisories=", ".join(
                sorted({f"{each.advisories:%Y-%m-%dT%H:%M:%SZ}" for each in judgements if each.advisories})
            ),
            waivers=tuple(sorted(waivers)),
            signers=tuple(sorted({each.role for each in record.signatures})),
        )

    def _variant(self, judgement: Judgement) -> Variant:
        from imagegate.inventory.model import Variant

        evaluation = judgement.evaluation
        seen = self._seen.get(evaluation.digest) or self._of_server(evaluation.digest)
        below = judgement.layers[: judgement.base.layers] if judgement.base else ()
        return Variant(
            evaluation.platform,
            evaluation.digest,
            seen.distro,
            seen.packages,
            tuple(layer.digest for layer in below),
            seen.files,
        )

    def _of_server(self, digest: Digest) -> _Seen:
        """An image that a server judged was read by nobody here. What the server keeps nothing of has no packages."""
        from imagegate.cli.server_contents import ask

        if self._app.settings.anchore.submit == "scan":
            self._app.say(
                "note: the server keeps nothing of what it scans: the inventory has no packages of this image"
            )
            return _Seen(None, (), (), {})
        found = ask(self._app.factory.anchore(), digest)
        self._states.add(found.state)
        self._of_servers += found.vulnerabilities
        return _Seen(found.distro, found.packages, (), {})

    def _base(self, record: PromotionRecord, labels: Mapping[str, str]) -> tuple[str, str]:
        """The proved base; where no rule asks for a proof, the one that the image names."""
        from imagegate.trust.base import BASE_DIGEST, BASE_NAME

        proof = record.base
        if proof is None:
            return labels.get(BASE_NAME, ""), labels.get(BASE_DIGEST, "")
        return (proof.reference, proof.digest or "") if proof.status is BaseStatus.PROVED else ("", "")

    def _policy(self, record: PromotionRecord) -> str:
        """The document, byte by byte where its file still has the digest that was evaluated."""
        import msgspec

        if not isinstance(self._judge, PolicyJudge):
            told = {"anchore_policy": record.evaluations[0].policy_id, "digest": record.evaluations[0].policy_digest}
            return msgspec.json.encode(told).decode()
        bundle = self._judge.bundle
        try:
            raw = Path(bundle.source).read_bytes()
            if f"sha256:{hashlib.sha256(raw).hexdigest()}" == bundle.digest:
                return raw.decode()
        except (OSError, UnicodeDecodeError):
            pass
        document: Any = bundle.document
        return msgspec.json.encode(document, order="sorted").decode()
