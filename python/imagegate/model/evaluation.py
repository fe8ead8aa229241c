"""What a policy says of an image, and how far its base is proved."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from imagegate.model.analysis import Package
from imagegate.model.reference import Digest
from imagegate.model.vulnerability import Severity


class BaseStatus(StrEnum):
    """How far the claim "built on this base" could be proved."""

    NONE = "none"
    UNTRUSTED_REGISTRY = "untrusted_registry"
    UNSIGNED = "unsigned"
    WRONG_LAYERS = "wrong_layers"
    PROVED = "proved"


class BaseProof(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known about the base that an image says it was built on.

    reference: `registry/repo:tag` as claimed; role: the Notary role that signed it; detail: why it is not proved.
    layers: how many of the image's layers are a proved base's.
    """

    status: BaseStatus
    reference: str = ""
    digest: Digest | None = None
    role: str = ""
    detail: str = ""
    layers: int = 0


class Action(StrEnum):
    """What a rule does when its trigger fires, mildest first."""

    GO = "go"
    WARN = "warn"
    STOP = "stop"

    @property
    def rank(self) -> int:
        return _ACTION_ORDER.index(self)


_ACTION_ORDER = tuple(Action)


class AllowlistMatch(msgspec.Struct, frozen=True):
    """The allowlist entry that lets a finding through."""

    allowlist_id: str
    allowlist_name: str
    item_id: str


class VexMatch(msgspec.Struct, frozen=True, omit_defaults=True):
    """The statement of a VEX document that lets a finding through.

    status: `not_affected` or `fixed`; justification: OpenVEX's word for why; detail: the author's own words.
    document: its id; place: `file: statement`.
    """

    status: str
    author: str
    document: str
    place: str
    at: datetime
    justification: str = ""
    detail: str = ""


class Owner(StrEnum):
    """Whose a finding is: the proved base's, or the image's own."""

    BASE = "base"
    IMAGE = "image"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """A trigger that fired. trigger_id and message are what users' allowlists and Anchore's reports name.

    line: of the Dockerfile; fix: the smallest change that clears the finding, in words a developer can follow.
    aliases: other ids of the vulnerability. rule_place: of the rule, in the policy document. layer: digest of the layer
    that brought the package or file; owner: whose it is, empty when that is not known. vex: the statement that
    let it through, where `allowlisted` is due to one.
    """

    gate: str
    trigger: str
    trigger_id: str
    message: str
    action: Action
    policy_id: str
    rule_id: str
    allowlisted: AllowlistMatch | None = None
    severity: Severity | None = None
    package: Package | None = None
    vulnerability: str = ""
    path: str = ""
    line: int = 0
    fix: str = ""
    aliases: tuple[str, ...] = ()
    rule_place: str = ""
    layer: Digest | None = None
    owner: Owner | None = None
    vex: VexMatch | None = None


class Reason(StrEnum):
    """What decided the final action."""

    POLICY = "policy_evaluation"
    ALLOWLISTED_IMAGE = "whitelisted"
    DENYLISTED_IMAGE = "blacklisted"


class Problem(msgspec.Struct, frozen=True):
    """Something that kept a rule from being evaluated; one of severity `error` means "could not decide"."""

    severity: str
    type: str
    details: str


class Verdict(StrEnum):
    """The gate's answer. Undecided is neither a pass nor a stop: something kept a rule from being evaluated."""

    PASS = "pass"  # noqa: S105 - a verdict
    STOP = "stop"
    UNDECIDED = "undecided"


class Evaluation(msgspec.Struct, frozen=True, tag_field="schema", tag="imagegate/evaluation/1"):
    """The verdict on one image under one policy bundle. findings: every trigger that fired, allowlisted ones too."""

    digest: Digest
    tag: str
    policy_id: str
    policy_digest: str
    final_action: Action
    reason: Reason
    mapping: str
    findings: tuple[Finding, ...]
    evaluated_at: datetime
    problems: tuple[Problem, ...] = ()
    matched_image_rule: str = ""
    platform: str = ""

    @property
    def verdict(self) -> Verdict:
        """Go and warn pass, stop does not (Anchore Engine, PolicyEvaluation); an error problem leaves it undecided."""
        if any(problem.severity == "error" for problem in self.problems):
            return Verdict.UNDECIDED
        return Verdict.STOP if self.final_action is Action.STOP else Verdict.PASS


def joint_verdict(evaluations: Sequence[Evaluation]) -> Verdict:
    """Return the verdict on several evaluations together: all must be decided and pass; none at all is undecided."""
    verdicts = {evaluation.verdict for evaluation in evaluations} or {Verdict.UNDECIDED}
    return next(verdict for verdict in (Verdict.UNDECIDED, Verdict.STOP, Verdict.PASS) if verdict in verdicts)
