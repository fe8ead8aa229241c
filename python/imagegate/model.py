"""The values that the stages of the gate hand to each other. All are frozen; none does I/O.

They are msgspec structs, so that each can be written to and read from JSON and MessagePack as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

import msgspec

from imagegate.errors import InvalidReference

Digest = NewType("Digest", str)
"""`sha256:<64 lower-case hex>`, made by `parse_digest` only. (OCI image-spec, descriptor.md, "Digests".)"""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


def parse_digest(text: str) -> Digest:
    """Return text as a Digest. Raises InvalidReference for anything but a sha256 digest."""
    if not _DIGEST.match(text):
        raise InvalidReference(
            f"{text[:90]!r} is not a digest", hint="A digest is 'sha256:' and 64 lower-case hexadecimal digits."
        )
    return Digest(text)


class Platform(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an image runs on. (OCI image-spec, image-index.md, `platform`.)"""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""
    os_version: str = msgspec.field(default="", name="os.version")

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Points at content by digest. (OCI image-spec, descriptor.md.) size: bytes."""

    media_type: str
    digest: Digest
    size: int
    platform: Platform | None = None
    annotations: dict[str, str] = {}


class Repository(msgspec.Struct, frozen=True, order=True):
    """A repository in a registry: `registry` is `host[:port]`, `name` the path. Its text is the Notary GUN too."""

    registry: str
    name: str

    def __str__(self) -> str:
        return f"{self.registry}/{self.name}"


class RegistryRef(msgspec.Struct, frozen=True):
    """`registry/repo:tag`, `registry/repo@sha256:…`, or both (the digest then decides)."""

    repository: Repository
    tag: str = ""
    digest: Digest | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.repository}{tag}" + (f"@{self.digest}" if self.digest else "")


class DaemonRef(msgspec.Struct, frozen=True):
    """`docker-daemon:NAME`: an image of the local Docker engine, by name[:tag] or id."""

    name: str

    def __str__(self) -> str:
        return f"docker-daemon:{self.name}"


class LayoutRef(msgspec.Struct, frozen=True):
    """`oci:DIR[:ref]`: an OCI image layout; ref is its `org.opencontainers.image.ref.name`, or empty."""

    path: str
    name: str = ""

    def __str__(self) -> str:
        return f"oci:{self.path}" + (f":{self.name}" if self.name else "")


class ArchiveRef(msgspec.Struct, frozen=True):
    """`docker-archive:FILE[:name:tag]`: what `docker save` writes."""

    path: str
    name: str = ""

    def __str__(self) -> str:
        return f"docker-archive:{self.path}" + (f":{self.name}" if self.name else "")


ImageRef = RegistryRef | DaemonRef | LayoutRef | ArchiveRef


class Manifest(msgspec.Struct, frozen=True):
    """A manifest or an index with the exact bytes that have its digest. The bytes are never rewritten."""

    descriptor: Descriptor
    raw: bytes


class HealthCheck(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """`Healthcheck` of an image's config (a Docker extension); durations in nanoseconds."""

    test: tuple[str, ...] | None = ()
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    retries: int = 0


class RuntimeConfig(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """`config` of an image's config. (OCI image-spec, config.md.) `None` stands for JSON null and for absence."""

    user: str | None = None
    exposed_ports: dict[str, Any] | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    volumes: dict[str, Any] | None = None
    working_dir: str | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | None = None
    healthcheck: HealthCheck | None = None
    on_build: tuple[str, ...] | None = None
    shell: tuple[str, ...] | None = None


class HistoryEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step of an image's history. (OCI image-spec, config.md, `history`.)"""

    created: str | None = None
    created_by: str | None = None
    author: str | None = None
    comment: str | None = None
    empty_layer: bool | None = None


class RootFS(msgspec.Struct, frozen=True):
    """The uncompressed layers' digests, bottom first."""

    type: str = "layers"
    diff_ids: tuple[Digest, ...] = ()


class ImageConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image's config document. (OCI image-spec, config.md.)"""

    architecture: str = ""
    os: str = ""
    variant: str = ""
    created: str | None = None
    author: str | None = None
    config: RuntimeConfig | None = None
    rootfs: RootFS = RootFS()
    history: tuple[HistoryEntry, ...] | None = None

    @property
    def runtime(self) -> RuntimeConfig:
        """`config`, or an empty one where the document has none."""
        return self.config or RuntimeConfig()


class Layer(msgspec.Struct, frozen=True):
    """One layer of an image: its blob, and the digest of its uncompressed tar."""

    descriptor: Descriptor
    diff_id: Digest


class PlatformImage(msgspec.Struct, frozen=True):
    """One runnable image: manifest, config and layers, all named by digest and checked against it."""

    manifest: Manifest
    platform: Platform
    config: ImageConfig
    config_descriptor: Descriptor
    config_raw: bytes
    layers: tuple[Layer, ...]

    @property
    def digest(self) -> Digest:
        return self.manifest.descriptor.digest


class ResolvedImage(msgspec.Struct, frozen=True):
    """What a reference named at the one moment that it was resolved.

    root: what gets copied, signed and tagged: an index when all platforms were asked for, else one image's manifest.
    images: the images to be evaluated. manifests: every manifest below root (root excluded), for copying.
    """

    ref: ImageRef
    root: Manifest
    images: tuple[PlatformImage, ...]
    manifests: tuple[Manifest, ...] = ()

    @property
    def digest(self) -> Digest:
        return self.root.descriptor.digest


class FileType(StrEnum):
    """The kinds of file that a layer holds."""

    FILE = "file"
    DIRECTORY = "dir"
    SYMLINK = "symlink"
    HARDLINK = "hardlink"
    CHARACTER = "char"
    BLOCK = "block"
    FIFO = "fifo"


class FileEntry(msgspec.Struct, frozen=True, array_like=True):
    """A file of an image. path: absolute, normalised; mode: permission bits, setuid, setgid, sticky; size: bytes.

    layer: number of the image's layer that it is of, from 0; -1 when it is not known.
    """

    path: str
    type: FileType
    mode: int
    uid: int
    gid: int
    size: int
    sha256: str = ""
    link: str = ""
    layer: int = -1


class PackageType(StrEnum):
    """Package types by Anchore's names, which policies and trigger ids use."""

    DPKG = "dpkg"
    RPM = "rpm"
    APK = "APKG"
    NPM = "npm"
    PYTHON = "python"
    GEM = "gem"
    JAVA = "java"
    GO = "go"
    BINARY = "binary"
    OTHER = "other"

    @property
    def is_os(self) -> bool:
        """Whether the distribution's own package manager installs it."""
        return self in (PackageType.DPKG, PackageType.RPM, PackageType.APK)

    def canonical(self, name: str) -> str:
        """Return the one spelling of a package's name; only Python's have several. (PEP 503, "Normalized Names".)"""
        return re.sub(r"[-_.]+", "-", name).lower() if self is PackageType.PYTHON else name


class Package(msgspec.Struct, frozen=True, omit_defaults=True):
    """An installed package. path: the file that says so; layer: digest of the layer that brought that file.

    source, source_version: the source package of a distro's binary package (empty: the same as the binary's).
    """

    name: str
    version: str
    type: PackageType
    purl: str
    path: str = ""
    architecture: str = ""
    source: str = ""
    source_version: str = ""
    licenses: tuple[str, ...] = ()
    size: int = 0
    layer: Digest | None = None
    cataloger: str = "native"


class PasswdEntry(msgspec.Struct, frozen=True):
    """A line of /etc/passwd, kept as text so that nothing malformed is lost."""

    name: str
    password: str
    uid: str
    gid: str
    gecos: str
    home: str
    shell: str


class Distro(msgspec.Struct, frozen=True, omit_defaults=True):
    """From os-release(5): id `debian`, version `12`, like `("debian",)`."""

    id: str
    version: str = ""
    like: tuple[str, ...] = ()
    name: str = ""
    codename: str = ""


class SearchKind(StrEnum):
    """What a content was searched for."""

    SECRET = "secret"  # noqa: S105 - a kind of search
    CONTENT = "content"


class ContentMatch(msgspec.Struct, frozen=True, array_like=True):
    """A file in which a pattern was found, never what was found. lines: the first of them, counted from 1.

    anchored: whether a line has it where it begins, which is what Anchore Engine looks for.
    """

    kind: SearchKind
    path: str
    name: str
    regex: str
    lines: tuple[int, ...] = ()
    anchored: bool = True


class AlteredFile(msgspec.Struct, frozen=True, array_like=True):
    """A file of a distro's package that is `missing` or `changed`, or neither.

    engine_status: what Anchore Engine takes it for, which differs. docs/policies.md says how.
    """

    package: str
    path: str
    status: str
    engine_status: str


class MalwareFinding(msgspec.Struct, frozen=True, array_like=True):
    """A file in which a virus scanner found something, and the name that it has for it."""

    path: str
    signature: str


class MalwareScan(msgspec.Struct, frozen=True):
    """What a virus scanner said of all files of an image. database: the version of its signatures."""

    scanner: str
    findings: tuple[MalwareFinding, ...]
    database: str = ""


class ListedPackage(msgspec.Struct, frozen=True):
    """A package as an ecosystem's registry lists it."""

    latest: str = ""
    versions: tuple[str, ...] = ()


PackageListing = dict[PackageType, dict[str, ListedPackage]]
"""What registries have, by type and name, for the gates `npms` and `ruby_gems`."""


class AnalysedLayer(msgspec.Struct, frozen=True):
    """A layer as the Analysis names it. size: bytes of the blob; created_by: the history's command."""

    digest: Digest
    diff_id: Digest
    size: int
    created_by: str = ""


class Analysis(msgspec.Struct, frozen=True, tag_field="schema", tag="imagegate/analysis/1"):
    """All that is known about the content of one image. docs/analysis.md describes it as a document.

    size: sum of the compressed layers in bytes. passwd: None when the image has no readable /etc/passwd.
    retrieved: contents that policies ask for, by absolute path. analyzer: its version, part of every cache key.
    matches: files in which a pattern of `analysis.secrets` or `analysis.contents` was found. altered: files that are
    not as their package brought them, None when `analysis.verify` is off. malware: None when no scanner was asked.
    """

    digest: Digest
    platform: Platform
    size: int
    config: ImageConfig
    layers: tuple[AnalysedLayer, ...]
    distro: Distro | None
    packages: tuple[Package, ...]
    files: tuple[FileEntry, ...]
    passwd: tuple[PasswdEntry, ...] | None
    retrieved: dict[str, bytes]
    analyzer: str
    matches: tuple[ContentMatch, ...] = ()
    altered: tuple[AlteredFile, ...] | None = None
    malware: MalwareScan | None = None


class Severity(StrEnum):
    """Anchore's severities. Their order is `rank`."""

    UNKNOWN = "Unknown"
    NEGLIGIBLE = "Negligible"
    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"
    CRITICAL = "Critical"

    @property
    def rank(self) -> int:
        return _SEVERITY_ORDER.index(self)


_SEVERITY_ORDER = tuple(Severity)


class CvssScore(msgspec.Struct, frozen=True):
    """Scores of one CVSS vector. version: `3.1`; base, exploitability and impact: 0.0 to 10.0, -1.0 when unknown."""

    version: str
    vector: str
    base: float
    exploitability: float = -1.0
    impact: float = -1.0


class Epss(msgspec.Struct, frozen=True, array_like=True):
    """FIRST's estimate that a vulnerability is exploited within 30 days, and the share of all that score no higher."""

    score: float
    percentile: float


class Vulnerability(msgspec.Struct, frozen=True, omit_defaults=True):
    """A vulnerability that an installed package has.

    id: the CVE when there is one, else the source's own; aliases: all other ids. fix: nearest fixed version at or above
    the installed one, empty when there is none. reason: record, range and comparison that matched. exploited: whether
    CISA's catalog of known exploited vulnerabilities has it; epss: None when FIRST has not scored it.
    """

    id: str
    package: Package
    severity: Severity
    fix: str = ""
    aliases: tuple[str, ...] = ()
    url: str = ""
    summary: str = ""
    cvss: tuple[CvssScore, ...] = ()
    vendor_cvss: tuple[CvssScore, ...] = ()
    published: datetime | None = None
    fixed_at: datetime | None = None
    will_not_fix: bool = False
    feed: str = ""
    reason: str = ""
    exploited: bool = False
    epss: Epss | None = None


class FeedState(msgspec.Struct, frozen=True):
    """One ecosystem of the advisory database, e.g. `Debian:12`, `npm`, `PyPI`. synced_at: when it was last fetched."""

    ecosystem: str
    records: int
    synced_at: datetime
    newest: datetime | None = None


class VulnerabilityReport(msgspec.Struct, frozen=True):
    """What the advisories say about an Analysis.

    feeds: the feeds that were asked. missing: ecosystems that the image has packages of and the database has no data
    for (a distro's own first); no finding for these is no evidence of absence. exploitation: which of `KEV` and `EPSS`
    there is data of.
    """

    vulnerabilities: tuple[Vulnerability, ...]
    feeds: tuple[FeedState, ...]
    missing: tuple[str, ...] = ()
    database: str = ""
    exploitation: tuple[str, ...] = ()


class BaseStatus(StrEnum):
    """How far the claim "built on this base" could be proved."""

    NONE = "none"
    UNTRUSTED_REGISTRY = "untrusted_registry"
    UNSIGNED = "unsigned"
    WRONG_LAYERS = "wrong_layers"
    PROVED = "proved"


class BaseProof(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known about the base that an image says it was built on.

    reference: `registry/repo:tag` as claimed; role: the Notary role that signed it; detail: why it is not proved.
    layers: how many of the image's layers are a proved base's.
    """

    status: BaseStatus
    reference: str = ""
    digest: Digest | None = None
    role: str = ""
    detail: str = ""
    layers: int = 0


class Action(StrEnum):
    """What a rule does when its trigger fires, mildest first."""

    GO = "go"
    WARN = "warn"
    STOP = "stop"

    @property
    def rank(self) -> int:
        return _ACTION_ORDER.index(self)


_ACTION_ORDER = tuple(Action)


class AllowlistMatch(msgspec.Struct, frozen=True):
    """The allowlist entry that lets a finding through."""

    allowlist_id: str
    allowlist_name: str
    item_id: str


class Owner(StrEnum):
    """Whose a finding is: the proved base's, or the image's own."""

    BASE = "base"
    IMAGE = "image"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """A trigger that fired. trigger_id and message are what users' allowlists and Anchore's reports name.

    line: of the Dockerfile; fix: the smallest change that clears the finding, in words a developer can follow.
    aliases: other ids of the vulnerability. rule_place: of the rule, in the policy document. layer: digest of the layer
    that brought the package or file; owner: whose it is, empty when that is not known.
    """

    gate: str
    trigger: str
    trigger_id: str
    message: str
    action: Action
    policy_id: str
    rule_id: str
    allowlisted: AllowlistMatch | None = None
    severity: Severity | None = None
    package: Package | None = None
    vulnerability: str = ""
    path: str = ""
    line: int = 0
    fix: str = ""
    aliases: tuple[str, ...] = ()
    rule_place: str = ""
    layer: Digest | None = None
    owner: Owner | None = None


class Reason(StrEnum):
    """What decided the final action."""

    POLICY = "policy_evaluation"
    ALLOWLISTED_IMAGE = "whitelisted"
    DENYLISTED_IMAGE = "blacklisted"


class Problem(msgspec.Struct, frozen=True):
    """Something that kept a rule from being evaluated; one of severity `error` means "could not decide"."""

    severity: str
    type: str
    details: str


class Verdict(StrEnum):
    """The gate's answer. Undecided is neither a pass nor a stop: something kept a rule from being evaluated."""

    PASS = "pass"  # noqa: S105 - a verdict
    STOP = "stop"
    UNDECIDED = "undecided"


class Evaluation(msgspec.Struct, frozen=True, tag_field="schema", tag="imagegate/evaluation/1"):
    """The verdict on one image under one policy bundle. findings: every trigger that fired, allowlisted ones too."""

    digest: Digest
    tag: str
    policy_id: str
    policy_digest: str
    final_action: Action
    reason: Reason
    mapping: str
    findings: tuple[Finding, ...]
    evaluated_at: datetime
    problems: tuple[Problem, ...] = ()
    matched_image_rule: str = ""
    platform: str = ""

    @property
    def verdict(self) -> Verdict:
        """Go and warn pass, stop does not (Anchore Engine, PolicyEvaluation); an error problem leaves it undecided."""
        if any(problem.severity == "error" for problem in self.problems):
            return Verdict.UNDECIDED
        return Verdict.STOP if self.final_action is Action.STOP else Verdict.PASS


def joint_verdict(evaluations: Sequence[Evaluation]) -> Verdict:
    """Return the verdict on several evaluations together: all must be decided and pass; none at all is undecided."""
    verdicts = {evaluation.verdict for evaluation in evaluations} or {Verdict.UNDECIDED}
    return next(verdict for verdict in (Verdict.UNDECIDED, Verdict.STOP, Verdict.PASS) if verdict in verdicts)


class Target(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a signature says: in this repository, `name` (the tag) is `digest`; length: bytes of the manifest."""

    name: str
    digest: Digest
    length: int


class VerifiedTarget(msgspec.Struct, frozen=True, omit_defaults=True):
    """A target whose chain of signatures was checked from the pinned root. expires: the earliest of the metadata."""

    repository: Repository
    target: Target
    role: str
    signers: tuple[str, ...] = ()
    expires: datetime | None = None


class PromotionRecord(msgspec.Struct, frozen=True, tag_field="schema", tag="imagegate/promotion/1"):
    """One finished promotion: what was promoted, where to, on what grounds, and who signed."""

    source: str
    repository: str
    digest: Digest
    tags: tuple[str, ...]
    evaluations: tuple[Evaluation, ...]
    signatures: tuple[VerifiedTarget, ...]
    promoted_at: datetime
    base: BaseProof | None = None
