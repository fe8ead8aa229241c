"""HTTP as all servers are spoken to: time-outs, retries of what is safe, TLS, logins, errors that say who did what."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import msgspec
import urllib3

from imagegate import __version__
from imagegate.errors import AuthenticationFailed, NetworkError, RegistryError
from imagegate.http.auth import Authenticates, Authenticator, Fetch
from imagegate.http.credentials import CredentialStore
from imagegate.http.transport import LONGEST_ANSWER, Response, Sized, Transport
from imagegate.settings import Host, Http

RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 8
_ALWAYS = {"User-Agent": f"imagegate/{__version__}", "Accept-Encoding": "identity"}

Body = bytes | Callable[[], Sized]
"""A request's body: bytes, or something that makes a fresh iterable for each attempt."""


class HttpClient:
    """One per run. Safe to use from several threads."""

    def __init__(
        self,
        http: Http,
        hosts: Mapping[str, Host],
        credentials: CredentialStore | None = None,
        *,
        login: Callable[[Fetch], Authenticates] | None = None,
        tell: Callable[[bytes], str] | None = None,
        longest: int = LONGEST_ANSWER,
    ) -> None:
        """login: in place of a registry's way to log in. tell: reads what a server says of an error, in place of the
        distribution specification's form. longest: bytes of an answer that is read whole."""
        self._http, self._hosts, self._longest = http, hosts, longest
        self._tell = tell or _words
        store = credentials or CredentialStore()
        self._authenticator = login(self._fetch_token) if login else Authenticator(store, self._fetch_token)
        self._transport = Transport(hosts)

    def base_url(self, host: str) -> str:
        """Return `https://host`, or `http://host` where a setting says that this host speaks plain HTTP."""
        return f"{'http' if self._hosts.get(host, Host()).plain_http else 'https'}://{host}"

    def request(
        self,
        method: str,
        url: str,
        *,
        scope: str = "",
        headers: Mapping[str, str] | None = None,
        data: Body | None = None,
        stream: bool = False,
        repeatable: bool = True,
    ) -> Response:
        """Send a request and return the response of any status that is neither retried nor a refused login.

        scope: of the token to ask for when the server wants one. repeatable: False where a second sending could do
        harm; it is then only retried when the connection was never made. stream: the caller reads the body.
        Raises NetworkError (unreachable, or still busy at the end of the budget), AuthenticationFailed.
        """
        deadline = time.monotonic() + self._http.budget
        attempt = 0
        while True:
            response, trouble, sent = self._attempt(method, url, scope, headers or {}, data, stream, deadline)
            if response is not None and response.status_code not in RETRIED:
                return response
            if response is not None:
                trouble = f"status {response.status_code}{self._excerpt(response)}"
            attempt += 1
            pause = self._pause(attempt, response)
            if response is not None:
                response.close()
            may = repeatable or not sent
            if attempt > self._http.retries or not may or time.monotonic() + pause > deadline:
                raise NetworkError(
                    f"{method} {redact(url)} failed" + (f" after {attempt} attempts" if attempt > 1 else ""),
                    why=trouble,
                    hint=f"Check that {urlsplit(url).netloc} is up, then run the same command again.",
                )
            time.sleep(pause)

    def _attempt(
        self,
        method: str,
        url: str,
        scope: str,
        headers: Mapping[str, str],
        data: Body | None,
        stream: bool,
        deadline: float,
    ) -> tuple[Response | None, str, bool]:
        """Return (response, None or trouble, whether the request may have reached the server)."""
        try:
            return self._authorized(method, url, scope, headers, data, stream, deadline), "", True
        except urllib3.exceptions.SSLError as error:
            host = urlsplit(url).netloc
            raise NetworkError(
                f"the certificate of {host} cannot be verified",
                why=reason(error),
                hint=f"Set hosts.{host}.ca_file to the CA that signed it.",
            ) from error
        except (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError) as error:
            return None, reason(error), False
        except urllib3.exceptions.HTTPError as error:
            return None, reason(error), True

    def _authorized(
        self,
        method: str,
        url: str,
        scope: str,
        headers: Mapping[str, str],
        data: Body | None,
        stream: bool,
        deadline: float,
    ) -> Response:
        host = urlsplit(url).netloc
        known = self._authenticator.header(host, scope)
        response = self._send(method, url, {**headers, "Authorization": known}, data, stream, deadline)
        if response.status_code == 401:
            challenge = response.headers.get("WWW-Authenticate", "")
            response.close()
            self._authenticator.forget(host, scope)
            answer = self._authenticator.answer(host, scope, challenge)
            if answer == known:
                raise self._refused(host, 401)
            response = self._send(method, url, {**headers, "Authorization": answer}, data, stream, deadline)
        if response.status_code in (401, 403):
            detail = self._excerpt(response)
            response.close()
            raise self._refused(host, response.status_code, detail)
        return response

    def _refused(self, host: str, status: int, detail: str = "") -> AuthenticationFailed:
        login = self._authenticator.login(host)
        whose = f"the login from {login.origin}" if login else "an anonymous login"
        allowed = "does not allow this" if status == 403 else "was refused"
        return AuthenticationFailed(
            f"{host}: {whose} {allowed}", why=f"status {status}{detail}", hint="Check the login and what it may do."
        )

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], data: Body | None, stream: bool, deadline: float
    ) -> Response:
        """Send, and follow redirects by hand: a login goes to no other host, and TLS is not left behind."""
        first = urlsplit(url)
        for _ in range(_MAX_REDIRECTS):
            here = urlsplit(url)
            own = (here.scheme, here.netloc) == (first.scheme, first.netloc)
            sent = {name: value for name, value in headers.items() if value and (own or name != "Authorization")}
            response = self._transport.send(
                method,
                url,
                headers={**_ALWAYS, **sent},
                body=data() if callable(data) else data,
                timeout=self._timeouts(deadline),
                stream=stream,
                longest=self._longest,
            )
            location = response.headers.get("Location", "")
            if response.status_code not in _REDIRECTS or not location or method not in ("GET", "HEAD"):
                return response
            response.close()
            url = urljoin(url, location)
            target = urlsplit(url)
            plain = self._hosts.get(target.netloc, Host()).plain_http
            if target.scheme != "https" and not (target.scheme == "http" and (here.scheme == "http" or plain)):
                raise RegistryError(f"{first.netloc} redirects to {redact(url)}", why="which is not HTTPS")
        raise RegistryError(f"{method} {redact(first.geturl())} is redirected in circles")

    def _timeouts(self, deadline: float) -> tuple[float, float]:
        left = max(deadline - time.monotonic(), 0.5)
        return min(self._http.connect_timeout, left), min(self._http.read_timeout, left)

    def _excerpt(self, response: Response) -> str:
        """Return what the server says, in a few words."""
        try:
            words = self._tell(next(response.iter_content(4096), b""))
        except urllib3.exceptions.HTTPError:
            words = ""
        return f", {words}" if words else ""

    def _pause(self, attempt: int, response: Response | None) -> float:
        """Return seconds to wait: exponential with full jitter, or what the server asks for. (RFC 9110, 10.2.3.)"""
        asked = _retry_after(response.headers.get("Retry-After", "")) if response is not None else None
        if asked is not None:
            return asked
        return random.uniform(0.1, 0.25 * 2**attempt)  # noqa: S311 - jitter, not a secret

    def _fetch_token(
        self, method: str, url: str, *, headers: Mapping[str, str], parameters: list[tuple[str, str]]
    ) -> tuple[int, bytes]:
        here = urlsplit(url)
        if here.scheme != "https" and not self._hosts.get(here.netloc, Host()).plain_http:
            raise AuthenticationFailed(
                f"the token server {redact(url)} is not reached by HTTPS",
                why="the login would go over the wire readable",
            )
        query = urlencode(parameters)
        form = {"Content-Type": "application/x-www-form-urlencoded"} if method == "POST" else {}
        where = f"{url}{'&' if here.query else '?'}{query}" if method == "GET" and query else url
        try:
            response = self._transport.send(
                method,
                where,
                headers={**_ALWAYS, **headers, **form},
                body=query.encode() if method == "POST" else None,
                timeout=(self._http.connect_timeout, self._http.read_timeout),
                stream=False,
            )
        except urllib3.exceptions.HTTPError as error:
            raise NetworkError(f"the token server {redact(url)} cannot be reached", why=reason(error)) from error
        return response.status_code, response.content


def _retry_after(value: str) -> float | None:
    if value.isdigit():
        return float(value)
    from email.utils import parsedate_to_datetime

    try:
        return max(parsedate_to_datetime(value).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def reason(error: BaseException) -> str:
    """Return the innermost reason that a person can read, without the object addresses that urllib3 prints."""
    inner: Any = error
    while True:
        deeper = getattr(inner, "reason", None) or next((a for a in inner.args if isinstance(a, BaseException)), None)
        if not isinstance(deeper, BaseException):
            break
        inner = deeper
    text = str(inner).split(": ", 1)[-1] if "object at 0x" in str(inner) else str(inner)
    return text[:300] or type(inner).__name__


def _words(raw: bytes) -> str:
    """Return what a server says in the distribution specification's form, empty when it says nothing in it."""
    try:
        errors = msgspec.json.decode(raw, type=dict[str, list[dict[str, Any]]])
        first = errors["errors"][0]
        return f"{first.get('code', '')} {first.get('message', '')}".strip()[:200]
    except (msgspec.MsgspecError, KeyError, IndexError):
        return ""


def redact(url: str) -> str:
    """Return a URL that may be shown: no login, and of the query only what tells which content was asked for."""
    parts = urlsplit(url)
    shown = "&".join(part for part in parts.query.split("&") if part.partition("=")[0] in ("digest", "mount", "from"))
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query=shown, fragment="").geturl()
