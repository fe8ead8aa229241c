"""The JenkinsServer by python-jenkins: its session, login and crumbs; time-outs, retries and errors of ours.

python-jenkins is asked by `jenkins_request` only. Its methods for jobs look twice around each write, which makes three
requests of one; its `get_job_config` guesses an encoding where Jenkins names none; and each of its clients has one
session, which is not made for several threads, so each client is in the hands of one thread at a time.
"""

from __future__ import annotations

import os
import random
import ssl
import time
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jenkins
import msgspec
import requests
import urllib3

from imagegate.errors import ConfigError, NetworkError
from imagegate.jenkins.answers import Answer, answered, refused
from imagegate.jenkins.items import Listed, Place, listing
from imagegate.jenkins.server import JenkinsError, Unsure
from imagegate.settings import Host, Http

_DEPTH = 4
_NOT_YET = frozenset({429, 503})
"""Answers that say that nothing was done: too many requests, and a Jenkins that is starting or going down."""
_AGAIN = _NOT_YET | {408, 500, 502, 504}
_XML = {"Content-Type": "text/xml; charset=utf-8"}


class Client:
    """A Jenkins at a URL. Safe to use from several threads."""

    def __init__(self, url: str, user: str, token: str, http: Http, host: Host) -> None:
        """host: how the server is verified. Nothing is sent yet. Raises ConfigError for what is no such URL."""
        self.url = _checked(url, host)
        self._user, self._token, self._http = user, token, http
        self._verify = False if host.insecure else host.ca_file or _bundle()
        self._idle: list[Any] = []
        if host.insecure:
            # The setting names the host, so a warning at each request would tell nobody anything new.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    @property
    def host(self) -> str:
        """Its name and port, for messages."""
        return urlsplit(self.url).netloc

    def items(self) -> list[Listed]:
        """Return all items, by one request for every four levels of folders."""
        found: list[Listed] = []
        todo = [Place(())]
        while todo:
            place = todo.pop()
            views = "" if place.path else ",views[name,description]"
            document = self.ask(_path(place), f"{_tree(_DEPTH)}{views}")
            told = listing(document, place.path)
            deep = len(place.path) + _DEPTH
            todo += (each.place for each in told if each.is_folder and len(each.place.path) == deep)
            found += told
        return found

    def read(self, place: Place) -> bytes:
        """Return an item's document."""
        return self.send("GET", f"{_path(place)}/config.xml").body

    def create(self, place: Place, document: bytes) -> None:
        """Make an item, by one request."""
        verb = "createView" if place.is_view else "createItem"
        query = urlencode({"name": place.path[-1]}, quote_via=quote)
        self.send("POST", f"{_path(place.parent)}/{verb}?{query}".lstrip("/"), body=document, once=True)

    def update(self, place: Place, document: bytes) -> None:
        """Replace an item's document."""
        self.send("POST", f"{_path(place)}/config.xml", body=document)

    def delete(self, place: Place) -> None:
        """Remove an item."""
        try:
            self.send("POST", f"{_path(place)}/doDelete")
        except JenkinsError as error:
            if error.status != 404:
                raise

    def is_empty(self, folder: Place) -> bool:
        """Whether nothing is in a folder."""
        try:
            return not self.ask(_path(folder), "jobs[name]").get("jobs")
        except JenkinsError as error:
            if error.status != 404:
                raise
            return True

    def ask(self, path: str, tree: str = "") -> Any:
        """Return an answer's JSON."""
        query = f"?{urlencode({'tree': tree})}" if tree else ""
        answer = self.send("GET", f"{path}/api/json{query}".lstrip("/"))
        try:
            return msgspec.json.decode(answer.body)
        except msgspec.DecodeError as error:
            raise JenkinsError(f"{self.host} answers with what is no JSON", why=str(error), hint=_IS_IT) from error

    def version(self) -> str:
        """Return the version of Jenkins."""
        return self.send("GET", "api/json?tree=mode").version

    def fetch(self, method: str, path: str) -> bytes:
        """Return the body of an answer."""
        return self.send(method, path).body

    def send(self, method: str, path: str, *, body: bytes | None = None, once: bool = False) -> Answer:
        """Send a request, again where that is safe. once: not again when it may have been done; raises Unsure then.

        Raises JenkinsError, AuthenticationFailed, NetworkError.
        """
        deadline = time.monotonic() + self._http.budget
        attempt, is_renewed = 0, False
        while True:
            answer = self._attempt(method, path, body, deadline)
            if answer.is_done:
                return answer
            if answer.is_stale and not is_renewed:
                is_renewed = True
                continue
            attempt += 1
            again = answer.status in _AGAIN and not (body is not None and answer.status == 500)
            if answer.status and not again:
                raise refused(self.host, method, path, answer)
            if once and answer.was_sent and answer.status not in _NOT_YET:
                raise Unsure(f"{method} {self._shown(path)} was not answered", why=answer.trouble)
            pause = answer.retry_after or random.uniform(0.1, 0.25 * 2**attempt)  # noqa: S311 - jitter, not a secret
            if attempt > self._http.retries or time.monotonic() + pause > deadline:
                raise NetworkError(
                    f"{method} {self._shown(path)} failed" + (f" after {attempt} attempts" if attempt > 1 else ""),
                    why=answer.trouble,
                    hint=f"Check that {self.host} is up, then run the same command again.",
                )
            time.sleep(pause)

    def _attempt(self, method: str, path: str, body: bytes | None, deadline: float) -> Answer:
        client = self._client()
        left = max(deadline - time.monotonic(), 0.5)
        client.timeout = (min(self._http.connect_timeout, left), min(self._http.read_timeout, left))
        request = requests.Request(method, f"{self.url}/{path}", data=body, headers=_XML if body is not None else {})
        answer = answered(self.host, lambda: client.jenkins_request(request, add_crumb=method == "POST"))
        if answer.is_stale:
            self._idle.clear()  # a restart of Jenkins makes the sessions and crumbs of all void
        else:
            self._idle.append(client)
        return answer

    def _client(self) -> Any:
        """Return a client that no other thread has."""
        try:
            return self._idle.pop()
        except IndexError:
            pass
        if os.environ.get("JENKINS_API_EXTRA_HEADERS"):
            raise ConfigError(
                "JENKINS_API_EXTRA_HEADERS is set",
                why="python-jenkins prints it, with the secrets that it may hold",
                hint="Unset it for this command.",
            )
        client = jenkins.Jenkins(self.url, self._user, self._token)
        # It has no public way to name a CA. A redirect is never followed: it could lead to another host, or by
        # plain HTTP, and of a POST it would make a GET.
        client._session.verify, client._session.max_redirects = self._verify, 0
        return client

    def _shown(self, path: str) -> str:
        return f"{self.url}/{path.partition('?')[0]}"


_IS_IT = "Is it the URL of a Jenkins?"


def _tree(depth: int) -> str:
    inner = f",{_tree(depth - 1)}" if depth > 1 else ""
    return f"jobs[name,description{inner}]"


def _path(place: Place) -> str:
    """Return where an item is below the server's URL: each name quoted for itself, as one may hold what URLs use."""
    step = "view" if place.is_view else "job"
    return "/".join(f"{step}/{quote(name, safe='')}" for name in place.path)


def _checked(url: str, host: Host) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ConfigError(f"{parts._replace(netloc=parts.netloc.rpartition('@')[2]).geturl()!r} is no URL of a Jenkins")
    if "@" in parts.netloc:
        raise ConfigError(
            f"the URL of {parts.netloc.rpartition('@')[2]} holds a login",
            hint="Set IMAGEGATE_JENKINS_USER and IMAGEGATE_JENKINS_TOKEN instead.",
        )
    if parts.scheme == "http" and not host.plain_http:
        raise ConfigError(
            f"{url} is not reached by HTTPS",
            why="the token would go over the wire readable",
            hint=f"Use https, or set hosts.{parts.netloc}.plain_http.",
        )
    return url.rstrip("/")


def _bundle() -> str | bool:
    """Return the CAs that the environment names, else the system's; True: those that requests brings."""
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    return named or ssl.get_default_verify_paths().cafile or True
