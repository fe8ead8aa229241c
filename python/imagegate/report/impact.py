"""What a promoted image's VEX says: of each vulnerability in it, how far it affects the image. Pure.

A vulnerability on which a rule acts affects the image. One that a waiver or an allowlist lets through affects it too:
somebody took the risk, which is not the same as there being none. Where a VEX document let a finding through, its
statement is passed on as it was. All else that the advisories say was found, and decided by nobody.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from imagegate.model import Action, Evaluation, Finding, Package, VexMatch
from imagegate.report.context import Context
from imagegate.vex.statement import Status


class Impact(msgspec.Struct, frozen=True):
    """How a vulnerability affects an image by some of its packages.

    action: what to do, of one that affects it; stated: by somebody else, whose statement it is.
    """

    vulnerability: str
    aliases: tuple[str, ...]
    status: Status
    packages: tuple[Package, ...]
    action: str = ""
    waived: bool = False
    stated: VexMatch | None = None


def impacts(evaluation: Evaluation, context: Context) -> list[Impact]:
    """Return what there is to say of an image, in the order of the vulnerabilities' ids."""
    by_place: dict[tuple[str, Package], list[Finding]] = {}
    aliases: dict[str, tuple[str, ...]] = {}
    for found in context.vulnerabilities.get(evaluation.digest, ()):
        by_place.setdefault((found.id, found.package), [])
        aliases.setdefault(found.id, found.aliases)
    for finding in evaluation.findings:
        if finding.vulnerability and finding.package:
            by_place.setdefault((finding.vulnerability, finding.package), []).append(finding)
            aliases.setdefault(finding.vulnerability, finding.aliases)
    together: dict[Impact, list[Package]] = {}
    for (name, package), findings in by_place.items():
        together.setdefault(_impact(name, aliases[name], findings), []).append(package)
    told = [msgspec.structs.replace(impact, packages=tuple(packages)) for impact, packages in together.items()]
    return sorted(told, key=lambda each: (each.vulnerability, each.status, each.action))


def _impact(name: str, aliases: tuple[str, ...], findings: Sequence[Finding]) -> Impact:
    live = [each for each in findings if not each.allowlisted and each.action is not Action.GO]
    if live:
        worst = max(live, key=lambda each: each.action.rank)
        return Impact(name, aliases, Status.AFFECTED, (), worst.fix or "Update or remove the package.")
    stated = next((each.vex for each in findings if each.vex), None)
    if stated:
        return Impact(name, aliases, Status(stated.status), (), stated=stated)
    waived = next((each.allowlisted for each in findings if each.allowlisted), None)
    if waived:
        why = f"Accepted by {waived.allowlist_name or waived.allowlist_id}, item {waived.item_id}."
        return Impact(name, aliases, Status.AFFECTED, (), why, waived=True)
    return Impact(name, aliases, Status.UNDER_INVESTIGATION, ())
