"""A fake Jenkins: stateful, with logins, crumbs, faults and latency, over HTTP or TLS.

Paths and answers are those of Jenkins's remote access API (jenkins.io, "Remote Access API"), the Credentials plugin's
(docs/user.adoc, "REST API") and of Configuration as Code's export.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import ssl
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from lab.pki import Certificate
from tests.fakes.jenkins_items import JOB, MULTIBRANCH, PLUGINS, Node, Refused, checked_name, parsed, stored, told

USER, TOKEN = "admin", "11abcdef-token-of-admin"
ALL_PLUGINS = {
    *PLUGINS.values(), "workflow-aggregator", "pipeline-groovy-lib", "credentials-binding", "pipeline-build-step",
    "junit", "warnings-ng", "htmlpublisher", "badge", "matrix-auth", "configuration-as-code", "credentials",
    "plain-credentials",
}  # fmt: skip


class FakeJenkins:
    """A server for a `with` block.

    delay: seconds of every answer. next_faults: how the next requests go wrong: `reset` before they are done, `lost`
    after, or a status. share, ways: of requests that go wrong by chance. disabled: plugins that are there and off.
    """

    def __init__(self, certificate: Certificate | None = None, *, delay: float = 0.0, seed: int = 1) -> None:
        self.delay, self.share, self.ways = delay, 0.0, ("reset", "lost", "503", "429", "502")
        self.plugins, self.disabled = set(ALL_PLUGINS), set[str]()
        self.next_faults: list[str] = []
        self.root = Node("", "hudson.model.Hudson", b"<hudson/>")
        self.crumbs = self.is_admin = True
        self.version = "2.516.1"
        self.root_url: str | None = "https://jenkins.example.com/"
        self.credentials: dict[str, list[str]] = {"": []}
        self.agents: list[tuple[str, bool, list[str]]] = [("agent-1", False, ["docker", "linux"])]
        self.libraries = ["imagegate"]
        self.requests: list[tuple[str, str]] = []
        self._random, self._lock, self._sessions = random.Random(seed), threading.RLock(), 0
        self._tls = certificate is not None
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate, certificate.key)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}/ci"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def counted(self) -> Counter[str]:
        """Return how many requests of each method came in."""
        return Counter(method for method, _ in self.requests)

    def find(self, name: str) -> Node:
        """Return an item by its full name. Raises Refused."""
        node = self.root
        for each in name.split("/") if name else ():
            node = _member(node.children, each)
        return node

    def put(self, name: str, raw: bytes) -> Node:
        """Make an item, or change it, behind everybody's back."""
        parent, _, last = name.rpartition("/")
        folder = self.find(parent)
        class_name, document = stored(raw, self.plugins)
        node = folder.children.get(last.lower()) or Node(last, class_name, document)
        node.class_name, node.document = class_name, document
        folder.children[last.lower()] = node
        return node

    def edit(self, name: str, old: bytes, new: bytes) -> None:
        """Edit an item by hand."""
        node = self.find(name)
        assert old in node.document, node.document
        node.document = node.document.replace(old, new)

    def names(self, node: Node | None = None, above: str = "") -> set[str]:
        """Return the full names of all items, branches left out."""
        found = set()
        for each in (node or self.root).children.values():
            found.add(f"{above}{each.name}")
            if each.class_name != MULTIBRANCH:
                found |= self.names(each, f"{above}{each.name}/")
        return found

    def restart(self) -> None:
        """Make every session and crumb void."""
        self._sessions += 1_000_000

    def fault(self) -> str:
        """Return how the next request goes wrong, empty when it does not."""
        with self._lock:
            if self.next_faults:
                return self.next_faults.pop(0)
            return self._random.choice(self.ways) if self._random.random() < self.share else ""

    def crumb(self, session: str) -> str:
        """Return the crumb of a session. (hudson.security.csrf.DefaultCrumbIssuer binds it to the session's id.)"""
        return hashlib.sha256(f"{session}-{self._sessions // 1_000_000}".encode()).hexdigest()

    def session(self) -> str:
        with self._lock:
            self._sessions += 1
            return f"node{self._sessions}"

    def answer(self, method: str, target: str, headers: Any, body: bytes, session: str) -> tuple[int, Any]:
        """Answer a request: (status, document; bytes are sent as they are)."""
        parts = urlsplit(target)
        path = parts.path.removeprefix("/ci/")
        with self._lock:
            self.requests.append((method, parts.path))
            login = base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
            if headers.get("Authorization") != f"Basic {login}":
                return 401, b"<html><body>Invalid password/token</body></html>"
            if method == "POST" and self.crumbs and headers.get("Jenkins-Crumb") != self.crumb(session):
                return 403, b"<html><body>No valid crumb was included in the request</body></html>"
            try:
                return self._route(method, path, {k: v[0] for k, v in parse_qs(parts.query).items()}, body, session)
            except Refused as refused:
                return refused.status, refused.message.encode()

    def _route(self, method: str, path: str, query: dict[str, str], body: bytes, session: str) -> tuple[int, Any]:
        segments = [unquote(each) for each in path.split("/")]
        node, parent, view = self.root, self.root, ""
        while segments[:1] == ["job"]:
            node, parent, segments = _member(node.children, segments[1]), node, segments[2:]
        if segments[:1] == ["view"] and segments[1] != "all":
            view, segments = segments[1], segments[2:]
            node, parent = _member(node.views, view), node
        match [method, *segments]:
            case ["GET", "api", "json"]:
                return 200, self._api(node, query)
            case ["GET", "config.xml"]:
                return 200, node.document
            case ["POST", "config.xml"]:
                class_name, document = stored(body, self.plugins)
                if class_name != node.class_name:
                    raise Refused(500, "Expecting another class")
                node.document = document
                return 200, b""
            case ["POST", "createItem" | "createView" as verb]:
                return self._create(node, query["name"], body, is_view=verb == "createView")
            case ["POST", "doDelete"]:
                (parent.views if view else parent.children).pop(node.name.lower())
                return 302, b"/ci/"
            case ["GET", "crumbIssuer", "api", "json"] if self.crumbs:
                return 200, {"crumb": self.crumb(session), "crumbRequestField": "Jenkins-Crumb"}
            case ["GET", "me", "api", "json"]:
                return 200, {"_class": "hudson.model.User", "id": USER, "fullName": "Administrator"}
        return self._admin(method, segments, node)

    def _api(self, node: Node, query: dict[str, str]) -> dict[str, Any]:
        tree = parsed(query.get("tree", ""))
        answer = told(node, tree, int(query.get("depth", "0")))
        if node is self.root and "url" in tree:
            answer["url"] = self.root_url
        return answer

    def _create(self, folder: Node, name: str, body: bytes, *, is_view: bool) -> tuple[int, Any]:
        taken = folder.views if is_view else folder.children
        checked_name(name, taken, "view" if is_view else "job")
        class_name, document = stored(body, self.plugins)
        taken[name.lower()] = made = Node(name, class_name, document)
        if class_name == MULTIBRANCH:
            made.children["main"] = Node("main", JOB, b"<flow-definition/>")
        return 200, b""

    def _admin(self, method: str, segments: list[str], node: Node) -> tuple[int, Any]:
        if not self.is_admin:
            raise Refused(403, "admin is missing the Overall/Administer permission")
        match [method, *segments]:
            case ["GET", "pluginManager", "api", "json"]:
                known = sorted(self.plugins | self.disabled)
                on = [each not in self.disabled for each in known]
                fields = zip(known, on, strict=True)
                return 200, {
                    "plugins": [
                        {"shortName": name, "version": "999.v1", "active": works, "enabled": works}
                        for name, works in fields
                    ]
                }
            case ["GET", "computer", "api", "json"]:
                return 200, {
                    "computer": [
                        {"displayName": name, "offline": offline, "assignedLabels": [{"name": each} for each in labels]}
                        for name, offline, labels in self.agents
                    ]
                }
            case ["GET", "credentials", "store", "system" | "folder", "domain", "_", "api", "json"]:
                ids = self.credentials.get(node.name, [])
                return 200, {"credentials": [{"id": each} for each in ids]}
            case ["GET", "view", "all", "newJob"]:
                return 200, b"<html></html>"
            case ["POST", "configuration-as-code", "export"] if "configuration-as-code" in self.plugins:
                libraries = [{"name": each, "defaultVersion": "v0.1.0"} for each in self.libraries]
                return 200, json.dumps({"unclassified": {"globalLibraries": {"libraries": libraries}}}).encode()
        raise Refused(404, "<html><head><title>Not Found</title></head></html>")


def _member(members: dict[str, Node], name: str) -> Node:
    if name.lower() not in members:
        raise Refused(404, "Not Found")
    return members[name.lower()]


class _Server(ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 128

    def handle_error(self, *_: Any) -> None:
        """Be quiet about connections that were cut."""


class _Handler(BaseHTTPRequestHandler):
    fake: FakeJenkins
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes, and a delayed ACK between them costs 40 ms

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        time.sleep(self.fake.delay)
        fault = self.fake.fault()
        session = (self.headers.get("Cookie") or "").partition("JSESSIONID=")[2].partition(";")[0]
        self._new = "" if session else self.fake.session()
        if fault.isdigit():
            self._reply(int(fault), b"<html><body>Jenkins is getting ready to work</body></html>")
            return
        if fault != "reset":
            status, document = self.fake.answer(self.command, self.path, self.headers, body, session or self._new)
        if fault:
            self.connection.close()
            self.close_connection = True
            return
        self._reply(status, document)

    def _reply(self, status: int, document: Any) -> None:
        raw = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("X-Jenkins", self.fake.version)
        if self._new:
            self.send_header("Set-Cookie", f"JSESSIONID={self._new}; Path=/ci; HttpOnly")
        if status == 302:
            self.send_header("Location", f"{self.fake.url.partition('/ci')[0]}{raw.decode()}")
            raw = b""
        if status == 429:
            self.send_header("Retry-After", "0")
        # Jenkins gives documents without an encoding. (hudson.model.AbstractItem.doConfigDotXml.)
        kind = "application/xml" if self.path.endswith("config.xml") else "application/json;charset=utf-8"
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = _serve  # noqa: N815 - the base class's names

    def log_message(self, *_: Any) -> None:
        """Be quiet."""
