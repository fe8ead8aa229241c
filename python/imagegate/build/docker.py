"""Builds with a Docker engine's classic builder, on bases that are named by image id.

An engine knows an image by the digest of its config, and checks every layer against that config when it takes the image
in. So `FROM sha256:<config digest>` is as exact as `FROM repo@sha256:<manifest digest>`, and holds for an engine that
cannot pull the base itself (a CA that it does not know, no credentials): the base is then loaded from blobs that we
verified. Build secrets and heredocs are BuildKit's, and the classic builder has neither.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

import docker
import requests
import urllib3
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils import build as context_tar

from imagegate.build import archive
from imagegate.build.builder import BuildRequest, BuiltImage
from imagegate.build.images import SCRATCH, Replacement, images, rewrite
from imagegate.dockerfile import parse
from imagegate.errors import BuildError, NetworkError
from imagegate.image.engine import connect
from imagegate.image.resolve import resolve
from imagegate.model import RegistryRef
from imagegate.settings import Docker, Limits
from imagegate.trust.base import Open, VerifiedBase, base_labels

DOCKERFILE = ".imagegate.Dockerfile"
"""The pinned Dockerfile's name in the context. The context's own one stays as it is, for a `COPY .`."""

_STEP = re.compile(r"Step \d+/\d+ : (.*)", re.DOTALL)
_TAKES_IMAGE = re.compile(r"FROM\s+(?:--platform=\S+\s+)?(\S+)|(?:COPY|ADD)\s.*?--from=(\S+)", re.IGNORECASE)
_TAIL = 20
"""Lines of output to show of a step that failed."""


class DockerBuilder:
    """A `Builder` over a Docker engine."""

    def __init__(self, settings: Docker, open_source: Open, limits: Limits) -> None:
        """open_source: opens a base in the trusted registry. The engine is not asked for anything yet."""
        self._settings, self._open_source, self._limits = settings, open_source, limits

    def build(self, request: BuildRequest, tell: Callable[[str], None]) -> BuiltImage:
        """Build. See `Builder.build`."""
        _refuse_heredocs(request.dockerfile)
        labels = {**request.labels, **base_labels(request.bases)}
        with _engine_errors(), connect(self._settings) as client:
            identifiers = {base.use: self._provide(client, base, tell) for base in request.bases}
            text = rewrite(request.dockerfile, [Replacement(use, i, use.platform) for use, i in identifiers.items()])
            _require_only(text, set(identifiers.values()), request)
            with _context(request, text) as context:
                output = client.build(
                    fileobj=context,
                    custom_context=True,
                    dockerfile=DOCKERFILE,
                    buildargs=dict(request.build_args),
                    labels=labels,
                    target=request.target or None,
                    platform=str(request.platform),
                    nocache=request.no_cache,
                    network_mode=request.network or None,
                    rm=True,
                    forcerm=True,
                    decode=True,
                    use_config_proxy=True,
                )
                identifier = _follow(output, tell, set(identifiers.values()) | _stage_words(text))
            for name in request.names:
                repository, _, tag = name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "latest")
                client.tag(identifier, repository, tag)
        return BuiltImage(identifier, request.names, request.bases, labels)

    def _provide(self, client: docker.APIClient, base: VerifiedBase, tell: Callable[[str], None]) -> str:
        """Return the id of a base in the engine; it is pulled by digest, or loaded, when it is not there."""
        with self._open_source(RegistryRef(base.reference.repository, "", base.digest)) as source:
            image = resolve(source, platform=base.use.platform, all_platforms=False, limits=self._limits).images[0]
            # A classic image store knows an image by its config, containerd's by its manifest or the index it pulled.
            known = (image.config_descriptor.digest, image.digest, base.digest)
            if found := _present(client, known):
                return found
            tell(f"pulling the base {base.pinned}")
            try:
                _drain(client.pull(base.pinned, platform=str(base.use.platform), stream=True, decode=True))
            except (DockerException, BuildError) as error:
                tell(f"the engine cannot pull it ({_reason(error)}); loading it from verified blobs")
            if found := _present(client, known):
                return found
            _drain(client.load_image(archive.stream(image, source, self._limits), quiet=True))
            if found := _present(client, known):
                return found
        raise BuildError(f"the engine has not taken in the base {base.pinned}", why=f"it knows no image {known[0]}")


def _present(client: docker.APIClient, identifiers: Iterable[str]) -> str:
    """Return the first of the ids that the engine has an image of, empty when it has none."""
    for identifier in identifiers:
        try:
            if client.inspect_image(identifier)["Id"] == identifier:
                return identifier
        except ImageNotFound:
            continue
    return ""


def _drain(messages: Iterable[Any]) -> None:
    for message in messages:
        if "error" in message:
            raise BuildError("the engine cannot take in a base", why=str(message["error"]).strip())


def _refuse_heredocs(text: str) -> None:
    """A classic builder would read a heredoc's lines as instructions, a FROM in one as a base that nobody verified."""
    for instruction in parse(text).instructions:
        if instruction.heredocs:
            raise BuildError(
                f"line {instruction.line}: {instruction.name} has a heredoc, which the classic builder cannot read",
                hint="Put the lines into a script in the context, and COPY it.",
            )


def _require_only(text: str, identifiers: set[str], request: BuildRequest) -> None:
    """Look at the rewritten text as a Dockerfile of its own: it takes in no image but those."""
    uses = images(parse(text), request.build_args, target=request.target, platform=request.platform)
    if others := [use.name for use in uses if use.name not in identifiers]:
        raise BuildError(f"the Dockerfile takes in images that are not verified: {', '.join(others)}")


@contextmanager
def _context(request: BuildRequest, text: str) -> Iterator[IO[bytes]]:
    """Make the context's tar without what .dockerignore excludes, and with the rewritten Dockerfile."""
    try:
        ignore = request.context / ".dockerignore"
        lines = ignore.read_text().splitlines() if ignore.exists() else []
        patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        tar = context_tar.tar(request.context, exclude=patterns, dockerfile=(DOCKERFILE, text))
    except (OSError, UnicodeDecodeError) as error:
        raise BuildError(f"the build context {request.context} cannot be read", why=str(error)) from error
    with cast(IO[bytes], tar) as file:
        yield file


def _follow(output: Iterable[dict[str, Any]], tell: Callable[[str], None], allowed: set[str]) -> str:
    """Hand on the build's output and return the image's id. Raises BuildError with the failing step.

    allowed: the words by which a step may name an image. The engine's own account of its steps is held
    against what was verified: should it ever read a Dockerfile otherwise than we do, its image is not taken.
    """
    identifier, step = "", ""
    tail: deque[str] = deque(maxlen=_TAIL)
    for message in output:
        text = str(message.get("stream", ""))
        if match := _STEP.match(text):
            step = match[1].strip()
            tail.clear()
            _check_step(step, allowed)
        elif failure := message.get("error") or message.get("message"):  # the latter in a refusal of the whole request
            raise BuildError(f"the build failed at {step or 'its start'}", why="\n".join([*tail, str(failure).strip()]))
        elif text.strip():
            tail.extend(text.rstrip().splitlines())
        for line in text.rstrip().splitlines():
            tell(line)
        identifier = message.get("aux", {}).get("ID", identifier)
    if not identifier:
        raise BuildError("the build ended without an image", why="\n".join(tail))
    return str(identifier)


def _stage_words(text: str) -> set[str]:
    """Return the words by which a rewritten Dockerfile names its stages, and what is no image."""
    stages = parse(text).stages
    named = {stage.name.lower() for stage in stages} | {str(stage.index) for stage in stages}
    # What still is a variable after the rewriting stands for a stage: `_require_only` has seen to it.
    return named | {stage.base.lower() for stage in stages if "$" in stage.base} | {SCRATCH}


def _check_step(step: str, allowed: set[str]) -> None:
    match = _TAKES_IMAGE.match(step)
    name = (match[1] or match[2]).lower() if match else ""
    if name and name not in allowed:
        raise BuildError(f"the engine took in {name}, which is not verified", why=f"its step was {step}")


@contextmanager
def _engine_errors() -> Iterator[None]:
    """Say what the engine said. Never what was sent: a build's URL holds the values of its arguments."""
    try:
        yield
    except APIError as error:
        raise BuildError("the Docker engine refused", why=_reason(error)) from None
    except (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, ConnectionError) as error:
        raise NetworkError(
            "the Docker engine cannot be reached, or broke off",
            why=type(error).__name__,
            hint="Is it running? Set docker.host or DOCKER_HOST.",
        ) from None


def _reason(error: Exception) -> str:
    if isinstance(error, APIError):
        return str(error.explanation or error).strip()
    return error.why if isinstance(error, BuildError) else type(error).__name__
