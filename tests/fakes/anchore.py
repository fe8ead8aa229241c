"""A fake Anchore server, Engine's API v1 or Enterprise's v2: stateful, with faults, held against the contract.

It judges with the embedded evaluator under `compat: engine`, which the recorded evaluations hold to the real engine.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import msgspec

from imagegate import dockerfile
from imagegate.anchore.server import CHECK_COLUMNS
from imagegate.errors import PolicyError
from imagegate.model import Action, Digest, Evaluation, Finding, Reason
from imagegate.policy.document import parse_bundle
from imagegate.policy.evaluate import evaluate
from imagegate.policy.facts import Facts
from imagegate.settings import PolicySettings
from tests.fakes.anchore_events import USER, Watcher
from tests.fakes.contract import DOCUMENTS, Contract

PASSWORD, API_KEY = "foobar", "key-of-the-api"
RENAMED = {
    "imageDigest": "image_digest", "parentDigest": "parent_digest", "imageId": "image_id", "userId": "account_name",
    "fulltag": "full_tag", "fulldigest": "full_digest", "policyId": "policy_id", "policybundle": "policy",
    "servicename": "service_name", "hostid": "host_id",
}  # fmt: skip


class Faults(msgspec.Struct):
    """share: of requests that go wrong, each in one of the ways. slow: seconds of latency."""

    share: float = 0.0
    ways: tuple[str, ...] = ("401", "429", "500", "503", "reset", "truncated")
    slow: float = 0.0
    seed: int = 1


class FakeImage(msgspec.Struct):
    """What the server holds of an image. analyses: how often it was analysed."""

    digest: Digest
    image_id: str
    tags: list[str]
    dockerfile: str
    since: float
    created: str
    analyses: int = 1
    annotations: dict[str, str] = {}


Look = Callable[[Digest], Facts | None]


class FakeAnchore:
    """A server for a `with` block. Requests and violations of the contract are kept.

    look: returns what an image holds, None when the registry has none of the digest. seconds: that an analysis takes,
    after `queue` seconds. failing: digests whose analysis fails. next_faults: how the next
    requests go wrong. tagged: what the registry has under names.
    bases: of images, their ancestors, the nearest last; inherited: trigger ids of findings that a base has too.
    watcher: what it watches, and the events of that. feeds_at: when its feeds were fetched.
    """

    def __init__(
        self, api: str, look: Look, *, seconds: float = 0.0, queue: float = 0.0, faults: Faults | None = None
    ) -> None:
        self.api, self.look, self.seconds, self.queue = api, look, seconds, queue
        self.faults = faults or Faults()
        self.failing: set[Digest] = set()
        self.next_faults: list[str] = []
        self.images: dict[Digest, FakeImage] = {}
        self.policies: dict[str, dict[str, Any]] = {}
        self.active = ""
        self.requests: list[tuple[str, str]] = []
        self.violations: list[str] = []
        self.tagged: dict[str, Digest] = {}
        self.feeds_at = "2026-11-18T00:00:00Z"
        self.bases: dict[Digest, list[Digest]] = {}
        self.inherited: set[str] = set()
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.registries: dict[str, dict[str, Any]] = {}
        self.archived: dict[Digest, FakeImage] = {}
        self.imports: dict[str, dict[str, tuple[str, bytes]]] = {}
        self.tokens: set[str] = set()
        self.refused_tokens: set[str] = set()
        self.watcher = Watcher(self)
        self._contract = Contract(api)
        self._random = random.Random(self.faults.seed)
        self._lock = threading.RLock()
        self._callers: set[str] = set()
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}/{self.api}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def counted(self) -> Counter[str]:
        """Return how often each kind of request came in: `POST images`, `GET images/*`, `GET images/*/check` …"""
        found: Counter[str] = Counter()
        for method, path in self.requests:
            parts = ["*" if part.startswith("sha256:") else part for part in path.strip("/").split("/")[1:]]
            found[f"{method} {'/'.join(parts)}"] += 1
        return found

    def add_policy(self, document: dict[str, Any], *, active: bool = True) -> None:
        """Put a policy document on the server."""
        self.policies[document["id"]] = document
        if active:
            self.active = document["id"]

    def fault(self, caller: str) -> str:
        """Return how this request goes wrong, empty when it does not. By chance, no caller's first one is a 401."""
        with self._lock:
            if self.next_faults:
                return self.next_faults.pop(0)
            wrong = self._random.random() < self.faults.share
            way = self._random.choice(self.faults.ways) if wrong else ""
            is_first = caller not in self._callers
            self._callers.add(caller)
            return "" if is_first and way == "401" else way

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any]:
        """Answer a request, and hold the exchange against the contract."""
        parts = urlsplit(target)
        with self._lock:
            self.requests.append((method, parts.path))
        if not self._knows(headers.get("Authorization", "")) and not parts.path.endswith("/oauth/token"):
            return 401, "Unauthorized"
        if parts.path.endswith("/swagger.json"):
            return 200, self._contract.document
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        is_json = "json" in (headers.get("Content-Type") or "")
        try:
            given = json.loads(body) if body and is_json else None
            with self._lock:
                status, document = self._route(method, parts.path, query, given, body)
        except _Refused as refused:
            status, document = refused.status, self._error(refused.status, str(refused), refused.detail)
        found = self._contract.violations(method, target, given, status, document)
        with self._lock:
            self.violations += found
        return status, document

    def _knows(self, header: str) -> bool:
        scheme, _, value = header.partition(" ")
        if scheme == "Basic":
            with suppress(ValueError):
                return base64.b64decode(value).decode() in (f"{USER}:{PASSWORD}", f"_api_key:{API_KEY}")
        return scheme == "Bearer" and value in self.tokens - self.refused_tokens

    def _error(self, status: int, message: str, detail: dict[str, Any]) -> dict[str, Any]:
        return {"httpcode": status, "message": message, "detail": {"error_codes": [], **detail}}

    def _route(self, method: str, path: str, query: dict[str, str], given: Any, body: bytes) -> tuple[int, Any]:
        prefix = f"/{self.api}"
        if path == "/version":
            path = f"{prefix}/version"
        if not path.startswith(prefix):
            raise _Refused(404, "The requested URL was not found on the server")
        parts = [part for part in path.removeprefix(prefix).split("/") if part]
        match [method, *parts]:
            case ["GET"]:
                return 200, self.api
            case ["GET", "version"]:
                return 200, {"service": {"version": "1.1.0"}, "api": {}, "db": {"schema_version": "0.0.16"}}
            case ["GET", "system"]:
                return 200, self._told({"service_states": [self._service("catalog"), self._service("policy_engine")]})
            case ["POST", "oauth", "token"]:
                return 200, self._token(parse_qs(body.decode()))
            case ["GET", "images"]:
                return 200, self._list([self._image(each) for each in self._wanted(query)])
            case ["POST", "images"]:
                return 200, self._one(self._image(self._add(given or {}, query)))
            case ["GET", "images", digest]:
                return 200, self._one(self._image(self._find(digest)))
            case ["DELETE", "images", digest]:
                return 200, self._delete(digest, query)
            case ["GET", "images", digest, "check"]:
                return 200, self._check(self._analysed(digest), query)
            case ["GET", "images", digest, "vuln", kind]:
                about = self._analysed(digest)
                found = [each for each in self.vulnerabilities(about) if kind in ("all", each[0])]
                name = RENAMED["imageDigest"] if self.api == "v2" else "imageDigest"
                told = {name: about.digest, "vulnerability_type": kind, "vulnerabilities": [each for _, each in found]}
                return 200, told
            case ["GET", "images", digest, "content", kind]:
                about = self._analysed(digest)
                name = RENAMED["imageDigest"] if self.api == "v2" else "imageDigest"
                return 200, {name: about.digest, "content_type": kind, "content": list(self._content(about, kind))}
            case ["GET", "events"]:
                return 200, self._events(query)
            case ["GET", "system", "feeds"]:
                group = {"name": "debian:12", "record_count": 10, "last_sync": self.feeds_at}
                return 200, [{"name": "vulnerabilities", "groups": [group]}]
            case ["GET", "system", "policy_spec" | "policy-spec"]:
                return 200, json.loads((DOCUMENTS / "policy_spec_engine.json").read_text())
            case ["GET", "policies"]:
                return 200, [self._policy(each, detail=False) for each in self.policies]
            case ["POST", "policies"]:
                return 200, self._policy(self._accept(given or {}), detail=True)
            case ["GET" | "PUT" | "DELETE", "policies", name]:
                return self._of_policy(method, name, query, given)
            case ["GET", "images", digest, "ancestors"] if self.api == "v2":
                return 200, self._ancestors(self._analysed(digest).digest)
            case ["POST", "imports", "images", *rest]:
                return 200, self._import(rest, body)
            case ["GET", "images", digest, "sboms", form]:
                return 200, self._sbom(self._analysed(digest), form)
            case ["POST", "scan"] if self.api == "v2":
                return 200, self._scan(given["sbom"], query)
            case [_, "subscriptions", *rest]:
                return self._of_subscriptions(method, rest, query, given or {})
            case [_, "registries", *rest]:
                return self._of_registries(method, "/".join(rest), given or {})
            case [_, "archives", "images", *rest]:
                return self._of_archive(method, rest, given)
        raise _Refused(404, "The requested URL was not found on the server")

    def _list(self, items: list[Any]) -> Any:
        """Lists of images are wrapped in version 2, others are not."""
        return {"items": items} if self.api == "v2" else items

    def _one(self, document: dict[str, Any]) -> Any:
        return document if self.api == "v2" else [document]

    def _told(self, document: Any) -> Any:
        """Say a document in the words of the version."""
        if self.api == "v1":
            return document
        if isinstance(document, dict):
            return {RENAMED.get(name, name): self._told(value) for name, value in document.items()}
        return [self._told(each) for each in document] if isinstance(document, list) else document

    def _service(self, name: str) -> dict[str, Any]:
        detail = {
            "available": True,
            "busy": False,
            "db_version": "0.0.16",
            "detail": {},
            "message": "all good",
            "up": True,
            "version": "1.1.0",
        }
        return {
            "base_url": "http://localhost:1",
            "hostid": "h",
            "service_detail": detail,
            "servicename": name,
            "status": True,
            "status_message": "available",
            "version": "v1",
        }

    def _token(self, form: dict[str, list[str]]) -> dict[str, Any]:
        if (form.get("username"), form.get("password")) != ([USER], [PASSWORD]):
            raise _Refused(401, "Unauthorized")
        token = f"token-{len(self.tokens)}"
        self.tokens.add(token)
        return {"access_token": token, "token": token, "expires_in": 3600, "token_type": "Bearer"}

    def _wanted(self, query: dict[str, str]) -> Iterator[FakeImage]:
        wanted = query.get("fulltag") or query.get("full_tag")
        found = [each for each in self.images.values() if wanted in (None, *each.tags)]
        if wanted and not found and self.api == "v1":
            raise _Refused(404, "image data not found in DB")
        yield from found

    def vulnerabilities(self, image: FakeImage) -> Iterator[tuple[str, dict[str, Any]]]:
        facts = self.look(image.digest)
        for each in facts.vulnerabilities.vulnerabilities if facts and facts.vulnerabilities else ():
            package = each.package
            told = {
                "vuln": each.id, "fix": each.fix or "None", "severity": each.severity.value, "url": each.url,
                "package": f"{package.name}-{package.version}", "package_name": package.name,
                "package_version": package.version, "package_type": package.type.value, "package_cpe": "None",
                "package_cpe23": "None", "package_path": package.path or "pkgdb", "feed": "vulnerabilities",
                "feed_group": each.feed or "github:npm", "nvd_data": [], "vendor_data": [],
                "will_not_fix": each.will_not_fix,
            }  # fmt: skip
            if self.api == "v2":
                told |= {"description": "", "is_kev": each.exploited, "epss": [], "inherited_from_base": False}
            yield ("os" if package.type.is_os else "non-os"), told

    def _content(self, image: FakeImage, kind: str) -> Iterator[dict[str, Any]]:
        facts = self.look(image.digest)
        for package in facts.analysis.packages if facts else ():
            if kind == ("os" if package.type.is_os else package.type.value):
                yield {
                    "package": package.name, "version": package.version, "type": package.type.value.upper(),
                    "location": package.path, "licenses": list(package.licenses), "origin": "",
                    **({"license": " ".join(package.licenses), "cpes": []} if self.api == "v1" else {}),
                }  # fmt: skip

    def _add(self, body: dict[str, Any], query: dict[str, str]) -> FakeImage:
        source = (body.get("source") or {}).get("digest")
        imported = (body.get("source") or {}).get("import")
        if imported:
            source = self._imported(imported)
        archived = (body.get("source") or {}).get("archive")
        if archived:
            if archived["digest"] not in self.archived:
                raise _Refused(404, "Not found in archive")
            restored = self.archived[archived["digest"]]
            self.images[restored.digest] = restored
            return restored
        if body.get("tag") in self.tagged:  # the form that anchore-cli sends
            source = {"pullstring": f"x@{self.tagged[body['tag']]}", "tag": body["tag"]}
        if not source:
            raise _Refused(400, "Bad Request")
        pull = source["pull_string" if self.api == "v2" else "pullstring"]
        digest = Digest(pull.rpartition("@")[2])
        known = self.look(digest)
        if known is None:
            raise _Refused(
                400, "cannot fetch image digest/manifest from registry", error_codes=["REGISTRY_IMAGE_NOT_FOUND"]
            )
        given = source.get("dockerfile", "")
        found = self.images.get(digest)
        if found is None:
            image_id = str(known.image_id or digest).removeprefix("sha256:")
            found = FakeImage(digest, image_id, [source["tag"]], given, time.monotonic(), _now())
            self.images[digest] = found
        elif query.get("force", "").lower() == "true":
            found.since, found.analyses, found.dockerfile = time.monotonic(), found.analyses + 1, given
            self.failing.discard(digest)
        found.annotations |= body.get("annotations") or {}
        if query.get("autosubscribe", query.get("auto_subscribe", "")).lower() == "true":
            self._subscribe("tag_update", source["tag"])
        if source["tag"] not in found.tags:
            found.tags.append(source["tag"])
        return found

    def _import(self, rest: list[str], body: bytes) -> dict[str, Any]:
        if not rest:
            operation = f"operation-{len(self.imports)}"
            self.imports[operation] = {}
            return {"uuid": operation, "status": "pending", "expires_at": _now(), "created_at": _now()}
        operation, kind = rest
        if operation not in self.imports:
            raise _Refused(404, "No import with operation_id found")
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        self.imports[operation][kind.replace("-", "_")] = (digest, body)
        return {"digest": digest, "created_at": _now()}

    def _imported(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Return what an import adds, as if it had been pulled. What it names must have been sent."""
        sent = self.imports.get(manifest["operation_uuid"], {})
        for kind, digest in manifest["contents"].items():
            if sent.get(kind, ("",))[0] != digest:
                raise _Refused(400, f"import of {kind} not found")
        if sent["manifest"][0] != manifest["digest"]:
            raise _Refused(400, "digest of the manifest is another")
        (tag,) = manifest["tags"]
        found = base64.b64encode(sent["dockerfile"][1]).decode() if "dockerfile" in sent else ""
        pull = "pull_string" if self.api == "v2" else "pullstring"
        return {pull: f"x@{manifest['digest']}", "tag": tag, "dockerfile": found}

    def _scan(self, sbom: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        digest = Digest(sbom["source"]["metadata"]["manifestDigest"])
        image = FakeImage(digest, digest, [query["tag"]], "", 0.0, _now())
        found = [each for _, each in self.vulnerabilities(image)]
        return {
            "vuln_scan": {"sbom_id": "1", "extended_support": False, "vulnerabilities": found},
            "policy_scan": self._check(image, query),
        }

    def _sbom(self, image: FakeImage, form: str) -> Any:
        if form not in {"v1": ("native",), "v2": ("native-json", "spdx-json", "cyclonedx-json")}[self.api]:
            raise _Refused(404, "The requested URL was not found on the server")
        return json.dumps({"form": form, "image": image.digest})

    def _events(self, query: dict[str, str]) -> dict[str, Any]:
        """Return a page of one: what the watcher found, the newest first, then every image's analysis."""
        page = int(query.get("page", "1"))
        analyses: list[dict[str, Any]] = [
            {
                "created_at": each.created, "generated_uuid": each.image_id,
                "event": {
                    "type": "user.image.analysis.completed", "level": "info", "message": "Image analysis completed",
                    "details": {}, "timestamp": each.created, "category": "image",
                    "resource": {"userId": USER, "id": each.digest, "type": "image_digest"},
                    "source": {"servicename": "analyzer", "hostid": "h", "base_url": "", "request_id": ""},
                },
            }
            for each in self.images.values()
        ]  # fmt: skip
        events = [
            self._told(each)
            for each in [*reversed(self.watcher.events), *analyses]
            if each["event"]["type"].startswith(query.get("event_type", ""))
            and query.get("level", "info") == "info"
            and each["event"]["timestamp"] > query.get("since", "")
        ]
        results = events[page - 1 : page]
        return {"results": results, "next_page": page < len(events), "item_count": len(results), "page": page}

    def _ancestors(self, digest: Digest) -> list[dict[str, Any]]:
        listed = self.bases.get(digest, [])
        return [
            {
                "image_digest": each, "parent_digest": each, "tags": ["registry.example/base:1"],
                "layers": [f"sha256:{number:064x}" for number in range(place)],
                "user_marked_base": False, "chosen_base_image": place == len(listed),
            }
            for place, each in enumerate(listed, 1)
        ]  # fmt: skip

    def _of_subscriptions(
        self, method: str, rest: list[str], query: dict[str, str], given: dict[str, Any]
    ) -> tuple[int, Any]:
        match [method, *rest]:
            case ["GET"]:
                wanted = {name.removeprefix("subscription_"): value for name, value in query.items()}
                found = [
                    each
                    for each in self.subscriptions.values()
                    if all(each[f"subscription_{name}"] == value for name, value in wanted.items())
                ]
                return 200, [self._subscription(each) for each in found]
            case ["POST"]:
                made = self._subscribe(given["subscription_type"], given["subscription_key"])
                return 200, [self._subscription(made)]
            case [_, name] if name in self.subscriptions:
                if method == "DELETE":
                    del self.subscriptions[name]
                    return (204, None) if self.api == "v2" else (200, None)
                self.subscriptions[name] |= {**given, "last_updated": int(time.time())}
                return 200, [self._subscription(self.subscriptions[name])]
        raise _Refused(404, "subscription not found in DB")

    def _subscription(self, record: dict[str, Any]) -> Any:
        """Say a subscription: its times are numbers in version 1, and text in version 2."""
        if self.api == "v1":
            return record
        times = {
            name: f"{datetime.fromtimestamp(record[name], UTC):%Y-%m-%dT%H:%M:%SZ}"
            for name in ("created_at", "last_updated")
        }
        return self._told({**record, **times})

    def _subscribe(self, kind: str, key: str) -> dict[str, Any]:
        name = hashlib.md5(f"{USER}{kind}{key}".encode()).hexdigest()  # noqa: S324 - a name
        self.subscriptions[name] = {
            "subscription_id": name, "subscription_type": kind, "subscription_key": key, "subscription_value": None,
            "active": True, "userId": USER, "created_at": int(time.time()), "last_updated": int(time.time()),
        }  # fmt: skip
        return self.subscriptions[name]

    def _of_registries(self, method: str, name: str, given: dict[str, Any]) -> tuple[int, Any]:
        if method == "GET" and not name:
            return 200, self._told(list(self.registries.values()))
        if method == "POST":
            name = given["registry"]
            if name in self.registries:
                raise _Refused(500, f"registry already exists in DB - cannot add {name}")
        elif name not in self.registries:
            raise _Refused(404, "registry not found in DB")
        if method == "DELETE":
            del self.registries[name]
            return (204, None) if self.api == "v2" else (200, None)
        if method in ("POST", "PUT"):
            told = {key: value for key, value in given.items() if key != "registry_pass"}
            self.registries[name] = {**told, "userId": USER, "created_at": _now()}
        return 200, self._told([self.registries[name]])

    def _of_archive(self, method: str, rest: list[str], given: Any) -> tuple[int, Any]:
        if method == "POST":
            return 200, [self._archive(Digest(each)) for each in given]
        if method == "GET" and not rest:
            return 200, self._told([self._archived(each) for each in self.archived.values()])
        if rest[0] not in self.archived:
            raise _Refused(404, "Not found in archive")
        found = self.archived[Digest(rest[0])]
        if method == "DELETE":
            del self.archived[found.digest]
        return 200, self._told(self._archived(found))

    def _archive(self, digest: Digest) -> dict[str, Any]:
        known = self.images.get(digest)
        if known is None or self.state(known) != "analyzed":
            return {"digest": digest, "status": "error", "detail": "image not analyzed"}
        self.archived[digest] = known
        return {"digest": digest, "status": "archived", "detail": "Completed successfully"}

    def _archived(self, image: FakeImage) -> dict[str, Any]:
        about = self._image(image)
        keep = {"imageDigest", "image_digest", "parentDigest", "parent_digest", "created_at", "last_updated"}
        return {
            **{name: value for name, value in about.items() if name in keep},
            "annotations": image.annotations, "status": "archived", "analyzed_at": image.created,
            "image_detail": [
                {"pullstring": tag, "registry": "r", "repository": "r", "tag": "t", "detected_at": image.created}
                for tag in image.tags
            ],
            "archive_size_bytes": 1,
        }  # fmt: skip

    def _find(self, digest: str) -> FakeImage:
        if digest not in self.images:
            raise _Refused(404, "image data not found in DB")
        return self.images[Digest(digest)]

    def state(self, image: FakeImage) -> str:
        """Return how far an image's analysis is."""
        lasted = time.monotonic() - image.since
        if lasted < self.queue:
            return "not_analyzed"
        if lasted < self.queue + self.seconds:
            return "analyzing"
        return "analysis_failed" if image.digest in self.failing else "analyzed"

    def _analysed(self, digest: str) -> FakeImage:
        found = self._find(digest)
        state = self.state(found)
        if state != "analyzed":
            raise _Refused(404, f"image is not analyzed - analysis_status: {state}")
        return found

    def _image(self, image: FakeImage) -> dict[str, Any]:
        details = []
        for tag in image.tags:
            name, _, last = tag.rpartition(":")
            registry, _, repo = name.partition("/")
            details.append(
                {
                    "created_at": image.created, "digest": image.digest, "dockerfile": image.dockerfile or None,
                    "fulldigest": f"{name}@{image.digest}", "fulltag": tag, "imageDigest": image.digest,
                    "imageId": image.image_id, "last_updated": image.created, "registry": registry, "repo": repo,
                    "tag": last, "tag_detected_at": image.created, "userId": USER,
                }
            )  # fmt: skip
        state = self.state(image)
        metadata = {
            "arch": "amd64",
            "distro": "debian",
            "distro_version": "12",
            "dockerfile_mode": "Actual",
            "image_size": 1,
            "layer_count": 1,
        }
        document = {
            "analysis_status": state, "analyzed_at": image.created if state == "analyzed" else None,
            "annotations": image.annotations, "created_at": image.created,
            "imageDigest": image.digest, "image_content": {"metadata": metadata},
            "image_detail": details, "image_status": "active", "image_type": "docker", "last_updated": image.created,
            "parentDigest": image.digest, "userId": USER,
        }  # fmt: skip
        if self.api == "v2":
            for each in document["image_detail"]:  # type: ignore[attr-defined]
                each.pop("digest")
        return self._told(document)  # type: ignore[no-any-return]

    def _delete(self, digest: str, query: dict[str, str]) -> dict[str, Any]:
        self._find(digest)
        name = "image_digest" if self.api == "v2" else "digest"
        if query.get("force", "").lower() != "true":
            why = "cannot delete image that is the latest of its tags, and has active subscription"
            return {name: digest, "status": "delete_failed", "detail": why}
        del self.images[Digest(digest)]
        return {name: digest, "status": "deleting", "detail": ""}

    def _accept(self, document: dict[str, Any]) -> str:
        try:
            parse_bundle(json.dumps(document).encode(), "posted", beyond=self.api == "v2")
        except PolicyError as error:
            detail = {"details": str(error), "problem_type": "InvalidParameterError", "severity": "error"}
            raise _Refused(400, "Bundle failed validation", validation_details=[detail]) from error
        self.add_policy(document, active=False)
        return str(document["id"])

    def _policy(self, name: str, *, detail: bool) -> dict[str, Any]:
        document = self.policies[name]
        record = {
            "active": name == self.active, "created_at": _now(), "last_updated": _now(),
            "name": document.get("name", ""), "policyId": name, "policy_source": "local", "userId": USER,
        }  # fmt: skip
        told: dict[str, Any] = self._told(record)
        if detail or self.api == "v1":
            told["policybundle" if self.api == "v1" else "policy"] = document if detail else {}
        return told

    def _of_policy(self, method: str, name: str, query: dict[str, str], given: Any) -> tuple[int, Any]:
        if name not in self.policies:
            raise _Refused(404, f"Policy bundle {name} not found in DB")
        if method == "DELETE":
            if name == self.active:
                raise _Refused(500, "cannot delete an active policy")
            del self.policies[name]
            return 200, None
        if method == "PUT":
            self.policies[name] = given["policybundle" if self.api == "v1" else "policy"]
            if given.get("active") or query.get("active", "").lower() == "true":
                self.active = name
        return 200, self._one(self._policy(name, detail=True))

    def evaluated(self, image: FakeImage, tag: str) -> Any:
        """Return the findings by the active policy, which is what an event of a verdict compares."""
        if not self.active:
            return {}
        answer = self._check(image, {"tag": tag})
        if self.api == "v2":
            return {"findings": answer["evaluations"][0]["details"]["findings"]}
        (about,) = answer[0][image.digest][tag]
        return {"rows": about["detail"]["result"]["result"][image.image_id]["result"]["rows"]}

    def _check(self, image: FakeImage, query: dict[str, str]) -> Any:
        tag = query.get("tag")
        if not tag:
            raise _Refused(400, "tag is required")
        name = query.get("policyId") or query.get("policy_id") or self.active
        if name not in self.policies:
            raise _Refused(404, f"Policy bundle {name} not found in DB")
        facts = self.look(image.digest)
        assert facts
        if image.dockerfile:
            given = dockerfile.parse(base64.b64decode(image.dockerfile).decode())
            facts = msgspec.structs.replace(facts, dockerfile=given)
        document = self.policies[name]
        bundle = parse_bundle(json.dumps(document).encode(), name)
        settings = PolicySettings(compat="engine", unmapped="go", missing_advisories="go")
        found = evaluate(bundle, facts, tag=tag, settings=settings, now=datetime.now(UTC))
        return (
            _v1_check(image, tag, found, document)
            if self.api == "v1"
            else _v2_check(image, tag, found, document, self.inherited if query.get("base_digest") else set())
        )


def _status(found: Evaluation) -> str:
    return "fail" if found.final_action is Action.STOP else "pass"


def _waived(finding: Finding, id_: str, name: str) -> dict[str, str] | None:
    match = finding.allowlisted
    return {id_: match.allowlist_id, name: match.allowlist_name, "matched_rule_id": match.item_id} if match else None


def _v1_check(image: FakeImage, tag: str, found: Evaluation, document: dict[str, Any]) -> Any:
    rows = [
        [
            image.image_id, tag, each.trigger_id, each.gate, each.trigger, each.message, each.action.value,
            _waived(each, "whitelist_id", "whitelist_name") or False,
            each.policy_id,
        ]
        for each in found.findings
    ]  # fmt: skip
    reasons = {Reason.DENYLISTED_IMAGE: "blacklisted", Reason.ALLOWLISTED_IMAGE: "whitelisted"}
    table = {
        "header": list(CHECK_COLUMNS),
        "row_count": len(rows),
        "rows": rows,
        "final_action": found.final_action.value,
    }
    result = {
        "user_id": USER, "image_id": image.image_id, "tag": tag, "bundle": document,
        "matched_mapping_rule": {"name": found.mapping} if found.mapping else False,
        "matched_whitelisted_images_rule": False, "matched_blacklisted_images_rule": False,
        "final_action": found.final_action.value, "final_action_reason": reasons.get(found.reason, "policy_evaluation"),
        "created_at": 1, "last_modified": 1, "evaluation_problems": [],
        "image_digest": image.digest, "status": _status(found),
        "result": {
            image.image_id: {"result": table}, "policy_data": [], "policy_name": "", "whitelist_data": [],
            "whitelist_names": [],
        },
    }  # fmt: skip
    about = {
        "policyId": document["id"], "status": _status(found), "last_evaluation": _now(),
        "detail": {"policy": document, "result": result},
    }  # fmt: skip
    return [{image.digest: {tag: [about]}}]


def _v2_check(image: FakeImage, tag: str, found: Evaluation, document: dict[str, Any], inherited: set[str]) -> Any:
    findings = [
        {
            "trigger_id": each.trigger_id, "gate": each.gate, "trigger": each.trigger, "message": each.message,
            "action": each.action.value, "policy_id": each.policy_id, "recommendation": "", "rule_id": each.rule_id,
            "allowlisted": bool(each.allowlisted), "inherited_from_base": each.trigger_id in inherited,
            **({"allowlist_match": _waived(each, "id", "name")} if each.allowlisted else {}),
        }
        for each in found.findings
    ]  # fmt: skip
    reasons = {Reason.DENYLISTED_IMAGE: "denylisted", Reason.ALLOWLISTED_IMAGE: "allowlisted"}
    matched = next((each for each in document["mappings"] if found.mapping in (each["name"], each.get("id"))), None)
    mapping = {"matched_mapping_rule": matched} if found.mapping else {}
    evaluation = {
        "status": _status(found), "final_action": found.final_action.value, "evaluation_time": _now(),
        "final_action_reason": reasons.get(found.reason, "policy_evaluation"), "number_of_findings": len(findings),
        "image_allowlisted": found.reason is Reason.ALLOWLISTED_IMAGE,
        "image_denylisted": found.reason is Reason.DENYLISTED_IMAGE,
        "image_mapped_to_rule": bool(found.mapping), "evaluation_problems": [], **mapping,
        "details": {
            "policy": document, "policy_action": found.final_action.value, "findings": findings, "remediations": [],
        },
    }  # fmt: skip
    return {
        "policy_id": document["id"],
        "image_digest": image.digest,
        "evaluated_tag": tag,
        "evaluations": [evaluation],
    }


class _Refused(Exception):
    def __init__(self, status: int, message: str, **detail: Any) -> None:
        super().__init__(message)
        self.status, self.detail = status, detail


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Who was killed does not wait for its answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    fake: FakeAnchore
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes, and a delayed ACK between them costs 40 ms

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(self.fake.faults.slow)
        fault = self.fake.fault(self.headers.get("Anchore-Request-Id", ""))
        if fault.isdigit():
            self._reply(int(fault), {"httpcode": int(fault), "message": "injected", "detail": {}})
            return
        status, document = self.fake.answer(self.command, self.path, self.headers, body)
        self._reply(status, document, cut=fault)

    def _reply(self, status: int, document: Any, cut: str = "") -> None:
        raw = json.dumps(document).encode() if document is not None else b""
        if cut == "reset":
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        if status == 401:
            self.send_header("WWW-Authenticate", 'basic realm="Authentication required"')
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        if cut == "truncated":
            self.wfile.write(raw[: len(raw) // 2])
            self.connection.close()
            self.close_connection = True
            return
        self.wfile.write(raw)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the base class's names

    def log_message(self, *_: Any) -> None:
        """Be quiet."""


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
