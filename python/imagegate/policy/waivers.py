"""Waivers as code: who lets which finding through, why, and until when. Pure; `docs/policies.md` has the form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from imagegate.errors import PolicyError
from imagegate.model import AllowlistMatch, Digest, Finding, Problem
from imagegate.policy.gates.parameter import nearest
from imagegate.yamlfile import Located

_SOON = timedelta(days=14)
_REQUIRED = ("id", "owner", "reason", "created", "expires")
_SCOPE = ("cve", "rule", "purl", "path", "image")
_KNOWN = (*_REQUIRED, "ticket", *_SCOPE)
LIST_ID = "waivers"


class Waiver(msgspec.Struct, frozen=True):
    """Lets findings through that are all of what it says. expires: the last day on which it holds (UTC).

    cve: an id of the vulnerability, aliases count; rule: glob of `gate/trigger`; purl: glob, with or without a version;
    path: glob; image: glob of `registry/repo:tag`, or a digest. place: `file:line`.
    """

    id: str
    owner: str
    reason: str
    created: date
    expires: date
    ticket: str = ""
    cve: str = ""
    rule: str = ""
    purl: str = ""
    path: str = ""
    image: str = ""
    place: str = ""

    def is_about(self, finding: Finding, tag: str, digest: Digest) -> bool:
        """Say whether the finding, of the image of this name and digest, is in the waiver's scope."""
        if self.cve and self.cve not in (finding.vulnerability, *finding.aliases):
            return False
        if self.rule and not _matches(self.rule, f"{finding.gate}/{finding.trigger}", finding.gate):
            return False
        if self.purl and not (finding.package and _matches(self.purl, *_purls(finding.package.purl))):
            return False
        if self.path and not (finding.path and _matches(self.path, finding.path)):
            return False
        return not self.image or _matches(self.image, tag, tag.rpartition(":")[0], digest)


class Ledger:
    """The waivers of one evaluation, and what became of each."""

    def __init__(self, waivers: Sequence[Waiver], days: Mapping[str, int], now: datetime) -> None:
        """days: longest life by severity in lower case, `other` for findings without one; 0 or absent: any."""
        self._waivers, self._days, self._today = waivers, days, now.date()
        self._used: dict[str, Waiver] = {}
        self._notes: dict[tuple[str, str], str] = {}

    def waive(self, finding: Finding, tag: str, digest: Digest) -> Finding:
        """Return the finding, let through when a waiver holds for it."""
        if finding.allowlisted:
            return finding
        for waiver in self._waivers:
            if not waiver.is_about(finding, tag, digest):
                continue
            self._used[waiver.id] = waiver
            if waiver.expires < self._today:
                self._note("waiver_expired", waiver, f"expired on {waiver.expires}: {finding.trigger_id} counts again")
            elif (longest := self._longest(finding)) and waiver.expires - waiver.created > timedelta(days=longest):
                what = f"lives longer than the {longest} days that {finding.trigger_id} may be waived for"
                self._note("waiver_too_long", waiver, what)
            else:
                if waiver.expires - self._today <= _SOON:
                    self._note("waiver_expires", waiver, f"expires on {waiver.expires}")
                match = AllowlistMatch(LIST_ID, f"{waiver.owner}: {waiver.reason}, until {waiver.expires}", waiver.id)
                return msgspec.structs.replace(finding, allowlisted=match)
        return finding

    def problems(self, tag: str, digest: Digest) -> Iterator[Problem]:
        """Yield what to tell of the waivers, once all findings were looked at; none keeps anything from a verdict."""
        for (kind, _), what in self._notes.items():
            yield Problem("warn", kind, what)
        for waiver in self._waivers:
            ours = not waiver.image or _matches(waiver.image, tag, tag.rpartition(":")[0], digest)
            if ours and waiver.id not in self._used:
                yield Problem("warn", "waiver_unused", f"waiver {waiver.id!r} ({waiver.place}) lets nothing through")

    def _longest(self, finding: Finding) -> int:
        return self._days.get(finding.severity.value.lower() if finding.severity else "other", 0)

    def _note(self, kind: str, waiver: Waiver, what: str) -> None:
        self._notes.setdefault((kind, waiver.id), f"waiver {waiver.id!r} of {waiver.owner} {what}")


def read_waivers(documents: Iterable[Located]) -> tuple[Waiver, ...]:
    """Return the waivers of files, each a list, or a mapping with the list under `waivers`.

    Raises PolicyError with every mistake, a line each.
    """
    mistakes: list[str] = []
    found: dict[str, Waiver] = {}
    for document in documents:
        entries = document.value.get("waivers") if isinstance(document.value, dict) else document
        if entries is None or not isinstance(entries.value, list):
            mistakes.append(f"{document.place}: it is no list of waivers")
            continue
        for entry in entries.value:
            waiver = _waiver(entry, mistakes)
            if waiver and waiver.id in found:
                mistakes.append(f"{waiver.place}: the id {waiver.id!r} stands at {found[waiver.id].place} too")
            elif waiver:
                found[waiver.id] = waiver
    if mistakes:
        raise PolicyError("the waivers have mistakes:\n  " + "\n  ".join(mistakes))
    return tuple(found.values())


def whitelist(waivers: Iterable[Waiver]) -> tuple[dict[str, Any], list[str]]:
    """Return the waivers as a whitelist of a policy document `1_0`, and what it cannot say of them.

    A whitelist names gates and trigger ids. It knows no path, no image and no trigger, so a waiver for one of those is
    left out.
    """
    items, left_out = [], []
    for waiver in waivers:
        gate, _, trigger = waiver.rule.partition("/")
        gate = gate or "vulnerabilities"
        narrow = not waiver.cve and (waiver.purl or trigger not in ("", "*"))
        if waiver.path or waiver.image or "*" in gate or narrow:
            left_out.append(f"{waiver.place}: a whitelist cannot say what waiver {waiver.id!r} is about")
            continue
        name = waiver.purl.rpartition("/")[2].partition("@")[0]
        trigger_id = f"{waiver.cve}+{name}*" if waiver.cve else "*"
        items.append(
            {"id": waiver.id, "gate": gate, "trigger_id": trigger_id, "expires_on": f"{waiver.expires}T23:59:59Z"}
        )
    return {"id": LIST_ID, "version": "1_0", "name": LIST_ID, "items": items}, left_out


def _waiver(entry: Located, mistakes: list[str]) -> Waiver | None:
    if not isinstance(entry.value, dict):
        mistakes.append(f"{entry.place}: a waiver is a mapping of {', '.join(_REQUIRED)} and what it is about")
        return None
    before = len(mistakes)
    values: dict[str, Any] = {}
    for key, node in entry.value.items():
        if key not in _KNOWN:
            mistakes.append(f"{node.place}: {key!r} is no key of a waiver{nearest(key, list(_KNOWN))}")
        elif key in ("created", "expires"):
            values[key] = _day(key, node, mistakes)
        elif not isinstance(node.value, str) or not node.value.strip():
            mistakes.append(f"{node.place}: {key} must be text")
        else:
            values[key] = node.value.strip()
    missing = [key for key in _REQUIRED if key not in entry.value]
    if missing:
        mistakes.append(f"{entry.place}: the waiver lacks {', '.join(missing)}")
    if not {"cve", "rule"} & entry.value.keys():
        mistakes.append(f"{entry.place}: give `cve` or `rule`, so that it does not let everything through")
    if len(mistakes) > before:
        return None
    if values["expires"] < values["created"]:
        mistakes.append(f"{entry.place}: it expires before it was created")
        return None
    return Waiver(place=entry.place, **values)


def _day(key: str, node: Located, mistakes: list[str]) -> date | None:
    if isinstance(node.value, date) and not isinstance(node.value, datetime):
        return node.value
    try:
        return date.fromisoformat(node.value)
    except (ValueError, TypeError):
        mistakes.append(f"{node.place}: {key}: {node.value!r} is no day; write it like 2026-12-31")
        return None


def _matches(pattern: str, *texts: str) -> bool:
    return any(fnmatchcase(text, pattern) for text in texts)


def _purls(purl: str) -> tuple[str, str, str]:
    """Return a purl whole, without its qualifiers, and without its version too."""
    bare = purl.partition("?")[0]
    return purl, bare, bare.rpartition("@")[0] or bare
