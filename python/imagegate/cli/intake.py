"""`imagegate inventory import`: images that were there before the inventory was, one by one, each recorded at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from imagegate.cli.recorder import REVISION, TEAM
from imagegate.errors import ConfigError, ImagegateError, InvalidReference, UsageError
from imagegate.image.reference import DEFAULT_REGISTRY, parse_repository, parse_tag
from imagegate.inventory.buckets import NEVER, State
from imagegate.inventory.files import notable
from imagegate.inventory.model import Promoted, Variant
from imagegate.inventory.recording import record, tag_again
from imagegate.inventory.selection import named
from imagegate.inventory.store import Inventory
from imagegate.model import Analysis, Digest, RegistryRef, Repository, SbomRef, Vulnerability
from imagegate.trust.base import BASE_DIGEST, BASE_NAME
from imagegate.vex.product import split_name

if TYPE_CHECKING:
    from imagegate.anchore.client import AnchoreClient
    from imagegate.cli.app import App
    from imagegate.sbom.contents import Sbom

SOURCE = "import"


class Failure(msgspec.Struct, frozen=True):
    """An image that is not recorded, and why."""

    image: str
    error: str


class Report(msgspec.Struct):
    """What an import did. known: images that were there."""

    recorded: int = 0
    known: int = 0
    failed: list[Failure] = msgspec.field(default_factory=list)


class Intake:
    """One import into one inventory. An image that fails keeps no other from coming in."""

    def __init__(self, app: App, inventory: Inventory) -> None:
        self._app, self._inventory = app, inventory
        self.report = Report()

    def registry(self, references: Iterable[RegistryRef]) -> None:
        """Import images of registries; a reference without tag and digest stands for all tags of its repository."""
        by_repository: dict[Repository, list[RegistryRef]] = defaultdict(list)
        for each in references:
            by_repository[each.repository].append(each)
        for repository, wanted in by_repository.items():
            for digest, tags in self._digests(repository, wanted).items():
                self._attempt(f"{repository}@{digest}", lambda: self._image(repository, digest, tags))  # noqa: B023 - called at once

    def sboms(self, references: Sequence[SbomRef], name: str) -> None:
        """Import what SBOMs say of images. name: of the image, where the document does not say it."""
        for each in references:
            self._attempt(str(each), lambda: self._sbom(each, name))  # noqa: B023 - called at once

    def anchore(self, client: AnchoreClient) -> None:
        """Import the images that an Anchore server has analysed."""
        from imagegate.anchore.server import ImageState

        for image in client.images():
            if image.state is not ImageState.ANALYZED:
                why = f"the server has not analysed it: {image.state.value}"
                self.report.failed.append(Failure(image.digest, why))
                continue
            by_repository: dict[str, list[str]] = defaultdict(list)
            for text in image.tags:
                repository, _, tag = text.rpartition(":")
                by_repository[repository].append(tag)
            for repository, tags in by_repository.items():
                what = f"{repository}@{image.digest}"
                self._attempt(what, lambda: self._of_server(client, repository, image.digest, tags))  # noqa: B023 - called at once

    def _attempt(self, what: str, work: Callable[[], bool]) -> None:
        """Do the work for one image; it says whether it was new."""
        self._app.say(f"{what}")
        try:
            if work():
                self.report.recorded += 1
            else:
                self.report.known += 1
        except ConfigError:
            raise
        except ImagegateError as error:
            self.report.failed.append(Failure(what, str(error)))

    def _digests(self, repository: Repository, wanted: Sequence[RegistryRef]) -> Mapping[Digest, tuple[str, ...]]:
        """Return the digests that references stand for now, each with its tags among them."""
        factory = self._app.factory
        found: dict[Digest, tuple[str, ...]] = {each.digest: () for each in wanted if each.digest}
        try:
            tags = [each.tag for each in wanted if each.tag and not each.digest]
            if any(not each.tag and not each.digest for each in wanted):
                tags += factory.tags(repository)
            for tag in dict.fromkeys(tags):
                digest = factory.tagged(repository, tag)
                if digest is None:
                    self.report.failed.append(Failure(f"{repository}:{tag}", "it is not there"))
                else:
                    found[digest] = (*found.get(digest, ()), tag)
        except ImagegateError as error:
            self.report.failed.append(Failure(str(repository), str(error)))
        return found

    def _image(self, repository: Repository, digest: Digest, tags: tuple[str, ...]) -> bool:
        if tag_again(self._inventory, str(repository), digest, tags, datetime.now(UTC)):
            return False
        factory = self._app.factory
        with factory.open(RegistryRef(repository, "", digest)) as source:
            resolved = factory.resolve(source, all_platforms="platform" not in self._app.flags)
            analyses = [factory.analyze(each, source) for each in resolved.images]
        self._record(str(repository), digest, tags, analyses)
        return True

    def _sbom(self, reference: SbomRef, name: str) -> bool:
        sbom = self._app.factory.read_sbom(reference)
        registry = self._app.settings.trusted.registry
        if name:
            known = sbom_name(name, registry)
        elif sbom.name:
            known = _told_by(sbom, registry)
        else:
            raise UsageError(f"{reference} does not say which image it is of", hint="Say it by --as registry/repo:tag.")
        if known.digest is None:
            known = msgspec.structs.replace(known, digest=sbom.analysis.digest)
        assert known.digest
        tags = (known.tag,) if known.tag else ()
        if tag_again(self._inventory, str(known.repository), known.digest, tags, datetime.now(UTC)):
            return False
        self._record(str(known.repository), known.digest, tags, [sbom.analysis])
        return True

    def _of_server(self, client: AnchoreClient, repository: str, digest: Digest, tags: Sequence[str]) -> bool:
        from imagegate.cli.server_contents import ask

        now = datetime.now(UTC)
        if tag_again(self._inventory, repository, digest, tags, now):
            return False
        found = ask(client, digest)
        variant = Variant(found.platform, digest, found.distro, found.packages)
        promoted = Promoted(repository, digest, tuple(tags), now, (variant,), verdict="", source=SOURCE)
        record(self._inventory, promoted, state=found.state, vulnerabilities=found.vulnerabilities)
        return True

    def _record(self, repository: str, digest: str, tags: tuple[str, ...], analyses: Sequence[Analysis]) -> None:
        labels = analyses[0].config.runtime.labels or {} if analyses else {}
        state, found = self._matched(analyses)
        promoted = Promoted(
            repository,
            digest,
            tags,
            datetime.now(UTC),
            tuple(
                Variant(str(each.platform), each.digest, each.distro, each.packages, (), notable(each))
                for each in analyses
            ),
            verdict="",
            source=SOURCE,
            base=labels.get(BASE_NAME, ""),
            base_digest=labels.get(BASE_DIGEST, ""),
            team=self._app.settings.inventory.team or labels.get(TEAM, ""),
            commit=labels.get(REVISION, ""),
        )
        record(self._inventory, promoted, state=state, vulnerabilities=found)

    def _matched(self, analyses: Sequence[Analysis]) -> tuple[State, tuple[Vulnerability, ...]]:
        """What the advisories say, where there are any; else the first re-check asks them."""
        factory = self._app.factory
        if not factory.database_file.is_file():
            return NEVER, ()
        reports = [factory.match(each) for each in analyses]
        states = {(each.lineage, each.number) for each in reports}
        if len(states) != 1 or ("", 0) in states:
            return NEVER, ()
        return states.pop(), tuple(found for each in reports for found in each.vulnerabilities)


def sbom_name(text: str, registry: str) -> RegistryRef:
    """Return the image that `--as` names. registry: of a text that names none. Raises UsageError without a tag."""
    found = named(text, registry)
    if not found.tag:
        raise UsageError(
            f"--as {text} has no tag", hint="Name it as registry/repo:tag, or registry/repo:tag@sha256:..."
        )
    return found


def _told_by(sbom: Sbom, registry: str) -> RegistryRef:
    """Return the image that an SBOM names; its tag is the version of what the document is about, where it is a tag."""
    repository, tag = split_name(sbom.name)
    told, tag_told = split_name(sbom.title.partition("@")[0])
    with suppress(InvalidReference):
        # The title without a registry is what the name was made of: ours goes before the default one then.
        if str(parse_repository(told)) == repository:
            repository = str(parse_repository(told, registry or DEFAULT_REGISTRY))
            tag = tag_told or tag
    if tag == "latest" and not tag_told:
        with suppress(InvalidReference):
            tag = parse_tag(sbom.version)
    return named(f"{repository}:{tag}")


def read_list(lines: Iterable[str]) -> Iterator[str]:
    """Yield the references of a list: a line each, what follows a `#` is a comment."""
    for line in lines:
        text = line.partition("#")[0].strip()
        if text:
            yield text
