"""The factory: the one place that names the concrete classes behind the interfaces."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from imagegate.errors import ConfigError, ImageNotFound, PolicyError, UsageError
from imagegate.model import (
    Analysis,
    ArchiveRef,
    BaseProof,
    DaemonRef,
    Digest,
    FeedState,
    ImageRef,
    LayoutRef,
    PackageListing,
    Platform,
    PlatformImage,
    RegistryRef,
    Repository,
    ResolvedImage,
    SbomRef,
    VerifiedTarget,
    VulnerabilityReport,
)
from imagegate.progress import Progress
from imagegate.settings import Settings

if TYPE_CHECKING:
    from imagegate.anchore.client import AnchoreClient
    from imagegate.build.builder import Builder
    from imagegate.cli.keeper import InventoryKeeper
    from imagegate.cli.owners import Owners
    from imagegate.dockerfile import Dockerfile
    from imagegate.http.client import HttpClient
    from imagegate.image.cache import BlobCache
    from imagegate.image.source import ImageSource
    from imagegate.judge import PolicyJudge
    from imagegate.policy.document import PolicyBundle
    from imagegate.policy.facts import Previous
    from imagegate.policy.waivers import Waiver
    from imagegate.registry.destination import Destination
    from imagegate.sbom.contents import Sbom
    from imagegate.server_judge import ServerJudge
    from imagegate.settings import AnalysisSettings
    from imagegate.trust.base import VerifiedBase
    from imagegate.trust.signing import Signer, Verifier
    from imagegate.vex.statement import Statement


class Factory:
    """Makes what the verbs need from the settings, each thing once and only when it is asked for."""

    def __init__(
        self, settings: Settings, progress: Progress, say: Callable[[str], None], *, advisories: Path | None = None
    ) -> None:
        """say: tells a person how far a server is. advisories: the file to go by, None: as the settings say."""
        self._settings, self._progress, self._say, self._advisories = settings, progress, say, advisories

    @cached_property
    def cache_directory(self) -> Path:
        """Where blobs, layer analyses, trust data and, by default, the advisories are kept."""
        named = self._settings.cache.directory
        if named:
            return Path(named).expanduser()
        usual = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imagegate"
        # Jenkins runs a container image with a user that the image does not know, whose home is the root directory.
        temporary = os.environ.get("WORKSPACE_TMP")
        return usual if not temporary or _can_be_made(usual) else Path(temporary) / "imagegate-cache"

    @cached_property
    def http(self) -> HttpClient:
        from imagegate.http.client import HttpClient

        return HttpClient(self._settings.http, self._settings.hosts)

    @cached_property
    def blobs(self) -> BlobCache:
        from imagegate.image.cache import BlobCache

        return BlobCache(self.cache_directory / "blobs", self._settings.cache.max_size)

    def open(self, reference: ImageRef) -> ImageSource:
        """Open an image for reading. Raises UsageError for an SBOM, which has none of its bytes."""
        if isinstance(reference, SbomRef):
            raise UsageError(
                f"{reference} is no image: there is nothing in it to read, copy or sign",
                hint="`imagegate check` and `imagegate explain` evaluate an SBOM; name the image itself here.",
            )
        if isinstance(reference, RegistryRef):
            from imagegate.image.cache import CachedSource
            from imagegate.registry.source import RegistrySource

            return CachedSource(RegistrySource(reference, self.http, self._settings.limits), self.blobs)
        if isinstance(reference, LayoutRef):
            from imagegate.image.layout import LayoutSource

            return LayoutSource(reference, self._settings.limits)
        if isinstance(reference, ArchiveRef):
            from imagegate.image.archive import ArchiveSource

            return ArchiveSource(reference, self._settings.limits)
        from imagegate.image.daemon import DaemonSource

        return DaemonSource(reference, self.cache_directory / "engine", self._settings.docker, self._settings.limits)

    def read_sbom(self, reference: SbomRef) -> Sbom:
        """Read an SBOM. Raises SbomError."""
        from imagegate.sbom.document import load

        return load(reference, self._settings.limits.metadata_file_size)

    def open_pushable(self, reference: ImageRef) -> ImageSource:
        """Open an image that has, or is given, a manifest and compressed layers, as a registry wants them."""
        source = self.open(reference)
        if not isinstance(reference, ArchiveRef | DaemonRef):
            return source
        from imagegate.image.repack import repack

        return repack(source, self.blobs, self._progress)

    def resolve(self, source: ImageSource, *, all_platforms: bool = False) -> ResolvedImage:
        """Look once at what the source's reference names."""
        from imagegate.image.reference import parse_platform
        from imagegate.image.resolve import resolve

        platform = parse_platform(self._settings.platform)
        return resolve(source, platform=platform, all_platforms=all_platforms, limits=self._settings.limits)

    def analyze(self, image: PlatformImage, source: ImageSource, settings: AnalysisSettings | None = None) -> Analysis:
        """Analyse one image, layer by layer through the cache. settings: other ones than those in force."""
        from imagegate.analysis.analyze import analyze
        from imagegate.analysis.store import LayerStore

        return analyze(
            image,
            source,
            settings=settings or self._settings.analysis,
            limits=self._settings.limits,
            store=LayerStore(self.cache_directory / "analyses", self._settings.cache.analyses_size),
            progress=self._progress,
        )

    @cached_property
    def database_file(self) -> Path:
        """Where the advisories are."""
        named = self._advisories or self._settings.advisories.database
        return Path(named).expanduser() if named else self.cache_directory / "advisories.sqlite"

    def feeds(self) -> tuple[FeedState, ...]:
        """Return the state of each ecosystem of the advisory database."""
        from imagegate.vulnerability.database import AdvisoryDatabase

        with AdvisoryDatabase(self.database_file) as database:
            return database.feeds()

    def match(self, analysis: Analysis) -> VulnerabilityReport:
        """Return what the advisories say about an image: the database's, or grype's."""
        if self._settings.vulnerabilities.provider == "grype":
            from imagegate.vulnerability import grype

            return grype.match(analysis.packages, analysis.distro, self._settings.vulnerabilities)
        from imagegate.vulnerability.database import AdvisoryDatabase
        from imagegate.vulnerability.matcher import match

        with AdvisoryDatabase(self.database_file) as database:
            return match(analysis.packages, analysis.distro, database)

    @cached_property
    def bundle(self) -> PolicyBundle:
        """The policy document in force. Raises PolicyError, UsageError when none is named."""
        from imagegate.policy.document import load_bundle
        from imagegate.policy.shipped import find

        named = self._settings.policy.bundle
        if not named:
            raise UsageError(
                "no policy is named",
                hint="Give --policy NAME|FILE or set policy.bundle; shipped: application, base-image.",
            )
        return load_bundle(find(named), allow_deprecated=self._settings.policy.allow_deprecated)

    @cached_property
    def usual_bundle(self) -> PolicyBundle:
        """The policy of images whose own was not recorded. Raises PolicyError."""
        if not self._settings.policy.bundle:
            raise PolicyError(
                "images have no recorded policy", hint="Set policy.bundle, which is then theirs, or promote them again."
            )
        return self.bundle

    def judge(self, dockerfile: Path | None) -> PolicyJudge | ServerJudge:
        """Return the judge that the settings name; a Dockerfile that cannot be read is an error before any work."""
        return self.server_judge(dockerfile) if self._settings.scanner == "anchore" else self.local_judge(dockerfile)

    def server_judge(self, dockerfile: Path | None, *, policy_id: str = "") -> ServerJudge:
        """Return the judge over the Anchore server. Raises ConfigError when none is set.

        policy_id: of the server's policy, in place of the settings'.
        """
        from imagegate.server_judge import ServerJudge

        settings = self._settings.anchore
        if policy_id:
            settings = msgspec.structs.replace(settings, policy=policy_id)
        if dockerfile:
            self.dockerfile(dockerfile)
        return ServerJudge(
            server=self.anchore(),
            settings=settings,
            policy=self._settings.policy,
            dockerfile=dockerfile.read_text() if dockerfile else "",
            destination=self.destination,
            sbom=self.sbom,
            progress=self._progress,
            say=self._say,
            clock=lambda: datetime.now(UTC),
        )

    def sbom(self, image: PlatformImage, source: ImageSource) -> dict[str, Any]:
        """Return syft's document of an image, whose bytes are verified on the way to it."""
        from tempfile import TemporaryDirectory

        from imagegate.analysis.syft import describe
        from imagegate.build.archive import stream

        with TemporaryDirectory(prefix="imagegate-") as directory, self._progress.task("syft"):
            archive = Path(directory) / "image.tar"
            with archive.open("wb") as file:
                file.writelines(stream(image, source, self._settings.limits))
            return describe(archive, Path(directory))

    def anchore(self) -> AnchoreClient:
        """Return the client of the Anchore server. Raises ConfigError when none is set."""
        from imagegate.anchore.client import connect
        from imagegate.anchore.login import AnchoreLogin
        from imagegate.anchore.session import LONGEST, Session, in_words
        from imagegate.http.client import HttpClient

        settings = self._settings.anchore
        if not settings.url:
            raise ConfigError("no Anchore server is set", hint="Set anchore.url, or IMAGEGATE_ANCHORE_URL.")

        def session(base_url: str) -> Session:
            http = HttpClient(
                self._settings.http,
                self._settings.hosts,
                login=lambda fetch: AnchoreLogin(os.environ, fetch, base_url, oauth=settings.oauth),
                tell=in_words,
                longest=LONGEST,
            )
            return Session(http, base_url, account=settings.account)

        return connect(settings.url, settings.api, session)

    def local_judge(self, dockerfile: Path | None) -> PolicyJudge:
        """Return the judge of the policy in force, evaluated here."""
        from imagegate.judge import PolicyJudge
        from imagegate.policy.demands import settings_for

        policy = self._settings.policy
        wanted = settings_for(self.bundle, self._settings.analysis, engine=policy.compat == "engine")
        return PolicyJudge(
            bundle=self.bundle,
            policy=policy,
            advisories=self._settings.advisories,
            dockerfile=self.dockerfile(dockerfile) if dockerfile else None,
            analyze=lambda image, source: self.analyze(image, source, wanted),
            match=self.match,
            prove_base=self.prove_base,
            prove_ancestry=self.prove_ancestry,
            previous=lambda name, platform: self.previous(name, platform, wanted),
            listing=self.listing,
            waivers=self.waivers(),
            vex=self.vex(),
            clock=lambda: datetime.now(UTC),
        )

    def waivers(self) -> tuple[Waiver, ...]:
        """Return the waivers in force. Raises PolicyError with every mistake of their files."""
        files = self._settings.policy.waivers
        if not files:
            return ()
        from imagegate.policy.waivers import read_waivers
        from imagegate.yamlfile import load_yaml

        return read_waivers(load_yaml(Path(file).expanduser()) for file in files)

    def vex(self) -> tuple[Statement, ...]:
        """Return the statements of the VEX documents in force. Raises VexError with every mistake of them."""
        files = self._settings.policy.vex
        if not files:
            return ()
        from imagegate.vex.document import load_all

        paths = [Path(file).expanduser() for file in files]
        return load_all(paths, self._settings.limits.metadata_file_size)

    def listing(self) -> PackageListing | None:
        """Return what package registries have, None when no file says so."""
        from imagegate.policy.listing import load_listing

        named = self._settings.policy.packages
        return load_listing(Path(named).expanduser()) if named else None

    def dockerfile(self, file: Path) -> Dockerfile:
        """Parse a Dockerfile."""
        from imagegate.dockerfile import parse

        try:
            return parse(file.read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read", why=str(error)) from error

    def prove_base(self, image: PlatformImage) -> BaseProof:
        """Return how far the base that an image names is proved."""
        from imagegate.trust.base import prove_base

        settings = self._settings
        return prove_base(
            image, trusted=settings.trusted, verifier=self.verifier(), open_source=self.open, limits=settings.limits
        )

    def prove_ancestry(self, image: PlatformImage) -> tuple[BaseProof, ...]:
        """Return how far each image is proved that an image was built on."""
        from imagegate.trust.base import prove_ancestry

        settings = self._settings
        return prove_ancestry(
            image, trusted=settings.trusted, verifier=self.verifier(), open_source=self.open, limits=settings.limits
        )

    def previous(self, name: str, platform: Platform, wanted: AnalysisSettings) -> Previous:
        """Return what a tag stands for now: by its signature, or by the registry where no Notary server is set."""
        from imagegate.image.reference import parse
        from imagegate.image.resolve import resolve
        from imagegate.policy.facts import Previous

        reference = parse(name)
        if not isinstance(reference, RegistryRef) or not reference.tag or reference.repository.registry == "localhost":
            return Previous(None)
        if self._settings.notary.server:
            signed = self.verifier().find(reference.repository, reference.tag)
            if signed is None:
                return Previous(None)
            reference = RegistryRef(reference.repository, "", signed.target.digest)
        try:
            with self.open(reference) as source:
                image = resolve(source, platform=platform, all_platforms=False, limits=self._settings.limits).images[0]
                return Previous(self.analyze(image, source, wanted))
        except ImageNotFound:
            return Previous(None)

    def verify_bases(self, file: Path, build_args: Mapping[str, str], target: str) -> tuple[VerifiedBase, ...]:
        """Return the signed digest of every image that a Dockerfile takes in."""
        from imagegate.image.reference import parse_platform
        from imagegate.trust.base import verify_bases

        return verify_bases(
            self.dockerfile(file),
            build_args=build_args,
            target=target,
            platform=parse_platform(self._settings.platform),
            trusted=self._settings.trusted,
            verifier=self.verifier(),
            open_source=self.open,
            limits=self._settings.limits,
        )

    def builder(self) -> Builder:
        """Return what builds images."""
        from imagegate.build.docker import DockerBuilder

        return DockerBuilder(self._settings.docker, self.open, self._settings.limits)

    def destination(self, repository: Repository) -> Destination:
        """Return a repository to promote into."""
        from imagegate.registry.repository import TrustedRepository

        return TrustedRepository(repository, self.http, self._settings.limits)

    def tags(self, repository: Repository) -> tuple[str, ...]:
        """Return a repository's tags."""
        from imagegate.registry.listing import tags

        return tags(repository, self.http, self._settings.limits)

    def tagged(self, repository: Repository, tag: str) -> Digest | None:
        """Return what a tag points at now, None when it does not exist."""
        from imagegate.registry.api import RepositoryApi

        return RepositoryApi(repository, self.http, self._settings.limits).head_manifest(tag)

    def catalog(self, registry: str) -> tuple[Repository, ...]:
        """Return the repositories of a registry."""
        from imagegate.registry.listing import catalog

        return catalog(registry, self.http, self._settings.limits)

    def trusted_repository(self, text: str) -> Repository:
        """Return `registry/repo`; a text that names no registry is of the trusted one, where one is set."""
        from imagegate.image.reference import DEFAULT_REGISTRY, parse_repository

        return parse_repository(text, self._settings.trusted.registry or DEFAULT_REGISTRY)

    def staging_repository(self, staging: str, repository: Repository) -> Repository:
        """Return where below `registry[/path]` an image waits that another job promotes into a trusted repository.

        Raises UsageError for the trusted registry: there, no tag points at what is not signed.
        """
        from imagegate.image.reference import parse_repository

        found = parse_repository(f"{staging.rstrip('/')}/{repository.name}", "")
        if found.registry in (self._settings.trusted.registry, repository.registry):
            raise UsageError(
                f"{staging} is in the trusted registry",
                why="what waits to be signed is tagged there",
                hint="Name a staging registry that nobody pulls releases from.",
            )
        return found

    def require_trusted(self, repository: Repository) -> None:
        """Refuse to promote elsewhere than into the trusted registry, where one is set."""
        trusted = self._settings.trusted.registry
        if trusted and repository.registry != trusted:
            raise UsageError(
                f"{repository} is not in the trusted registry",
                why=f"trusted.registry is {trusted}",
                hint=f"Promote into {trusted}/{repository.name}.",
            )

    @cached_property
    def keeper(self) -> InventoryKeeper:
        """Opens the inventory."""
        from imagegate.cli.keeper import InventoryKeeper

        return InventoryKeeper(self._settings.inventory, os.environ, self._say)

    @cached_property
    def owners(self) -> Owners:
        """Knows whose images are. Raises ConfigError for a teams file that cannot be used."""
        from imagegate.cli.owners import Owners

        return Owners(self._settings)

    def signer(self) -> Signer:
        """Return the signer. Raises ConfigError when no Notary server or no key store is set."""
        from imagegate.trust.notary.signer import NotarySigner

        if not self._settings.notary.server:
            raise _no_notary()
        return NotarySigner(self._settings.notary, self.http, self.cache_directory / "trust")

    def verifier(self) -> Verifier:
        """Return the verifier. Without a Notary server it raises ConfigError only when it is asked for a signature."""
        if not self._settings.notary.server:
            return _NoNotary()
        from imagegate.trust.notary.verifier import NotaryVerifier

        return NotaryVerifier(self._settings.notary, self.http, self.cache_directory / "trust")


def _can_be_made(directory: Path) -> bool:
    return os.access(next(path for path in (directory, *directory.parents) if path.exists()), os.W_OK)


class _NoNotary:
    """The Verifier of a site that has set no Notary server."""

    def verify(self, *_: object, **__: object) -> VerifiedTarget:
        raise _no_notary()

    def verify_all(self, *_: object, **__: object) -> tuple[VerifiedTarget, ...]:
        raise _no_notary()

    def find(self, *_: object, **__: object) -> VerifiedTarget | None:
        raise _no_notary()

    def targets(self, *_: object, **__: object) -> tuple[VerifiedTarget, ...]:
        raise _no_notary()


def _no_notary() -> ConfigError:
    return ConfigError("no Notary server is set", hint="Set notary.server, or IMAGEGATE_NOTARY_SERVER.")
