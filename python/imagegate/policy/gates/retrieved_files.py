"""Gate `retrieved_files`: whether a file is there, and what its lines say."""

from __future__ import annotations

from collections.abc import Iterator

from imagegate.policy.gates.parameter import Parameter, Values, choice, regex, text
from imagegate.policy.gates.trigger import Hit, Scope, Trigger


def _missing(scope: Scope, values: Values) -> Iterator[Hit]:
    retrieved = scope.facts.analysis.retrieved
    if values["path"] not in retrieved:
        hit = Hit(
            "Cannot locate file in the image analysis", path=values["path"], fix=f"Add {values['path']} to the image."
        )
        # The engine says so once more when it has retrieved no file at all.
        yield from [hit, hit] if scope.engine and not retrieved else [hit]


def _content(scope: Scope, values: Values) -> Iterator[Hit]:
    path, wanted = values["path"], values["regex"]
    content = scope.facts.analysis.retrieved.get(path)
    if content is None:
        return
    said = content.decode("utf-8", "replace")
    # The engine means to match lines, but cuts the file at every blank.
    matched = any(wanted.match(part) for part in (said.split() if scope.engine else said.splitlines()))
    if matched == (values["check"] == "match"):
        yield Hit(
            f"Content regex '{wanted.pattern}' check '{values['check']}' found in retrieved file '{path}'",
            f"{scope.rule_id}+file://{path}",
            path=path,
        )


_PATH = Parameter("path", text, required=True)

TRIGGERS = (
    Trigger("retrieved_files", "content_not_available", _missing, (_PATH,)),
    Trigger(
        "retrieved_files",
        "content_regex",
        _content,
        (
            _PATH,
            Parameter("check", choice("match", "no_match"), required=True),
            Parameter("regex", regex, required=True),
        ),
    ),
)
