"""What `files/content_regex_match` and `secret_scans` share: the files in which a pattern was found."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from imagegate.model import ContentMatch, SearchKind
from imagegate.policy.gates.trigger import Scope


def found(scope: Scope, kind: SearchKind, wanted: str | None) -> Iterator[ContentMatch]:
    """Yield the matches of a kind whose pattern is the wanted one; all of them when none is wanted.

    The engine looks through links, so that a file counts once more for each link to it, and where a line begins only.
    """
    for match in scope.facts.analysis.matches:
        if match.kind is not kind or (scope.engine and not match.anchored) or not _is(match, wanted, scope.engine):
            continue
        yield match
        if scope.engine:
            for link in scope.facts.links_to(match.path):
                yield msgspec.structs.replace(match, path=link)


def text_of(match: ContentMatch) -> str:
    """Return the pattern as analyzers are configured with it."""
    return f"{match.name}={match.regex}"


def _is(match: ContentMatch, wanted: str | None, engine: bool) -> bool:
    if not wanted:
        return True
    if engine and match.kind is SearchKind.SECRET:
        # The engine asks whether name or pattern is a part of the parameter, not whether it is the parameter.
        return match.name in wanted or match.regex in wanted
    return wanted in (match.name, match.regex, text_of(match))
