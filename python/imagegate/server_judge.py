"""Judging images by an Anchore server: add by digest, wait, check by digest and name. Over the interfaces.

Submitting and awaiting are apart, so that many images are analysed side by side. An image is never posted twice: what
the server knows is joined, whoever submitted it, so that a run after a crash goes on where the first one was.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec

from imagegate.anchore.server import (
    PACKAGES_TELL_NOTHING,
    AnchoreServer,
    ImageState,
    ServerCheck,
    ServerFound,
    ServerImage,
    Submission,
)
from imagegate.errors import AnchoreError, NetworkError
from imagegate.gate import Judgement
from imagegate.image.reference import parse
from imagegate.image.source import ImageSource
from imagegate.model import (
    AnalysedLayer,
    Digest,
    Evaluation,
    Owner,
    PlatformImage,
    Problem,
    RegistryRef,
    Repository,
    ResolvedImage,
)
from imagegate.patience import Patience
from imagegate.progress import Progress
from imagegate.registry.destination import Destination
from imagegate.settings import Anchore, PolicySettings

_HOW = "imagegate.submit"
"""Annotation of an image that the server was not given the bytes of."""
_AGAIN = "Run the same command again: it joins the analysis that is under way."


class _Submitted(msgspec.Struct):
    """An image that the server was given. since: when its state began; look_at: when to ask next; by one clock."""

    image: ServerImage
    dockerfile_missed: bool
    since: float
    look_at: float


@dataclass
class ServerJudge:
    """A `gate.Judge` over an Anchore server."""

    server: AnchoreServer
    settings: Anchore
    policy: PolicySettings
    dockerfile: str
    destination: Callable[[Repository], Destination]
    sbom: Callable[[PlatformImage, ImageSource], dict[str, Any]]
    progress: Progress
    say: Callable[[str], None]
    clock: Callable[[], datetime]
    patience: Patience = Patience()  # noqa: RUF009 - frozen
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    _submitted: dict[Digest, _Submitted] = field(default_factory=dict)

    def announce(self, image: PlatformImage, source: ImageSource, name: str) -> None:
        """Give an image to the server, and do not wait for it. Raises AnchoreError, NetworkError."""
        if image.digest in self._submitted or self.settings.submit == "scan":
            return
        if self.settings.submit == "import":

            def send(about: Submission, *, force: bool) -> ServerImage:
                return self.server.import_image(image, name, self.sbom(image, source), about, force=force)

            self._submitted[image.digest] = self._submit(image.digest, name, send)
            return
        reference, tag = self._pullable(image, source, name)

        def add(about: Submission, *, force: bool) -> ServerImage:
            return self.server.add(reference, tag, about, force=force)

        self._submitted[image.digest] = self._submit(image.digest, tag, add)

    def __call__(self, image: PlatformImage, source: ImageSource, name: str) -> Judgement:
        """Evaluate the image under the name that it is, or would be, published as.

        Raises AnchoreError when the analysis fails, is not done within the budget, or the verdict is none.
        """
        if self.settings.submit == "scan":
            check, found = self.server.scan(image, name, self.sbom(image, source), self.settings.policy)
            return self._judgement(check, found, image, name)
        self.announce(image, source, name)
        self._await(image.digest)
        base = self._base(image.digest)
        check = self.server.check(image.digest, name, self.settings.policy, base)
        found = self.server.found(image.digest, base) if self.settings.vulnerabilities else ServerFound()
        return self._judgement(check, found, image, name)

    def _judgement(self, check: ServerCheck, found: ServerFound, image: PlatformImage, name: str) -> Judgement:
        listed = found.vulnerabilities
        if self.settings.exclude_inherited:
            check, listed = self._without_inherited(check), tuple(each for each in listed if not each.inherited)
        answers = {"evaluation": check.answer, "vulnerabilities": found.answer}
        return Judgement(
            self._evaluation(check, image, name),
            layers=_layers(image),
            vulnerabilities=listed,
            answers={kind: answer for kind, answer in answers.items() if answer is not None},
        )

    def _base(self, digest: Digest) -> Digest | None:
        """Return the image that is compared with; None: none is set, or the server chose none."""
        if self.settings.base != "auto":
            return Digest(self.settings.base) if self.settings.base else None
        return next((each.digest for each in self.server.ancestors(digest) if each.chosen), None)

    def _without_inherited(self, check: ServerCheck) -> ServerCheck:
        """Leave the base's findings out of the reports, and say how many. The server's verdict stays."""
        kept = tuple(each for each in check.findings if each.owner is not Owner.BASE)
        left_out = len(check.findings) - len(kept)
        if not left_out:
            return check
        counted = f"{left_out} finding{'' if left_out == 1 else 's'}"
        told = f"{counted} inherited from the base left out of the report (anchore.exclude_inherited)"
        problems = (*check.problems, Problem("warn", "inherited", told))
        return msgspec.structs.replace(check, findings=kept, problems=problems)

    def _pullable(self, image: PlatformImage, source: ImageSource, name: str) -> tuple[RegistryRef, str]:
        """Return where the server can pull the image, copying it to staging when it is not there."""
        published = parse(name)
        tag = published.tag if isinstance(published, RegistryRef) and published.tag else "latest"
        if not self.settings.staging and isinstance(source.ref, RegistryRef):
            repository = source.ref.repository
            return RegistryRef(repository, "", image.digest), f"{repository}:{source.ref.tag or tag}"
        if not self.settings.staging:
            raise AnchoreError(
                f"the Anchore server cannot pull {source.ref}",
                why="it is in no registry",
                hint="Set anchore.staging to a registry/repository that both this machine and the server reach.",
            )
        registry, _, path = self.settings.staging.rstrip("/").partition("/")
        name_path = published.repository.name if isinstance(published, RegistryRef) else "image"
        repository = Repository(registry, f"{path}/{name_path}" if path else name_path)
        self.destination(repository).copy(source, ResolvedImage(source.ref, image.manifest, (image,)), self.progress)
        return RegistryRef(repository, "", image.digest), f"{repository}:{tag}"

    def _submit(self, digest: Digest, tag: str, send: _Send) -> _Submitted:
        """Send an image unless the server has it. What may have arrived is looked after before it is sent again.

        An image that was imported, which its annotation tells, is analysed anew when it is to be pulled: rules about
        what is in files saw nothing of it.
        """
        deadline = self.monotonic() + self.settings.timeout
        attempt = 0
        while True:
            known = self.server.image(digest)
            how = known.annotations.get(_HOW, self.settings.submit) if known else self.settings.submit
            blind = self.settings.submit == "pull" and how == "import"
            again = known is not None and (self.settings.force or blind or known.state is ImageState.FAILED)
            if known is not None and not again and tag in known.tags:
                return self._noted(known)
            told = {_HOW: self.settings.submit} if blind or self.settings.submit == "import" else {}
            annotations = self.settings.annotations | told
            try:
                return self._noted(send(Submission(self.dockerfile, annotations, self.settings.subscribe), force=again))
            except NetworkError:
                attempt += 1
                if attempt > 5 or self.monotonic() > deadline:
                    raise
                self.sleep(random.uniform(0.2, 0.5 * 2**attempt))  # noqa: S311 - jitter

    def _noted(self, image: ServerImage) -> _Submitted:
        missed = bool(self.dockerfile) and not image.dockerfile
        now = self.monotonic()
        return _Submitted(image, missed, now, now + self._pause(image, 0.0))

    def _pause(self, image: ServerImage, lasted: float) -> float:
        begun = image.state is ImageState.ANALYZING
        return self.patience.pause(lasted, begun=begun, jitter=random.random())  # noqa: S311 - jitter

    def _await(self, digest: Digest) -> None:
        """Wait until an image is analysed. Raises AnchoreError: it failed, or the budget is spent."""
        submitted = self._submitted[digest]
        if _is_done(submitted.image):
            return
        started = self.monotonic()
        with self.progress.task(f"anchore: {submitted.image.state.value.replace('_', ' ')}"):
            while not _is_done(submitted.image):
                now = self.monotonic()
                if now - started > self.settings.timeout:
                    raise AnchoreError(
                        f"{digest} is not analysed after {self.settings.timeout:.0f} seconds",
                        why=f"its state is {submitted.image.state.value}",
                        hint=f"{_AGAIN} anchore.timeout has the limit.",
                    )
                # An image that was submitted beside others and waited for behind them is looked at without delay.
                self.sleep(max(submitted.look_at - now, 0.0))
                self._look(digest, submitted)
                now = self.monotonic()
                submitted.look_at = now + self._pause(submitted.image, now - submitted.since)

    def _look(self, digest: Digest, submitted: _Submitted) -> None:
        """Ask how far it is. A server that cannot be reached for a while is waited for, within the budget."""
        try:
            image = self.server.image(digest)
        except NetworkError as error:
            self.say(f"note: {error}")
            return
        if image is None:
            raise AnchoreError(f"the server no longer has {digest}", why="it was deleted meanwhile", hint=_AGAIN)
        if image.state is not submitted.image.state:
            submitted.since = self.monotonic()
            self.say(f"anchore: {digest[:19]} is {image.state.value.replace('_', ' ')}")
        submitted.image = image

    def _unseen(self, check: ServerCheck) -> list[Problem]:
        """Return the rules that could see nothing, since the server was told the packages alone: no pass is one."""
        if self.settings.submit == "pull":
            return []
        # With an import goes the Dockerfile; a scan has no place for it.
        blind = PACKAGES_TELL_NOTHING | ({"dockerfile"} if self.settings.submit == "scan" else set())
        if check.document is None:
            told = "the server does not show its policy, so that nothing tells whether it needs more than the packages"
            return [Problem("error", "submit", told)]
        seen = {gate for gate in _gates(check.document) if gate in blind}
        if not seen:
            return []
        told = (
            f"the server's policy asks the gates {', '.join(sorted(seen))}, of which a list of packages tells nothing"
        )
        return [Problem("error", "submit", f"{told}; set anchore.submit to pull")]

    def _evaluation(self, check: ServerCheck, image: PlatformImage, name: str) -> Evaluation:
        problems = list(check.problems)
        if not check.mapped and not check.image_rule and self.policy.unmapped == "error":
            problems.append(Problem("error", "unmapped", f"no mapping of the server's policy is about {name}"))
        problems += self._unseen(check)
        submitted = self._submitted.get(image.digest)
        if submitted and submitted.dockerfile_missed:
            told = "the server analysed the image before without its Dockerfile, and judged a guessed one"
            problems.append(Problem("warn", "dockerfile", told))
        if self.policy.bundle:
            told = f"the server's policy {check.policy_id} decides; policy.bundle (--policy) is evaluated here only"
            problems.append(Problem("warn", "policy", told))
        if self.policy.waivers:
            told = "waivers count once they are on the server: `imagegate policy waivers` prints them as an allowlist"
            problems.append(Problem("warn", "waivers", told))
        if self.policy.vex:
            told = "VEX documents count where imagegate evaluates: with a server, policy.vex lets nothing through"
            problems.append(Problem("warn", "vex", told))
        now = self.clock()
        return Evaluation(
            digest=image.digest,
            tag=name,
            policy_id=check.policy_id,
            policy_digest=_digest_of(check.document),
            final_action=check.final_action,
            reason=check.reason,
            mapping=check.mapping,
            findings=check.findings,
            evaluated_at=now,
            problems=tuple(problems),
            matched_image_rule=check.image_rule,
            platform=str(image.platform),
        )


class _Send(Protocol):
    def __call__(self, about: Submission, *, force: bool) -> ServerImage: ...


def _is_done(image: ServerImage) -> bool:
    if image.state is ImageState.FAILED:
        raise AnchoreError(
            f"the Anchore server failed to analyse {image.digest}",
            why=image.detail or "it does not say why; its analyzer's log does",
            hint="Running the same command again has it analysed anew.",
        )
    return image.state is ImageState.ANALYZED


def _layers(image: PlatformImage) -> tuple[AnalysedLayer, ...]:
    return tuple(AnalysedLayer(layer.descriptor.digest, layer.diff_id, layer.descriptor.size) for layer in image.layers)


def _digest_of(document: dict[str, object] | None) -> Digest:
    """Return the digest of a policy document, its keys in order; of nothing when the server keeps it to itself."""
    import hashlib

    raw = msgspec.json.encode(document, order="deterministic") if document else b""
    return Digest("sha256:" + hashlib.sha256(raw).hexdigest())


def _gates(document: dict[str, Any]) -> Iterator[str]:
    """Yield the gates that a policy document's rules name, of either version."""
    for rules in (*(document.get("policies") or ()), *(document.get("rule_sets") or ())):
        for rule in rules.get("rules") or ():
            yield str(rule.get("gate") or "").lower()
