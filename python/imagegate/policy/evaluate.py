"""Evaluating a policy bundle on an image. Pure: facts and the time come in, the verdict goes out.

The semantics are Anchore Engine's (`policy/bundles.py`); docs/policies.md lists where this is stricter on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from imagegate.model import Action, Evaluation, Finding, Problem, Reason
from imagegate.policy.allowlist import Waivers
from imagegate.policy.facts import Facts
from imagegate.policy.gates.trigger import Hit, Scope, Trigger, trigger_id
from imagegate.policy.mapping import CannotMatch, Name, first_mapping, is_about, parse_name
from imagegate.policy.model import ImageRule, Mapping, PolicyBundle, Rule, RuleSet
from imagegate.policy.waivers import Ledger, Waiver
from imagegate.policy.words import ALL_TRIGGERS
from imagegate.settings import PolicySettings
from imagegate.vex.statement import Statement, Statements


def evaluate(
    bundle: PolicyBundle,
    facts: Facts,
    *,
    tag: str,
    settings: PolicySettings,
    now: datetime,
    waivers: Sequence[Waiver] = (),
    vex: Sequence[Statement] = (),
) -> Evaluation:
    """Return the verdict on an image under the name that it has, or would have: `registry/repository:tag`.

    Fails closed: what keeps a rule from being decided is an error problem, and with one of those the verdict is
    "undecided", whatever else was found; the findings and the final action are told all the same.
    """
    engine = settings.compat == "engine"
    scope = Scope(facts=facts, at=now, engine=engine, missing_passes=settings.missing_advisories == "go")
    scope.problems += facts.problems
    name = parse_name(tag, facts.analysis.digest, facts.image_id)
    mapping = _mapping(bundle, name, settings, scope)
    ledger = Ledger(waivers, settings.waiver_days, now)
    digest = facts.analysis.digest
    statements = Statements(vex, now)
    fired = (statements.apply(finding, tag, digest) for finding in _findings(bundle, mapping, scope))
    findings = tuple(ledger.waive(finding, tag, digest) for finding in fired)
    scope.problems += [*statements.problems(tag, digest), *ledger.problems(tag, digest)]
    action, reason, listed = _decide(bundle, name, findings, scope)
    if engine and scope.problems and not mapping:
        action = Action.STOP
    return Evaluation(
        digest=facts.analysis.digest,
        tag=tag,
        policy_id=bundle.id,
        policy_digest=bundle.digest,
        final_action=action,
        reason=reason,
        mapping=(mapping.images.name or mapping.images.id) if mapping else "",
        findings=findings,
        evaluated_at=now,
        problems=tuple(scope.problems),
        matched_image_rule=(listed.name or listed.id) if listed else "",
        platform=str(facts.analysis.platform),
    )


def _mapping(bundle: PolicyBundle, name: Name, settings: PolicySettings, scope: Scope) -> Mapping | None:
    try:
        if scope.engine:
            _stumble(bundle, name)
        mapping = first_mapping(bundle.mappings, name)
    except CannotMatch as error:
        scope.undecided("mapping", str(error))
        return None
    if mapping is None and settings.unmapped == "error":
        scope.undecided(
            "unmapped", f"no mapping of policy {bundle.name or bundle.id!r} is about {name.registry}/{name.repository}"
        )
    return mapping


def _stumble(bundle: PolicyBundle, name: Name) -> None:
    """The engine knows no digest when it evaluates a tag, and fails on the first mapping that asks for one."""
    for mapping in bundle.mappings:
        if mapping.images.kind == "digest":
            raise CannotMatch("'NoneType' object has no attribute 'digest'")
        if is_about(mapping.images, name, beginning=True):
            return


def _findings(bundle: PolicyBundle, mapping: Mapping | None, scope: Scope) -> Iterable[Finding]:
    if mapping is None:
        return
    waivers = Waivers((bundle.allowlists[id_] for id_ in mapping.allowlist_ids), beginning=scope.engine)
    for rule_set in (bundle.rule_sets[id_] for id_ in mapping.rule_set_ids):
        for rule in rule_set.rules:
            trigger = ALL_TRIGGERS[rule.gate, rule.trigger]
            scope.rule_id = rule.id
            lacking = [part for part in scope.facts.analysis.unknown if part in trigger.needs(rule.values)]
            if lacking:
                told = f"what {rule.gate}/{rule.trigger} asks ({', '.join(lacking)}) is not in an SBOM"
                scope.undecided("not_in_sbom", told)
                continue
            for hit in trigger.check(scope, rule.values):
                yield _finding(trigger, hit, rule, rule_set, waivers, scope)


def _utc(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else ""


def _finding(trigger: Trigger, hit: Hit, rule: Rule, rule_set: RuleSet, waivers: Waivers, scope: Scope) -> Finding:
    id_ = trigger_id(trigger, hit)
    waived = waivers.waive(rule.gate, id_, scope.at)
    if waived.expired and not waived.match:
        for item in waived.expired:
            note = f"allowlist item {item.id!r} for {id_} expired at {_utc(item.expires)}"
            problem = Problem("warn", "allowlist_expired", note)
            if problem not in scope.problems:
                scope.problems.append(problem)
    layer, owner = scope.facts.layer_of(hit.package, hit.path)
    return Finding(
        gate=trigger.gate,
        trigger=trigger.name,
        trigger_id=id_,
        message=hit.message,
        action=rule.action,
        policy_id=rule_set.id,
        rule_id=rule.id,
        allowlisted=waived.match,
        severity=hit.severity,
        package=hit.package,
        vulnerability=hit.vulnerability,
        path=hit.path,
        line=hit.line,
        aliases=hit.aliases,
        rule_place=rule.place,
        layer=layer,
        owner=owner,
        fix=rule.recommendation or hit.fix,
    )


def _decide(
    bundle: PolicyBundle, name: Name, findings: tuple[Finding, ...], scope: Scope
) -> tuple[Action, Reason, ImageRule | None]:
    """A denied image stops, whatever else; an allowed one goes; else the gravest finding that is not waived decides."""
    try:
        # In doubt a pattern denies, and does not allow: the one matches beginnings, the other whole names.
        for rule in bundle.denylisted_images:
            if is_about(rule, name, beginning=True):
                return Action.STOP, Reason.DENYLISTED_IMAGE, rule
        for rule in bundle.allowlisted_images:
            if is_about(rule, name, beginning=scope.engine):
                return Action.GO, Reason.ALLOWLISTED_IMAGE, rule
    except CannotMatch as error:
        scope.undecided("image_list", str(error))
    live = [finding.action for finding in findings if not finding.allowlisted]
    return max(live, key=lambda action: action.rank, default=Action.GO), Reason.POLICY, None
