"""What the rest of imagegate may ask of an Anchore server, and what it gets: the same for both versions of the API."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec

from imagegate.model import Action, Digest, Finding, PlatformImage, Problem, Reason, RegistryRef, Vulnerability

CHECK_COLUMNS = (
    "Image_Id",
    "Repo_Tag",
    "Trigger_Id",
    "Gate",
    "Trigger",
    "Check_Output",
    "Gate_Action",
    "Whitelisted",
    "Policy_Id",
)
"""Of the table in which API v1 tells a verdict, and which Anchore's Jenkins plugin archives."""


PACKAGES_TELL_NOTHING = frozenset({"files", "malware", "passwd_file", "retrieved_files", "secret_scans"})
"""Gates that ask for what is in files: a list of packages, which is all that an import gives, has none of it."""


class ImageState(StrEnum):
    """How far the server is with an image. (`analysis_status` in both APIs.) ANALYZED and FAILED are final."""

    NOT_ANALYZED = "not_analyzed"
    ANALYZING = "analyzing"
    ANALYZED = "analyzed"
    FAILED = "analysis_failed"


class ServerVersion(msgspec.Struct, frozen=True):
    """api: `v1` or `v2`; service: of the program, `1.1.0`; schema: of its database."""

    api: str
    service: str
    schema: str = ""


class Submission(msgspec.Struct, frozen=True):
    """What goes with an image that is added. dockerfile: its text; subscribe: whether the server watches the tag."""

    dockerfile: str = ""
    annotations: dict[str, str] = {}
    subscribe: bool = False


class ServerImage(msgspec.Struct, frozen=True):
    """An image that the server knows. tags: `registry/repo:tag`; detail: why an analysis failed, when it says so.

    dockerfile: whether one was given when it was added. annotations: those that it was added with. tagged_at: when the
    server saw the image under a tag, where it says so.
    """

    digest: Digest
    state: ImageState
    tags: tuple[str, ...] = ()
    image_id: str = ""
    detail: str = ""
    dockerfile: bool = False
    annotations: dict[str, str] = {}
    tagged_at: dict[str, datetime] = {}


class ServerPolicy(msgspec.Struct, frozen=True):
    """A policy document on the server. document: empty unless it was asked for. record: all that the server said."""

    id: str
    name: str
    active: bool
    document: dict[str, Any]
    record: dict[str, Any]


class ServerFound(msgspec.Struct, frozen=True):
    """The vulnerabilities of an image. answer: as the server gave it."""

    vulnerabilities: tuple[Vulnerability, ...] = ()
    answer: Any = None


class ServerCheck(msgspec.Struct, frozen=True):
    """The server's verdict on an image. mapping: the matched one's name, empty when none matched.

    document: the policy as the server evaluated it, None when it does not say. answer: as the server gave it.
    """

    policy_id: str
    final_action: Action
    reason: Reason
    mapping: str
    findings: tuple[Finding, ...]
    problems: tuple[Problem, ...]
    mapped: bool
    document: dict[str, Any] | None = None
    image_rule: str = ""
    evaluated_at: datetime | None = None
    answer: Any = None


class ServerAncestor(msgspec.Struct, frozen=True):
    """An analysed image whose layers an image begins with. chosen: the one that the server compares with."""

    digest: Digest
    tags: tuple[str, ...]
    layers: int
    chosen: bool


class ServiceState(msgspec.Struct, frozen=True):
    """One of the services that a server consists of."""

    name: str
    up: bool
    message: str = ""


class ServerFeed(msgspec.Struct, frozen=True):
    """A group of a feed: what the server knows about a distribution's or language's packages. synced_at: UTC."""

    feed: str
    group: str
    records: int
    synced_at: datetime | None


class ServerRegistry(msgspec.Struct, frozen=True):
    """A registry that the server can log in to. verify: whether it verifies the registry's certificate."""

    registry: str
    user: str
    verify: bool


class ServerSubscription(msgspec.Struct, frozen=True):
    """What the server watches. key: a tag or repository; kind: `tag_update`, `policy_eval` …; changed_at: UTC."""

    id: str
    key: str
    kind: str
    active: bool
    changed_at: datetime | None = None


class ServerEvent(msgspec.Struct, frozen=True):
    """Something that happened on the server. resource: the image, tag or feed that it is about.

    digest: of the image, where the resource is a tag and the event's details name it.
    """

    at: datetime | None
    level: str
    kind: str
    message: str
    resource: str = ""
    digest: str = ""


class ArchivedImage(msgspec.Struct, frozen=True):
    """An analysis in the server's archive. status: `archiving`, `archived`, `deleting`, `deleted`."""

    digest: Digest
    status: str
    tags: tuple[str, ...] = ()


class AnchoreServer(Protocol):
    """What judging asks of a server. Every method raises AnchoreError, AuthenticationFailed and NetworkError."""

    @property
    def api(self) -> str:
        """`v1` or `v2`."""

    def add(self, image: RegistryRef, tag: str, about: Submission, *, force: bool = False) -> ServerImage:
        """Submit an image by its digest. tag: `registry/repo:tag`, without which no server takes one.

        What the server knows already is not analysed again, unless force says so. It is sent once: a NetworkError
        leaves open whether it arrived.
        """

    def import_image(
        self, image: PlatformImage, tag: str, sbom: dict[str, Any], about: Submission, *, force: bool = False
    ) -> ServerImage:
        """Submit an image by what syft found in it: the server sees none of its bytes. force: as for `add`."""

    def scan(
        self, image: PlatformImage, tag: str, sbom: dict[str, Any], policy_id: str = ""
    ) -> tuple[ServerCheck, ServerFound]:
        """Evaluate what syft found in an image; the server keeps nothing. Raises AnchoreError on v1."""

    def image(self, digest: Digest) -> ServerImage | None:
        """Return an image, None when the server does not know it."""

    def ancestors(self, digest: Digest) -> tuple[ServerAncestor, ...]:
        """Return an image's analysed ancestors, the one with the fewest layers first. Raises AnchoreError on v1."""

    def check(self, digest: Digest, tag: str, policy_id: str = "", base: Digest | None = None) -> ServerCheck:
        """Evaluate an analysed image under a name by a policy; empty: the active one.

        base: the image whose findings are told to be inherited; version 1 has no such comparison.
        """

    def found(self, digest: Digest, base: Digest | None = None) -> ServerFound:
        """Return all vulnerabilities of an analysed image, those that will not be fixed too. base: as in `check`."""
