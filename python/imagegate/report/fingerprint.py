"""What makes a finding of the next build the same finding: nothing that a rebuild changes."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from imagegate.model import Evaluation, Finding


def fingerprints(evaluations: Sequence[Evaluation]) -> list[list[str]]:
    """Return the fingerprints of each evaluation's findings, in their order; no two of them all are alike.

    Tags, digests, layers, lines and versions of packages have no part in them. Findings that differ in nothing else are
    numbered, so that one of them that goes away is one finding less.
    """
    seen: Counter[str] = Counter()
    return [[_numbered(_parts(each, finding), seen) for finding in each.findings] for each in evaluations]


def fingerprint(parts: Iterable[str]) -> str:
    """Return the digest of texts, as 64 hexadecimal digits."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def repository(tag: str) -> str:
    """Return the name of an image, without tag and digest: what stays the same from build to build."""
    directory, slash, last = tag.partition("@")[0].rpartition("/")
    return directory + slash + (last.rpartition(":")[0] or last)


def lasting_name(evaluation: Evaluation) -> str:
    """Return the name of an image for what is compared with the build before: repository and platform."""
    platform = f" ({evaluation.platform})" if evaluation.platform else ""
    return repository(evaluation.tag) + platform


def _parts(evaluation: Evaluation, finding: Finding) -> tuple[str, ...]:
    package = (finding.package.type.value, finding.package.name, finding.package.path) if finding.package else ()
    return (
        repository(evaluation.tag),
        evaluation.platform,
        finding.gate,
        finding.trigger,
        finding.trigger_id,
        finding.rule_id,
        finding.vulnerability,
        finding.path,
        *package,
    )


def _numbered(parts: tuple[str, ...], seen: Counter[str]) -> str:
    first = fingerprint(parts)
    seen[first] += 1
    return first if seen[first] == 1 else fingerprint((*parts, str(seen[first])))
