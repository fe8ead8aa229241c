"""The HTTP client against servers that are busy, moved, endless or after the login."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from imagegate.errors import AuthenticationFailed, NetworkError, RegistryError
from imagegate.http.client import HttpClient, redact
from imagegate.http.credentials import CredentialStore
from imagegate.settings import Host, Http

SECRET = "password-of-the-test"


@dataclass
class Seen:
    """One request as the server got it."""

    path: str
    authorization: str | None


@dataclass
class Site:
    """A server on loopback. answer: request to (status, headers, body); requests: all that came."""

    host: str
    requests: list[Seen] = field(default_factory=list)
    answer: Callable[[Seen], tuple[int, dict[str, str], bytes]] = lambda _: (200, {}, b"")

    @property
    def url(self) -> str:
        return f"http://{self.host}/thing"


@contextmanager
def serve() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            request = Seen(self.path, self.headers.get("Authorization"))
            site.requests.append(request)
            status, headers, body = site.answer(request)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as site:
        yield site


@pytest.fixture
def other() -> Iterator[Site]:
    with serve() as site:
        yield site


def client(tmp_path: Path, *sites: Site, retries: int = 2, budget: float = 10) -> HttpClient:
    """Return a client that may speak plain HTTP to these, and has a login for the first."""
    auth = base64.b64encode(f"robot:{SECRET}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {sites[0].host: {"auth": auth}}}))
    hosts = {site.host: Host(plain_http=True) for site in sites}
    return HttpClient(Http(retries=retries, budget=budget), hosts, CredentialStore({"DOCKER_CONFIG": str(tmp_path)}))


def basic(request: Seen) -> tuple[int, dict[str, str], bytes]:
    return (200, {}, b"in") if request.authorization else (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")


def test_a_login_is_sent_when_it_is_asked_for_and_then_at_once(site: Site, tmp_path: Path) -> None:
    site.answer = basic
    http = client(tmp_path, site)
    assert http.request("GET", site.url).content == b"in"
    assert http.request("GET", site.url).content == b"in"
    assert [bool(request.authorization) for request in site.requests] == [False, True, True]


def test_a_redirect_to_another_host_takes_no_login_along(site: Site, other: Site, tmp_path: Path) -> None:
    site.answer = lambda request: (302, {"Location": other.url}, b"") if request.authorization else basic(request)
    other.answer = lambda _: (200, {}, b"there")
    http = client(tmp_path, site, other)
    assert http.request("GET", site.url).content == b"there"
    assert http.request("GET", site.url).content == b"there"
    assert site.requests[-1].authorization
    assert [request.authorization for request in other.requests] == [None, None]


def test_a_redirect_on_the_same_host_keeps_the_login(site: Site, tmp_path: Path) -> None:
    site.answer = lambda request: (
        basic(request) if request.path == "/new" or not request.authorization else (307, {"Location": "/new"}, b"")
    )
    assert client(tmp_path, site).request("GET", site.url).content == b"in"


def test_a_redirect_in_circles_is_told(site: Site, tmp_path: Path) -> None:
    site.answer = lambda _: (302, {"Location": site.url}, b"")
    with pytest.raises(RegistryError, match="in circles"):
        client(tmp_path, site).request("GET", site.url)


def test_an_answer_without_an_end_is_cut_off(site: Site, tmp_path: Path) -> None:
    site.answer = lambda _: (200, {}, b"x" * (5 * 1024**2))
    with pytest.raises(NetworkError, match="more than 4194304 bytes"):
        client(tmp_path, site, retries=0).request("GET", site.url)
    with client(tmp_path, site).request("GET", site.url, stream=True) as response:
        assert sum(map(len, response.iter_content(1024**2))) == 5 * 1024**2, "content has limits of its own"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(site: Site, tmp_path: Path, status: int) -> None:
    site.answer = lambda _: (status, {"Retry-After": "0"}, b"") if len(site.requests) < 3 else (200, {}, b"at last")
    assert client(tmp_path, site).request("GET", site.url).content == b"at last"
    assert len(site.requests) == 3


@pytest.mark.parametrize("status", [400, 404, 405, 409, 416])
def test_what_does_not_pass_is_asked_once(site: Site, tmp_path: Path, status: int) -> None:
    site.answer = lambda _: (status, {}, b"")
    assert client(tmp_path, site).request("GET", site.url).status_code == status
    assert len(site.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_is_told_once_and_without_the_secret(site: Site, tmp_path: Path, status: int) -> None:
    site.answer = lambda request: (status, {}, b"") if request.authorization else basic(request)
    with pytest.raises(AuthenticationFailed) as caught:
        client(tmp_path, site).request("GET", site.url)
    assert SECRET not in repr(caught.value) + str(caught.value)
    assert len(site.requests) == 2


def test_retry_after_is_honoured_within_the_budget(site: Site, tmp_path: Path) -> None:
    site.answer = lambda _: (429, {"Retry-After": "1"}, b"") if len(site.requests) < 2 else (200, {}, b"now")
    started = time.monotonic()
    assert client(tmp_path, site).request("GET", site.url).content == b"now"
    assert time.monotonic() - started >= 1
    site.answer = lambda _: (429, {"Retry-After": "3600"}, b"")
    with pytest.raises(NetworkError, match="status 429"):
        client(tmp_path, site).request("GET", site.url)
    assert time.monotonic() - started < 5


def test_urls_are_shown_without_logins_and_tokens() -> None:
    shown = redact("https://user:word@r.example.com/v2/a/blobs?digest=sha256:1&_state=secret&token=t#frag")
    assert shown == "https://r.example.com/v2/a/blobs?digest=sha256:1"


def test_an_answer_that_breaks_off_is_asked_for_again_and_never_taken_for_whole(site: Site, tmp_path: Path) -> None:
    def half_first(_: Seen) -> tuple[int, dict[str, str], bytes]:
        cut = {"Content-Length": "8", "Connection": "close"} if len(site.requests) == 1 else {}
        return 200, cut, b"half" if cut else b"half and rest"

    site.answer = half_first
    assert client(tmp_path, site).request("GET", site.url).content == b"half and rest"
    site.answer = lambda _: (200, {"Content-Length": "8", "Connection": "close"}, b"half")
    with pytest.raises(NetworkError, match="after 3 attempts"):
        client(tmp_path, site).request("GET", site.url)
