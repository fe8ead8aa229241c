"""One request over a pooled connection, by urllib3: TLS and proxies by host, a response that is read as it comes."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import urlsplit

import urllib3

from imagegate.errors import ConfigError
from imagegate.settings import Host

_POOL = 8
LONGEST_ANSWER = 4 * 1024**2
"""Bytes of an answer that is read whole: tokens, keys, what a server says of an error. Content is read as a stream."""


class Sized(Protocol):
    """A body whose length is known before it is sent."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[bytes]: ...


class Response:
    """An answer. Its body is read by `content`, `iter_content` or `raw`; close it when it was not read to the end."""

    def __init__(self, raw: urllib3.BaseHTTPResponse, method: str, url: str, longest: int) -> None:
        self.raw, self.method, self.url, self._longest = raw, method, url, longest
        self.status_code = raw.status
        self.headers: Mapping[str, str] = raw.headers
        self._content: bytes | None = None

    @property
    def content(self) -> bytes:
        """The whole body, of an answer that is no content. Raises urllib3's HTTPError: it breaks off, or has no end."""
        if self._content is None:
            parts, size = [], 0
            # To the empty read: only there urllib3 tells an answer that broke off from one that is whole.
            while part := self.raw.read(self._longest + 1 - size):
                parts.append(part)
                size += len(part)
                if size > self._longest:
                    raise urllib3.exceptions.HTTPError(f"an answer of more than {self._longest} bytes")
            self._content = b"".join(parts)
        return self._content

    def iter_content(self, size: int) -> Iterator[bytes]:
        """Yield the body in chunks. Raises urllib3's HTTPError when it breaks off."""
        if self._content is not None:
            yield self._content
            return
        while chunk := self.raw.read(size):
            yield chunk

    def close(self) -> None:
        """Give the connection back when the body was read, else cut it."""
        self.raw.close()
        self.raw.release_conn()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Transport:
    """Connection pools, one for each way of verifying a host. Safe to use from several threads."""

    def __init__(self, hosts: Mapping[str, Host]) -> None:
        self._hosts = hosts
        self._pools: dict[tuple[str, str], urllib3.PoolManager] = {}

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | Sized | None,
        timeout: tuple[float, float],
        stream: bool,
        longest: int = LONGEST_ANSWER,
    ) -> Response:
        """Send one request, and follow nothing. timeout: to connect, and between two reads, in seconds.

        longest: bytes of an answer that is read whole.

        Raises urllib3's HTTPError, ConfigError for a CA file that is none.
        """
        sent = dict(headers)
        payload: bytes | Iterable[bytes] | None = body
        if body is not None and not isinstance(body, bytes):
            sent["Content-Length"] = str(len(body))
        connect, read = timeout
        raw = self._pool(url).urlopen(
            method,
            url,
            body=payload,
            headers=sent,
            retries=False,
            redirect=False,
            timeout=urllib3.Timeout(connect=connect, read=read),
            preload_content=False,
            decode_content=False,
        )
        response = Response(raw, method, url, longest)
        if not stream:
            with response:
                _ = response.content
        return response

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        host = self._hosts.get(parts.netloc, Host())
        trust = "" if host.insecure else host.ca_file or _default_bundle()
        key = ("insecure" if host.insecure else trust, _proxy(parts.scheme, parts.hostname or ""))
        if key not in self._pools:
            self._pools[key] = _make_pool(_context(parts.netloc, host, trust), key[1])
        return self._pools[key]


def _make_pool(context: ssl.SSLContext, proxy: str) -> urllib3.PoolManager:
    shared: dict[str, Any] = {"num_pools": _POOL, "maxsize": _POOL, "ssl_context": context}
    if not proxy:
        return urllib3.PoolManager(**shared)
    parts = urlsplit(proxy)
    login = (
        urllib3.make_headers(proxy_basic_auth=f"{parts.username}:{parts.password or ''}") if parts.username else None
    )
    return urllib3.ProxyManager(proxy, proxy_headers=login, **shared)


def _context(netloc: str, host: Host, trust: str) -> ssl.SSLContext:
    if host.insecure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        # The setting names the host, so a warning at each request would tell nobody anything new.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        return context
    try:
        return ssl.create_default_context(cafile=trust or None)
    except (OSError, ssl.SSLError) as error:
        place = f"hosts.{netloc}.ca_file" if host.ca_file else "the environment's CA bundle"
        raise ConfigError(f"{place}: {trust} is no file of CA certificates", why=str(error)) from error


def _default_bundle() -> str:
    """Return the CAs that the environment names, "" for the system's, certifi's where the system has none."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if os.environ.get(name):
            return os.environ[name]
    places = ssl.get_default_verify_paths()
    if places.cafile or (places.capath and any(Path(places.capath).iterdir())):
        return ""
    import certifi

    return certifi.where()


def _proxy(scheme: str, hostname: str) -> str:
    """Return the proxy that the environment names for a host, or ""."""
    if not any(name.lower().endswith("_proxy") for name in os.environ):
        return ""  # the import below takes longer than most requests
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    return "" if proxy_bypass(hostname) else proxies.get(scheme, proxies.get("all", ""))
