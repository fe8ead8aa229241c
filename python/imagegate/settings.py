"""The settings, as frozen values with their built-in defaults. `config` reads and layers them.

Stages take the one section that they need, never the whole. Times are in seconds, sizes in bytes.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A group of settings: no unknown key gets in."""


class Limits(_Section, frozen=True):
    """How much of an image is read before it counts as hostile. Over a limit is an error that names the setting."""

    manifest_size: int = 4 * 1024**2
    config_size: int = 16 * 1024**2
    index_entries: int = 256
    index_depth: int = 4
    layers: int = 512
    layer_size: int = 16 * 1024**3
    """Uncompressed bytes of one layer."""
    image_size: int = 64 * 1024**3
    """Uncompressed bytes of all layers."""
    compression_ratio: int = 1100
    """Uncompressed over compressed bytes of a layer, once it is over 64 MiB. (DEFLATE itself cannot pass 1032.)"""
    layer_entries: int = 3_000_000
    path_length: int = 4096
    metadata_file_size: int = 128 * 1024**2
    """A package database or other metadata file that is read whole."""


class Http(_Section, frozen=True):
    """Time-outs of every request. budget: for one request with all its retries."""

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    budget: float = 300.0
    retries: int = 5


class Host(_Section, frozen=True):
    """A server by `host[:port]`. The verification of TLS is off only where `insecure` names the host."""

    ca_file: str = ""
    insecure: bool = False
    plain_http: bool = False


class Cache(_Section, frozen=True):
    """Where blobs and layer analyses are kept. Empty: `$XDG_CACHE_HOME/imagegate`."""

    directory: str = ""
    max_size: int = 20 * 1024**3
    analyses_size: int = 4 * 1024**3


class Malware(_Section, frozen=True):
    """ClamAV. address: of clamd, the path of its socket or `host:port`. database: clamscan's, empty: its default."""

    scanner: Literal["", "clamd", "clamscan"] = ""
    address: str = "/run/clamav/clamd.ctl"
    database: str = ""


class AnalysisSettings(_Section, frozen=True):
    """catalogers: `auto` runs syft only where a layer holds what no native cataloger reads.

    retrieve: absolute paths whose contents policies ask for. secrets, contents: regular expressions by name that the
    lines of files are searched for; secrets: beside the shipped ones, an empty one takes a shipped one away.
    """

    catalogers: Literal["auto", "native", "syft"] = "auto"
    lock_files: bool = False
    """Whether what lock files ask for counts as packages, installed or not."""
    retrieve: tuple[str, ...] = ("/etc/passwd",)
    retrieve_max_size: int = 1024**2
    secrets: dict[str, str] = {}
    contents: dict[str, str] = {}
    search_max_size: int = 1024**2
    verify: bool = False
    """Whether files are compared with the distro's package database; a policy with `packages/verify` turns it on."""
    malware: Malware = Malware()


class Advisories(_Section, frozen=True):
    """database: the SQLite file; empty: `advisories.sqlite` in the cache directory.

    max_age_days: data older than this counts as missing ("could not decide"); 0: no limit but the policy's own.
    sources: what `db update` updates when it is told nothing; empty: all. urls: where a source is published, by its
    name, `osv` for all exports: a mirror's URL, or an absolute path. timeout: seconds for the download of one file.
    signing_key: the PEM file of the Ed25519 key that snapshots are signed with. snapshot_keys: public keys, one of
    which must have signed a snapshot that is imported.
    """

    database: str = ""
    max_age_days: int = 0
    sources: tuple[str, ...] = ()
    urls: dict[str, str] = {}
    timeout: float = 3600.0
    signing_key: str = ""
    snapshot_keys: tuple[str, ...] = ()
    unsigned_snapshots: bool = False
    """Whether snapshots without a signature are imported."""


class Vulnerabilities(_Section, frozen=True):
    """Who says what vulnerabilities packages have: the advisory database, or the program grype with its own.

    grype: the program, a name on PATH or a file. timeout: seconds for one run of it.
    """

    provider: Literal["database", "grype"] = "database"
    grype: str = "grype"
    timeout: float = 600.0


class PolicySettings(_Section, frozen=True):
    """bundle: the policy document. unmapped: what an image that no mapping matches gets (the engine passes it)."""

    bundle: str = ""
    compat: Literal["strict", "engine"] = "strict"
    unmapped: Literal["error", "go"] = "error"
    allow_deprecated: bool = False
    """Whether rules of gates that ended are left out, in place of being refused."""
    waivers: tuple[str, ...] = ()
    """Files of waivers."""
    project_waivers: bool = False
    """Whether a project's settings may name waivers."""
    vex: tuple[str, ...] = ()
    """VEX documents: who says that a vulnerability does not affect an image or a package of it."""
    project_vex: bool = False
    """Whether a project's settings may name VEX documents."""
    waiver_days: dict[str, int] = {}
    """The longest life of a waiver by severity, `other` for findings without one; 0 or absent: any."""
    packages: str = ""
    """A JSON file that lists what registries have, for the gates `npms` and `ruby_gems`."""
    missing_advisories: Literal["error", "go"] = "error"
    """What an image gets that has packages of an ecosystem the database has no advisories for."""


class Trusted(_Section, frozen=True):
    """The trusted registry. bases: regexes, one of which `registry/repo` of a base must match whole; empty: any."""

    registry: str = ""
    bases: tuple[str, ...] = ()
    base_roles: tuple[str, ...] = ("targets/releases", "targets")


class NotarySettings(_Section, frozen=True):
    """server: URL of the Notary server. keys: directory of the key store; empty: `$IMAGEGATE_NOTARY_KEYS`.

    pins: per repository glob, ids of the root keys (or certificate file) that are trusted from the start. Without a pin
    the root is trusted on first use only where trust_on_first_use says so; from then on it is held in the cache.
    create_root: make a root key when the store has none; else signing the first target of all is an error.
    create_keys: make the other keys that a new repository or signer needs; off where the key store is not kept.
    signer: name of the delegation `targets/<signer>` to sign with, besides `targets/releases`; empty: sign `targets`.
    """

    server: str = ""
    keys: str = ""
    pins: dict[str, tuple[str, ...]] = {}
    trust_on_first_use: bool = False
    create_root: bool = False
    create_keys: bool = True
    signer: str = ""
    roles: tuple[str, ...] = ("targets/releases", "targets")
    """Roles whose word counts when a tag is verified, first match wins."""


class Docker(_Section, frozen=True):
    """The Docker engine. host: as DOCKER_HOST; empty: the environment's."""

    host: str = ""
    timeout: float = 600.0


class Anchore(_Section, frozen=True):
    """An Anchore server. url: with or without the API's version, which `auto` finds out.

    account: whose images; empty: the login's own. oauth: log in with a token that the server gives for the password.
    staging: `registry/repository` that images are pushed to for the server to pull; empty: it pulls from where
    they are.
    submit: how the server gets an image: it pulls it; or it is given what syft found in it, for an analysis (`import`)
    or for one evaluation, of which it keeps nothing (`scan`, Enterprise only).
    policy: id of the server's policy; empty: its active one. timeout: seconds for one analysis, queue and all.
    vulnerabilities: whether all of an image's are fetched for the reports.
    base: the digest of the image that findings are inherited from, or `auto`, which the server chooses; empty: no
    comparison; Enterprise only. exclude_inherited: reports leave out what is inherited; the verdict does not.
    annotations: go with every image. subscribe: the server watches the tags of the images that it is given.
    force: what it has analysed is analysed anew, by every run.
    """

    url: str = ""
    api: Literal["auto", "v1", "v2"] = "auto"
    account: str = ""
    oauth: bool = False
    staging: str = ""
    submit: Literal["pull", "import", "scan"] = "pull"
    policy: str = ""
    timeout: float = 3600.0
    vulnerabilities: bool = False
    base: Annotated[str, msgspec.Meta(pattern="^(auto|sha256:[0-9a-f]{64})?$")] = ""
    exclude_inherited: bool = False
    annotations: dict[str, str] = {}
    subscribe: bool = False
    force: bool = False


class InventorySettings(_Section, frozen=True):
    """Where promoted images are kept. url: of the database, without a password; empty: a SQLite file of the user's.

    record: whether a promotion is recorded. required: whether one that cannot be recorded ends with "could not decide".
    team: whose the images are; empty: as the label `org.imagegate.team` says. keep: how many promotions of a repository
    stay, 0: all. untagged_days: how long one stays whose tags are all another's by now, 0: for good. news_days: how
    long it is kept what re-checks have found and told, 0: for good.
    """

    url: str = ""
    record: bool = True
    required: bool = False
    team: str = ""
    keep: Annotated[int, msgspec.Meta(ge=0)] = 0
    untagged_days: Annotated[int, msgspec.Meta(ge=0)] = 0
    news_days: Annotated[int, msgspec.Meta(ge=0)] = 0


Level = Literal["unknown", "negligible", "low", "medium", "high", "critical", "go", "warn", "stop"]
"""A severity, or an action of a policy."""


class Recheck(_Section, frozen=True):
    """threshold: a finding of this severity or above, or for which a policy does this or worse, ends with exit 1.

    subscribe: an Anchore server is told to watch what is re-checked, so that only what changed is asked about.
    """

    threshold: tuple[Level, ...] = ("high", "stop")
    subscribe: bool = True


class Channel(_Section, frozen=True):
    """Where teams are told. Secrets are in the environment, by the channel's name.

    kind: `email` by an SMTP server, `slack` by an incoming webhook, `webhook` for any server. url: of a webhook, where
    it is no secret. server: `host:port`. sender: the From of mails. to: who is told of what no team of the teams file
    has. owners: whether a team's owners of the teams file are told. teams: globs of the teams that the channel is for.
    """

    kind: Literal["email", "slack", "webhook"]
    url: str = ""
    server: str = ""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()
    owners: bool = True
    teams: tuple[str, ...] = ("*",)


class Notify(_Section, frozen=True):
    """Who is told what a re-check finds. threshold: as `recheck.threshold`, for what is told.

    digest: how often notices are written at most. teams: the teams file, which has the owners.
    """

    threshold: tuple[Level, ...] = ("high", "stop")
    digest: Literal["immediate", "daily", "weekly"] = "immediate"
    teams: str = ""
    channels: dict[str, Channel] = {}


class Settings(_Section, frozen=True):
    """All settings."""

    platform: str = "linux/amd64"
    scanner: Literal["local", "anchore"] = "local"
    """Who analyses and evaluates: this machine, or the Anchore server."""
    hosts: dict[str, Host] = {}
    limits: Limits = Limits()
    http: Http = Http()
    cache: Cache = Cache()
    docker: Docker = Docker()
    analysis: AnalysisSettings = AnalysisSettings()
    advisories: Advisories = Advisories()
    vulnerabilities: Vulnerabilities = Vulnerabilities()
    policy: PolicySettings = PolicySettings()
    trusted: Trusted = Trusted()
    notary: NotarySettings = NotarySettings()
    anchore: Anchore = Anchore()
    inventory: InventorySettings = InventorySettings()
    recheck: Recheck = Recheck()
    notify: Notify = Notify()
