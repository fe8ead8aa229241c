"""Gate `secret_scans`: files in which a pattern of `analysis.secrets` was found. What was found is nowhere kept."""

from __future__ import annotations

from collections.abc import Iterator

from imagegate.model import SearchKind
from imagegate.policy.gates.contents import found, text_of
from imagegate.policy.gates.parameter import Parameter, Values, choice, regex, text
from imagegate.policy.gates.trigger import Hit, Scope, Trigger


def _secrets(scope: Scope, values: Values) -> Iterator[Hit]:
    wanted, names = values.get("content_regex_name"), values.get("filename_regex")
    matches = [match for match in found(scope, SearchKind.SECRET, wanted) if names is None or names.match(match.path)]
    if values.get("match_type", "found") == "notfound":
        if not matches:
            yield Hit(
                "Secret content search analyzer did not find regexp match in container: "
                f"filename_regex={names.pattern if names else '*'} content_regex_name={wanted or 'all'}"
            )
        return
    for match in matches:
        yield Hit(
            "Secret content search analyzer found regexp match in container: "
            f"file={match.path} regexp={text_of(match)}",
            path=match.path,
            fix=f"Take it out of the layer that adds {match.path} (line {', '.join(map(str, match.lines[:3]))}), and "
            "revoke it: who has the image has it.",
        )


TRIGGERS = (
    Trigger(
        "secret_scans",
        "content_regex_checks",
        _secrets,
        (
            Parameter("content_regex_name", text),
            Parameter("filename_regex", regex),
            Parameter("match_type", choice("notfound", "found")),
        ),
    ),
)
