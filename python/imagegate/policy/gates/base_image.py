"""Gate `base_image`: what the image was built on. It is imagegate's own; a real Anchore server does not have it.

Every trigger fires when the base is not known at all: an image that does not say what it is built on proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagegate.model import BaseProof, BaseStatus
from imagegate.policy.gates.parameter import Parameter, Values, strings
from imagegate.policy.gates.trigger import Hit, Scope, Trigger

_UNKNOWN = "The image does not say which base image it was built on"
_BUILD = "Build it with `imagegate build`, FROM an image of the trusted registry."


def _proof(scope: Scope) -> BaseProof | None:
    if scope.facts.base is None:
        scope.undecided(
            "base_unknown", "the base image was not looked at, so rules of the gate base_image cannot decide"
        )
    return scope.facts.base


def _not_signed(scope: Scope, _: Values) -> Iterator[Hit]:
    proof = _proof(scope)
    if proof is None or proof.status is BaseStatus.PROVED:
        return
    if not proof.reference:
        yield Hit(_UNKNOWN, instance="not_signed+unknown", fix=_BUILD)
        return
    why = f": {proof.detail}" if proof.detail else ""
    yield Hit(
        f"The base image {proof.reference} is not proved to be signed in the trusted registry{why}",
        instance=f"not_signed+{proof.reference}",
        fix="Build on a signed base of the trusted registry, or have this one promoted there.",
    )


def _not_trusted_registry(scope: Scope, _: Values) -> Iterator[Hit]:
    proof = _proof(scope)
    if proof is None:
        return
    if not proof.reference:
        yield Hit(_UNKNOWN, instance="not_trusted_registry+unknown", fix=_BUILD)
    elif proof.status in (BaseStatus.NONE, BaseStatus.UNTRUSTED_REGISTRY):
        yield Hit(
            f"The base image {proof.reference} is not in the trusted registry",
            instance=f"not_trusted_registry+{proof.reference}",
            fix="Name the base by its copy in the trusted registry in FROM.",
        )


def _repository(reference: str) -> str:
    """Return `registry/repo` of a reference: its tag and digest cut off."""
    name = reference.partition("@")[0]
    head, colon, tag = name.rpartition(":")
    return head if colon and "/" not in tag else name


def _not_allowed(scope: Scope, values: Values) -> Iterator[Hit]:
    proof = _proof(scope)
    if proof is None:
        return
    if not proof.reference:
        yield Hit(_UNKNOWN, instance="not_allowed+unknown", fix=_BUILD)
        return
    repository = _repository(proof.reference)
    if not any(pattern.fullmatch(repository) for pattern in values["allowed"]):
        allowed = ", ".join(pattern.pattern for pattern in values["allowed"])
        yield Hit(
            f"The base image {repository} is not an allowed one",
            instance=f"not_allowed+{repository}",
            fix=f"Build on a base that matches {allowed}.",
        )


def _regexes(value: str) -> tuple[re.Pattern[str], ...]:
    try:
        return tuple(re.compile(entry) for entry in strings(value))
    except re.error as error:
        raise ValueError(f"{value!r} holds what is no regular expression: {error}") from error


TRIGGERS = (
    Trigger("base_image", "not_signed", _not_signed, beyond=True),
    Trigger("base_image", "not_trusted_registry", _not_trusted_registry, beyond=True),
    Trigger("base_image", "not_allowed", _not_allowed, (Parameter("allowed", _regexes, required=True),), beyond=True),
)
