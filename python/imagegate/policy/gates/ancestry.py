"""Gate `ancestry` of Anchore Enterprise: the images that an image was built on.

(docs.anchore.com, policy gates, "ancestry".) The server compares the layers of images that it knows. Here an image
names its base, as `imagegate build` has it do, and the layers and the signature prove that; the base's own base goes on
the chain in the same way. What is claimed and not proved allows nothing, but is denied like what is proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from imagegate.errors import InvalidReference
from imagegate.image.reference import parse
from imagegate.model import BaseProof, BaseStatus, Digest, RegistryRef, parse_digest
from imagegate.policy.gates.parameter import Parameter, Values, strings
from imagegate.policy.gates.trigger import Hit, Scope, Trigger

Read = Callable[[str], Any]

_BUILD = "Build it with `imagegate build`, FROM an approved image of the trusted registry."


def _ancestors(scope: Scope) -> tuple[BaseProof, ...] | None:
    if scope.facts.ancestors is None:
        scope.undecided(
            "ancestry_unknown", "the base images were not looked at, so rules of the gate ancestry cannot decide"
        )
    return scope.facts.ancestors


def _digests(value: str) -> frozenset[Digest]:
    try:
        return frozenset(parse_digest(entry.lower()) for entry in strings(value))
    except InvalidReference as error:
        raise ValueError(str(error)) from error


def _tags(value: str) -> frozenset[str]:
    names = set()
    for entry in strings(value):
        name = _name(entry)
        if not name:
            raise ValueError(f"{entry!r} is no image with a tag, such as registry.example.com/base/python:3.11")
        names.add(name)
    return frozenset(names)


def _name(reference: str) -> str:
    """Return `registry/repo:tag` of a reference, empty when it has no tag."""
    try:
        parsed = parse(reference)
    except InvalidReference:
        return ""
    return f"{parsed.repository}:{parsed.tag}" if isinstance(parsed, RegistryRef) and parsed.tag else ""


def _not_allowed(scope: Scope, kind: str, allowed: Callable[[BaseProof], bool]) -> Iterator[Hit]:
    ancestors = _ancestors(scope)
    if ancestors is None or any(proof.status is BaseStatus.PROVED and allowed(proof) for proof in ancestors[:1]):
        return
    base = ancestors[0] if ancestors else BaseProof(BaseStatus.NONE)
    if not base.reference:
        told, name = "The image does not say which base image it was built on", "unknown"
    else:
        doubt = "" if base.status is BaseStatus.PROVED else f", which is not proved: {base.detail}"
        told, name = (
            f"The base image {_described(base)} is not in the list of approved {kind}s{doubt}",
            _described(base),
        )
    yield Hit(told, instance=f"allowed_base_image_{kind}+{name}", fix=_BUILD)


def _denied(scope: Scope, kind: str, denied: Callable[[BaseProof], bool]) -> Iterator[Hit]:
    for proof in _ancestors(scope) or ():
        if denied(proof):
            yield Hit(
                f"The image was built on {_described(proof)}, which is in the list of denied {kind}s",
                instance=f"denylist_ancestor_image_{kind}+{_described(proof)}",
                fix="Build on another base image.",
            )


def _described(proof: BaseProof) -> str:
    """Return `registry/repo:tag@digest`, as far as it is known."""
    return f"{proof.reference.partition('@')[0]}@{proof.digest}" if proof.digest else proof.reference


def _unknown(scope: Scope, _: Values) -> Iterator[Hit]:
    ancestors = _ancestors(scope)
    if ancestors is not None and not any(proof.status is BaseStatus.PROVED for proof in ancestors):
        yield Hit("No image that this image was built on is known", fix=_BUILD)


def _triggers(kind: str, read: Read, value: Callable[[BaseProof], Any]) -> tuple[Trigger, Trigger]:
    """Return the triggers that compare ancestors by their `digest` or their `tag`. value: what a list must hold."""
    base, ancestor = f"base_{kind}", f"ancestor_{kind}"
    return (
        Trigger(
            "ancestry",
            f"allowed_base_image_{kind}",
            lambda scope, values: _not_allowed(scope, kind, lambda proof: value(proof) in values[base]),
            (Parameter(base, read, required=True),),
            beyond=True,
        ),
        Trigger(
            "ancestry",
            f"denylist_ancestor_image_{kind}",
            lambda scope, values: _denied(scope, kind, lambda proof: value(proof) in values[ancestor]),
            (Parameter(ancestor, read, required=True),),
            beyond=True,
        ),
    )


TRIGGERS = (
    *_triggers("digest", _digests, lambda proof: proof.digest),
    *_triggers("tag", _tags, lambda proof: _name(proof.reference)),
    Trigger("ancestry", "no_ancestors_analyzed", _unknown, beyond=True),
)
