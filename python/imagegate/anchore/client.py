"""An Anchore server by its API, version 1 or 2. (`server.AnchoreServer` has the interface.)"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from imagegate.anchore import wire
from imagegate.anchore.sbom import for_server
from imagegate.anchore.server import (
    ArchivedImage,
    ServerAncestor,
    ServerCheck,
    ServerEvent,
    ServerFeed,
    ServerFound,
    ServerImage,
    ServerPolicy,
    ServerRegistry,
    ServerSubscription,
    ServerVersion,
    ServiceState,
    Submission,
)
from imagegate.anchore.session import Session
from imagegate.errors import AnchoreError
from imagegate.model import Digest, PlatformImage, RegistryRef

SbomForm = Literal["native", "spdx", "cyclonedx"]
MakeSession = Callable[[str], Session]
"""Makes the session of a base URL, which ends with the API's version."""


def connect(url: str, api: str, make: MakeSession) -> AnchoreClient:
    """Return the client of a server. url: with or without the API's version; api: `v1`, `v2` or `auto`.

    `auto` takes the version that the URL names, or the newest that the server answers to: Enterprise since 5.0 has v2
    alone, Engine v1 alone. Raises AnchoreError when it is neither, AuthenticationFailed, NetworkError.
    """
    trimmed = url.rstrip("/")
    head, _, last = trimmed.rpartition("/")
    named = last if last in _DIALECTS else ""
    root = head if named else trimmed
    wanted = named if api == "auto" else api
    if wanted:
        return AnchoreClient(make(f"{root}/{wanted}"), wanted)
    for version in _DIALECTS:
        session = make(f"{root}/{version}")
        try:
            session.get("/version")
        except AnchoreError as error:
            if error.status != 404:
                raise
            continue
        return AnchoreClient(session, version)
    raise AnchoreError(
        f"{urlsplit(url).netloc} is no Anchore server",
        why=f"it answers neither {root}/v2/version nor {root}/v1/version",
        hint="Set anchore.url to the API's address; anchore.api names its version.",
    )


class _Dialect(msgspec.Struct, frozen=True):
    """What the versions of the API call differently. check: reads a verdict."""

    api: str
    policy_spec: str
    policy_parameter: str
    image_config: str
    sboms: dict[SbomForm, str]
    pull: str
    autosubscribe: str
    document: str
    check: Callable[[Any, Digest, str], ServerCheck]


_DIALECTS = {
    "v2": _Dialect(
        api="v2",
        policy_spec="/system/policy-spec",
        policy_parameter="policy_id",
        image_config="image-config",
        sboms={"native": "native-json", "spdx": "spdx-json", "cyclonedx": "cyclonedx-json"},
        pull="pull_string",
        autosubscribe="auto_subscribe",
        document="policy",
        check=wire.check_v2,
    ),
    "v1": _Dialect(
        api="v1",
        policy_spec="/system/policy_spec",
        policy_parameter="policyId",
        image_config="image_config",
        sboms={"native": "native"},
        pull="pullstring",
        autosubscribe="autosubscribe",
        document="policybundle",
        check=wire.check_v1,
    ),
}
"""The newest first."""


class AnchoreClient:
    """A server of either version. api: `v1`, Engine's, or `v2`, Enterprise's."""

    def __init__(self, session: Session, api: str) -> None:
        self.session, self.api = session, api
        self._dialect = _DIALECTS[api]

    @property
    def origin(self) -> str:
        """Whose word the server's answers are: `ACCOUNT@HOST`, the account empty where it is the login's own."""
        return f"{self.session.account}@{self.session.host}"

    def version(self) -> ServerVersion:
        """Return the versions of program and API."""
        about = self.session.get("/version")
        try:
            return ServerVersion(
                self.api, str(about["service"]["version"]), str(about["db"].get("schema_version") or "")
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise AnchoreError(f"{self.session.host} does not tell its version", why=str(about)[:200]) from error

    def services(self) -> tuple[ServiceState, ...]:
        """Return the state of every service."""
        states = (self.session.get("/system") or {}).get("service_states") or ()
        return tuple(
            ServiceState(
                str(each.get("servicename") or each.get("service_name") or ""),
                bool(each.get("status")) and bool((each.get("service_detail") or {}).get("up", True)),
                str(each.get("status_message") or ""),
            )
            for each in states
        )

    def add(self, image: RegistryRef, tag: str, about: Submission, *, force: bool = False) -> ServerImage:
        """Submit an image by its digest. (`AnchoreServer.add`.)"""
        source: dict[str, Any] = {self._dialect.pull: f"{image.repository}@{image.digest}", "tag": tag}
        if about.dockerfile:
            source["dockerfile"] = base64.b64encode(about.dockerfile.encode()).decode()
        assert image.digest
        return self._post(image.digest, {"digest": source}, about, force=force)

    def import_image(
        self, image: PlatformImage, tag: str, sbom: dict[str, Any], about: Submission, *, force: bool = False
    ) -> ServerImage:
        """Submit an image by what syft found in it. (`AnchoreServer.import_image`.)

        An operation is begun, filled piece by piece, and named in the request for the analysis. Were that to break off,
        the server drops the operation when it expires; nothing else was changed.
        """
        operation = _text_of(self.session.send("POST", "/imports/images"), "uuid")
        pieces: list[tuple[str, str, Any, str]] = [
            ("packages", "packages", for_server(sbom, image, self.api), "application/json"),
            ("manifest", "manifest", image.manifest.raw, image.manifest.descriptor.media_type),
            ("image_config", self._dialect.image_config, image.config_raw, "application/json"),
        ]
        if about.dockerfile:
            pieces.append(("dockerfile", "dockerfile", about.dockerfile.encode(), "text/plain"))
        contents = {
            name: _text_of(self.session.send("POST", f"/imports/images/{operation}/{path}", None, body, kind), "digest")
            for name, path, body, kind in pieces
        }
        manifest = {
            "operation_uuid": operation,
            "digest": image.digest,
            "local_image_id": image.config_descriptor.digest,
            "tags": [tag],
            "contents": contents,
        }
        return self._post(image.digest, {"import": manifest}, about, force=force)

    def scan(
        self, image: PlatformImage, tag: str, sbom: dict[str, Any], policy_id: str = ""
    ) -> tuple[ServerCheck, ServerFound]:
        """Evaluate what syft found in an image. (`AnchoreServer.scan`.)"""
        self._needs_v2("scans nothing that it does not keep", "Set anchore.submit to pull or import.")
        query = {"tag": tag} | ({"policy_id": policy_id} if policy_id else {})
        answer = self.session.send("POST", "/scan", query, {"sbom": for_server(sbom, image, self.api)})
        told = answer if isinstance(answer, dict) else {}
        listed = told.get("vuln_scan") or {}
        found = ServerFound(tuple(map(wire.vulnerability, listed.get("vulnerabilities") or ())), listed)
        return self._check(told.get("policy_scan"), image.digest, tag), found

    def _post(self, digest: Digest, source: dict[str, Any], about: Submission, *, force: bool = False) -> ServerImage:
        query: dict[str, Any] = {self._dialect.autosubscribe: about.subscribe} | ({"force": True} if force else {})
        body = {"source": source} | ({"annotations": about.annotations} if about.annotations else {})
        return self._of(digest, self.session.send("POST", "/images", query, body))

    def image(self, digest: Digest) -> ServerImage | None:
        """Return an image, None when the server does not know it."""
        try:
            return self._of(digest, self.session.get(f"/images/{digest}"))
        except AnchoreError as error:
            if error.status == 404:
                return None
            raise

    def images(self) -> tuple[ServerImage, ...]:
        """Return every image of the account."""
        return tuple(map(wire.image, self._items(self.session.get("/images"))))

    def delete_image(self, digest: Digest, *, force: bool = False) -> None:
        """Delete an image. Raises AnchoreError with the server's reason when it keeps it."""
        answer = self.session.send("DELETE", f"/images/{digest}", {"force": True} if force else None)
        if isinstance(answer, dict) and answer.get("status") == "delete_failed":
            raise AnchoreError(f"the server keeps {digest}", why=str(answer.get("detail") or ""))

    def content(self, digest: Digest, kind: str) -> list[dict[str, Any]]:
        """Return what the image holds of a kind (`os`, `npm`, `files` …), as the server says it."""
        answer = self.session.get(f"/images/{digest}/content/{kind}")
        return list(answer.get("content") or ()) if isinstance(answer, dict) else []

    def sbom(self, digest: Digest, form: SbomForm = "native") -> bytes:
        """Return the server's list of an image's packages. Engine's own form is gzipped, all others are JSON."""
        if form != "native":
            self._needs_v2(f"writes no {form}", "Ask for `native`.")
        return self.session.download(f"/images/{digest}/sboms/{self._dialect.sboms[form]}")

    def ancestors(self, digest: Digest) -> tuple[ServerAncestor, ...]:
        """Return an image's analysed ancestors. (`AnchoreServer.ancestors`.)"""
        self._needs_v2("knows no ancestors of images", "Leave anchore.base empty.")
        return wire.ancestors(self._items(self.session.get(f"/images/{digest}/ancestors")))

    def vulnerabilities(
        self, digest: Digest, kind: str = "all", *, vendor_only: bool = False, base: Digest | None = None
    ) -> ServerFound:
        """Return the image's vulnerabilities. vendor_only: without what is not to be fixed."""
        query = {"vendor_only": vendor_only} | ({"base_digest": base} if base else {})
        answer = self.session.get(f"/images/{digest}/vuln/{kind}", query)
        if not isinstance(answer, dict) or not isinstance(answer.get("vulnerabilities"), list):
            raise AnchoreError(f"the server's vulnerabilities of {digest} cannot be read")
        return ServerFound(tuple(map(wire.vulnerability, answer["vulnerabilities"])), answer)

    def found(self, digest: Digest, base: Digest | None = None) -> ServerFound:
        """Return all vulnerabilities of an analysed image. (`AnchoreServer.found`.)"""
        return self.vulnerabilities(digest, base=base)

    def check(self, digest: Digest, tag: str, policy_id: str = "", base: Digest | None = None) -> ServerCheck:
        """Evaluate an image. (`AnchoreServer.check`.)"""
        query: dict[str, Any] = {"tag": tag, "detail": True, "history": False}
        if policy_id:
            query[self._dialect.policy_parameter] = policy_id
        if base:
            self._needs_v2("compares with no base", "Leave anchore.base empty.")
            query["base_digest"] = base
        return self._check(self.session.get(f"/images/{digest}/check", query), digest, tag)

    def _check(self, answer: Any, digest: Digest, tag: str) -> ServerCheck:
        return msgspec.structs.replace(self._dialect.check(answer, digest, tag), answer=answer)

    def policies(self) -> Sequence[ServerPolicy]:
        """Return all policies, without their documents."""
        return tuple(map(wire.policy, self._items(self.session.get("/policies", {"detail": False}))))

    def policy(self, policy_id: str) -> ServerPolicy | None:
        """Return a policy with its document, None when there is none of this id."""
        try:
            return wire.policy(self.session.get(f"/policies/{policy_id}", {"detail": True}))
        except AnchoreError as error:
            if error.status == 404:
                return None
            raise

    def add_policy(self, document: dict[str, Any]) -> ServerPolicy:
        """Add a policy document; it is not made active."""
        return wire.policy(self.session.send("POST", "/policies", None, document))

    def update_policy(self, policy: ServerPolicy, document: dict[str, Any], *, active: bool) -> ServerPolicy:
        """Replace a policy's document, or make it the active one."""
        changed = {"name": document.get("name", ""), "active": active, self._dialect.document: document}
        query = {"active": True} if active else None
        return wire.policy(self.session.send("PUT", f"/policies/{policy.id}", query, {**policy.record, **changed}))

    def delete_policy(self, policy_id: str) -> None:
        """Delete a policy. The active one cannot be deleted."""
        self.session.send("DELETE", f"/policies/{policy_id}")

    def policy_spec(self) -> list[dict[str, Any]]:
        """Return the gates that the server has, as it says them."""
        return list(self._items(self.session.get(self._dialect.policy_spec)))

    def feeds(self) -> tuple[ServerFeed, ...]:
        """Return the state of the server's feeds, by group."""
        found = self._items(self.session.get("/system/feeds"))
        return tuple(group for each in found for group in wire.feeds(each))

    def registries(self) -> tuple[ServerRegistry, ...]:
        """Return the registries that the server has logins for; no secret is among it."""
        return tuple(map(wire.registry, self._items(self.session.get("/registries"))))

    def set_registry(self, registry: str, user: str, password: str, *, verify: bool = True) -> None:
        """Give the server a login for a registry, new or in place of the one it has. verify: its TLS certificate."""
        known = any(each.registry == registry for each in self.registries())
        body = {
            "registry": registry,
            "registry_name": registry,
            "registry_type": "docker_v2",
            "registry_user": user,
            "registry_pass": password,
            "registry_verify": verify,
        }
        self.session.send(*(("PUT", f"/registries/{registry}") if known else ("POST", "/registries")), None, body)

    def delete_registry(self, registry: str) -> None:
        """Have the server forget a registry's login."""
        self.session.send("DELETE", f"/registries/{registry}")

    def archive(self, digest: Digest) -> None:
        """Put an analysis into the server's archive; deleting the image leaves it there. Raises AnchoreError."""
        results = self.session.send("POST", "/archives/images", None, [digest])
        for each in self._items(results):
            if each.get("status") == "error":
                raise AnchoreError(f"the server does not archive {digest}", why=str(each.get("detail") or ""))

    def archived(self) -> tuple[ArchivedImage, ...]:
        """Return the analyses in the archive."""
        return tuple(map(wire.archived, self._items(self.session.get("/archives/images"))))

    def restore(self, digest: Digest) -> ServerImage:
        """Take an analysis back out of the archive: nothing is analysed again."""
        return self._post(digest, {"archive": {"digest": digest}}, Submission())

    def events(self, **query: Any) -> Iterator[ServerEvent]:
        """Yield the server's events, newest first, page by page."""
        page = 1
        while True:
            answer = self.session.get("/events", {**query, "page": page})
            yield from map(wire.event, answer.get("results") or ())
            # The document types it as text, the server as a boolean.
            if str(answer.get("next_page")).lower() != "true":
                return
            page += 1

    def subscriptions(self, key: str = "", kind: str = "") -> tuple[ServerSubscription, ...]:
        """Return the account's subscriptions. key: a tag's or repository's only. kind: of this one only."""
        named = {"subscription_key": key, "subscription_type": kind}
        query = {name: value for name, value in named.items() if value}
        return tuple(map(wire.subscription, self._items(self.session.get("/subscriptions", query))))

    def subscribe(self, key: str, kind: str, *, active: bool) -> None:
        """Switch a subscription on or off. key: `registry/repo:tag`; kind: `tag_update`, `policy_eval` …"""
        known = [each for each in self.subscriptions(key) if each.kind == kind]
        for each in known:
            self.session.send("PUT", f"/subscriptions/{each.id}", None, {"active": active})
        if active and not known:
            self.watch(key, kind)

    def watch(self, key: str, kind: str, known: str = "") -> None:
        """Have the server watch a tag, in one request. known: the id of the subscription, where there is one."""
        if known:
            self.session.send("PUT", f"/subscriptions/{known}", None, {"active": True})
        else:
            body = {"subscription_key": key, "subscription_type": kind}
            self.session.send("POST", "/subscriptions", None, body)

    def _of(self, digest: Digest, answer: Any) -> ServerImage:
        """Read an image, and refuse another than was asked about: its state would be taken for this one's."""
        found = wire.image(answer)
        if found.digest != digest:
            raise AnchoreError(f"{self.session.host} answered about {found.digest}", why=f"{digest} was asked about")
        return found

    def _needs_v2(self, what: str, hint: str) -> None:
        if self.api == "v1":
            raise AnchoreError(f"{self.session.host} {what}", why="Enterprise does, by API version 2", hint=hint)

    def _items(self, answer: Any) -> list[Any]:
        """Return a list of the server's: bare in version 1, some of them wrapped in version 2."""
        found = answer.get("items") if isinstance(answer, dict) else answer
        if not isinstance(found, list):
            raise AnchoreError(f"{self.session.host} answered with what is no list", why=str(answer)[:200])
        return found


def _text_of(answer: Any, name: str) -> str:
    value = answer.get(name) if isinstance(answer, dict) else None
    if not value or not isinstance(value, str):
        raise AnchoreError(f"the server's answer to an import lacks {name!r}", why=str(answer)[:200])
    return value
