"""The server's JSON, read into our types. Both versions of the API; everything else never sees these keys.

(Anchore Engine, OpenAPI 0.1.20; Anchore Enterprise, OpenAPI 2.13.0; where recordings of an Engine 1.1.0 differ from its
document, the recordings hold.) What is not as expected is an AnchoreError, never a pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from imagegate.anchore.server import (
    CHECK_COLUMNS,
    ArchivedImage,
    ImageState,
    ServerAncestor,
    ServerCheck,
    ServerEvent,
    ServerFeed,
    ServerImage,
    ServerPolicy,
    ServerRegistry,
    ServerSubscription,
)
from imagegate.errors import AnchoreError
from imagegate.model import (
    Action,
    AllowlistMatch,
    Digest,
    Finding,
    Owner,
    Package,
    PackageType,
    Problem,
    Reason,
    Severity,
    Vulnerability,
)

_REASONS = {
    "policy_evaluation": Reason.POLICY,
    "whitelisted": Reason.ALLOWLISTED_IMAGE,
    "allowlisted": Reason.ALLOWLISTED_IMAGE,
    "blacklisted": Reason.DENYLISTED_IMAGE,
    "denylisted": Reason.DENYLISTED_IMAGE,
}
_STATUS = {"pass": (Action.GO, Action.WARN), "fail": (Action.STOP,)}
_SEVERITY = re.compile(r"(UNKNOWN|NEGLIGIBLE|LOW|MEDIUM|HIGH|CRITICAL) Vulnerability found in ")
_VULNERABILITY = re.compile(r"[A-Z][A-Z0-9]*[-:][^+\s]+")


def image(document: Any) -> ServerImage:
    """Read an image; v1 gives a list of one."""
    about = _mapping(document[0] if isinstance(document, list) and len(document) == 1 else document, "an image")
    state = str(about.get("analysis_status"))
    if state not in list(ImageState):
        raise AnchoreError(f"the server says an analysis status that is not known: {state!r}")
    details = [each for each in about.get("image_detail") or () if isinstance(each, dict)]
    told = about.get("analysis_status_detail") or about.get("detail") or ""
    return ServerImage(
        digest=Digest(_text(about, "imageDigest", "image_digest")),
        state=ImageState(state),
        tags=tuple(filter(None, (_text(each, "fulltag", "full_tag", required=False) for each in details))),
        image_id=next((_text(each, "imageId", "image_id", required=False) for each in details), ""),
        detail=told if isinstance(told, str) else "; ".join(map(_said, told)),
        dockerfile=any(each.get("dockerfile") for each in details),
        annotations={str(name): str(value) for name, value in (about.get("annotations") or {}).items()},
        tagged_at={
            _text(each, "fulltag", "full_tag"): at
            for each in details
            if (at := _time(each.get("tag_detected_at"))) and _text(each, "fulltag", "full_tag", required=False)
        },
    )


def policy(document: Any) -> ServerPolicy:
    """Read a policy's record; v1 gives a list of one for a policy by its id."""
    about = _mapping(document[0] if isinstance(document, list) and len(document) == 1 else document, "a policy")
    found = about.get("policybundle") or about.get("policy") or {}
    return ServerPolicy(
        id=_text(about, "policyId", "policy_id"),
        name=_text(about, "name", required=False),
        active=bool(about.get("active")),
        document=dict(_mapping(found, "a policy document")),
        record=dict(about),
    )


def feeds(document: Any) -> Iterator[ServerFeed]:
    """Read a feed, group by group."""
    about = _mapping(document, "a feed")
    for each in about.get("groups") or ():
        group = _mapping(each, "a feed's group")
        yield ServerFeed(
            feed=_text(about, "name"),
            group=_text(group, "name"),
            records=int(group.get("record_count") or 0),
            synced_at=_time(
                group.get("data_service_built_at") or group.get("last_sync") or about.get("last_full_sync")
            ),
        )


def registry(document: Any) -> ServerRegistry:
    """Read a registry's record."""
    about = _mapping(document, "a registry")
    user = _text(about, "registry_user", required=False)
    return ServerRegistry(_text(about, "registry"), user, bool(about.get("registry_verify", True)))


def subscription(document: Any) -> ServerSubscription:
    """Read a subscription."""
    about = _mapping(document, "a subscription")
    return ServerSubscription(
        id=_text(about, "subscription_id"),
        key=_text(about, "subscription_key"),
        kind=_text(about, "subscription_type"),
        active=bool(about.get("active")),
        changed_at=_time(about.get("last_updated")),
    )


def event(document: Any) -> ServerEvent:
    """Read an event's record. What it is about may be unnamed."""
    about = _mapping(_mapping(document, "an event").get("event") or {}, "an event")
    resource, details = about.get("resource") or {}, about.get("details") or {}
    return ServerEvent(
        at=_time(about.get("timestamp")),
        level=_text(about, "level", required=False),
        kind=_text(about, "type", required=False),
        message=_text(about, "message", required=False),
        resource=str(resource.get("id") or "") if isinstance(resource, dict) else "",
        digest=_text(details, "imageDigest", "image_digest", required=False) if isinstance(details, dict) else "",
    )


def archived(document: Any) -> ArchivedImage:
    """Read an analysis in the archive."""
    about = _mapping(document, "an archived analysis")
    details = [each for each in about.get("image_detail") or () if isinstance(each, dict)]
    tags = (_text(each, "pullstring", "pull_string", required=False) for each in details)
    digest = Digest(_text(about, "imageDigest", "image_digest"))
    return ArchivedImage(digest, _text(about, "status", required=False), tuple(filter(None, tags)))


def ancestors(documents: Iterable[Any]) -> tuple[ServerAncestor, ...]:
    """Read an image's ancestors. A server before 5.7 does not say which it chose: it is the last, the nearest one."""
    listed = [_mapping(each, "an ancestor") for each in documents]
    told = any("chosen_base_image" in each for each in listed)
    return tuple(
        ServerAncestor(
            Digest(_text(each, "image_digest")),
            tuple(map(str, each.get("tags") or ())),
            len(each.get("layers") or ()),
            bool(each.get("chosen_base_image")) if told else each is listed[-1],
        )
        for each in listed
    )


def vulnerability(document: Any) -> Vulnerability:
    """Read a vulnerability of an image. "None" is the servers' word for no fix."""
    about = _mapping(document, "a vulnerability")
    kind = str(about.get("package_type") or "").lower()
    fix, path = str(about.get("fix") or ""), str(about.get("package_path") or "")
    severity = str(about.get("severity") or "").capitalize()
    return Vulnerability(
        id=_text(about, "vuln"),
        package=Package(
            name=_text(about, "package_name", "package"),
            version=_text(about, "package_version", required=False),
            type=next((each for each in PackageType if each.value.lower() == kind), PackageType.OTHER),
            purl=str(about.get("purl") or ""),
            path="" if path in ("pkgdb", "None") else path,
        ),
        severity=Severity(severity) if severity in list(Severity) else Severity.UNKNOWN,
        fix="" if fix == "None" else fix,
        url=str(about.get("url") or ""),
        will_not_fix=bool(about.get("will_not_fix")),
        feed=str(about.get("feed_group") or ""),
        exploited=bool(about.get("is_kev")),
        inherited=bool(about.get("inherited_from_base")),
    )


def check_v1(document: Any, digest: Digest, tag: str) -> ServerCheck:
    """Read the answer to `GET /v1/images/{digest}/check` with details."""
    try:
        (by_digest,) = document
        (by_tag,) = by_digest[digest].values()
        (about,) = by_tag
        result = about["detail"]["result"]
        table = result["result"][result["image_id"]]["result"]
        header = table["header"]
        found = tuple(_row(dict(zip(header, row, strict=True))) for row in table["rows"])
    except (TypeError, KeyError, ValueError, IndexError, AttributeError) as error:
        raise AnchoreError(
            f"the server's evaluation of {tag} cannot be read", why=f"{type(error).__name__}: {error}"
        ) from error
    listed = result.get("matched_blacklisted_images_rule") or result.get("matched_whitelisted_images_rule")
    mapped = result.get("matched_mapping_rule")
    return _checked(
        status=about.get("status"),
        action=result.get("final_action"),
        reason=result.get("final_action_reason"),
        about=tag,
        policy_id=str(about.get("policyId") or ""),
        mapping=mapped,
        findings=found,
        problems=result.get("evaluation_problems"),
        document=about["detail"].get("policy"),
        listed=listed,
        at=about.get("last_evaluation"),
    )


def check_v2(document: Any, digest: Digest, tag: str) -> ServerCheck:
    """Read the answer to `GET /v2/images/{digest}/check` with details."""
    whole = _mapping(document, f"the evaluation of {tag}")
    # Of what a server does not keep it may name no digest.
    if whole.get("image_digest") and whole["image_digest"] != digest:
        raise AnchoreError(f"the server evaluated {whole.get('image_digest')} in place of {digest}")
    evaluations = whole.get("evaluations")
    if not isinstance(evaluations, list) or not evaluations:
        raise AnchoreError(f"the server has no evaluation of {tag}", why="its list of evaluations is empty")
    about = _mapping(evaluations[0], f"the evaluation of {tag}")
    details = _mapping(about.get("details") or {}, f"the evaluation of {tag}")
    if "findings" not in details:
        raise AnchoreError(f"the server's evaluation of {tag} has no details")
    listed = about.get("matched_denylisted_images_rule") or about.get("matched_allowlisted_images_rule")
    return _checked(
        status=about.get("status"),
        action=about.get("final_action"),
        reason=about.get("final_action_reason"),
        about=tag,
        policy_id=str(whole.get("policy_id") or ""),
        mapping=about.get("matched_mapping_rule") if about.get("image_mapped_to_rule", True) else None,
        findings=tuple(_finding(_mapping(each, "a finding")) for each in details["findings"] or ()),
        problems=about.get("evaluation_problems"),
        document=details.get("policy"),
        listed=listed,
        at=about.get("evaluation_time"),
    )


def _checked(
    *,
    status: Any,
    action: Any,
    reason: Any,
    about: str,
    policy_id: str,
    mapping: Any,
    findings: tuple[Finding, ...],
    problems: Any,
    document: Any,
    listed: Any,
    at: Any,
) -> ServerCheck:
    """Put a verdict together, and refuse one that contradicts itself."""
    final = _action(action)
    if status not in _STATUS or final not in _STATUS[status]:
        raise AnchoreError(
            f"the server's verdict on {about} is none", why=f"status {status!r}, final action {action!r}"
        )
    if reason not in _REASONS:
        raise AnchoreError(f"the server's verdict on {about} has a reason that is not known", why=f"{reason!r}")
    worst = max(
        (each.action for each in findings if not each.allowlisted), key=lambda each: each.rank, default=Action.GO
    )
    if _REASONS[reason] is Reason.POLICY and worst is Action.STOP and final is not Action.STOP:
        raise AnchoreError(f"the server passes {about} with a finding that stops it")
    return ServerCheck(
        policy_id=policy_id,
        final_action=final,
        reason=_REASONS[reason],
        mapping=str(mapping.get("name") or mapping.get("id") or "") if isinstance(mapping, dict) else "",
        findings=findings,
        problems=tuple(_problems(problems)),
        mapped=isinstance(mapping, dict),
        document=document if isinstance(document, dict) and document else None,
        image_rule=str(listed.get("name") or listed.get("id") or "") if isinstance(listed, dict) else "",
        evaluated_at=_time(at),
    )


def _row(row: Mapping[str, Any]) -> Finding:
    missing = [name for name in CHECK_COLUMNS if name not in row]
    if missing:
        raise KeyError(missing[0])
    waived = row["Whitelisted"]
    match = (
        AllowlistMatch(
            str(waived.get("whitelist_id") or ""),
            str(waived.get("whitelist_name") or ""),
            str(waived.get("matched_rule_id") or ""),
        )
        if isinstance(waived, dict)
        else None
    )
    return _told(
        row["Gate"],
        row["Trigger"],
        row["Trigger_Id"],
        row["Check_Output"],
        row["Gate_Action"],
        row["Policy_Id"],
        "",
        match,
        owner=None,
    )


def _finding(about: Mapping[str, Any]) -> Finding:
    waived = about.get("allowlist_match") if about.get("allowlisted") else None
    match = None
    if about.get("allowlisted"):
        match = AllowlistMatch(*(str((waived or {}).get(name) or "") for name in ("id", "name", "matched_rule_id")))
    names = ("gate", "trigger", "trigger_id", "message", "action", "policy_id", "rule_id")
    gate, trigger, trigger_id, message, action, policy_id, rule_id = (about.get(name) for name in names)
    # Said of every finding, and false when nothing was compared: only true tells whose it is.
    owner = Owner.BASE if about.get("inherited_from_base") else None
    return _told(gate, trigger, trigger_id, message, action, policy_id, rule_id, match, owner=owner)


def _told(
    gate: Any,
    trigger: Any,
    trigger_id: Any,
    message: Any,
    action: Any,
    policy_id: Any,
    rule_id: Any,
    match: AllowlistMatch | None,
    *,
    owner: Owner | None,
) -> Finding:
    severity, vulnerability = None, ""
    if gate == "vulnerabilities":
        told = _SEVERITY.match(str(message))
        severity = Severity(told[1].capitalize()) if told else None
        name = str(trigger_id).partition("+")[0]
        vulnerability = name if "+" in str(trigger_id) and _VULNERABILITY.fullmatch(name) else ""
    return Finding(
        gate=str(gate),
        trigger=str(trigger),
        trigger_id=str(trigger_id),
        message=str(message),
        action=_action(action),
        policy_id=str(policy_id or ""),
        rule_id=str(rule_id or ""),
        allowlisted=match,
        severity=severity,
        vulnerability=vulnerability,
        owner=owner,
    )


def _problems(problems: Any) -> Iterator[Problem]:
    for each in problems or ():
        about = _mapping(each, "an evaluation problem")
        severity = "warn" if about.get("severity") == "warn" else "error"
        yield Problem(severity, str(about.get("problem_type") or "server"), str(about.get("details") or ""))


def _action(text: Any) -> Action:
    try:
        return Action(str(text).lower())
    except ValueError:
        raise AnchoreError(f"the server says an action that is not known: {text!r}") from None


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise AnchoreError(f"the server answered with what is not {what}", why=repr(value)[:200])
    return value


def _text(about: Mapping[str, Any], *names: str, required: bool = True) -> str:
    found = next((about[name] for name in names if isinstance(about.get(name), str)), "")
    if required and not found:
        raise AnchoreError(f"the server's answer lacks {names[-1]!r}")
    return found


def _said(detail: Any) -> str:
    return str(detail.get("message") or detail) if isinstance(detail, dict) else str(detail)


def _time(told: Any) -> datetime | None:
    """Read a moment: RFC 3339, or seconds since the epoch, as Engine says it of subscriptions. Without a zone, UTC."""
    try:
        if isinstance(told, int | float):
            return datetime.fromtimestamp(told, UTC) if told else None
        found = datetime.fromisoformat(str(told).replace("Z", "+00:00")) if told else None
    except (ValueError, OverflowError, OSError):
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found
