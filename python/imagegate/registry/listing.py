"""What a registry has: its repositories and their tags. (Distribution-spec, "Listing Tags"; Docker's `_catalog`.)"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec

from imagegate.errors import RegistryError
from imagegate.http.client import HttpClient
from imagegate.model import Repository
from imagegate.registry.api import RepositoryApi
from imagegate.settings import Limits

_PAGE = 500
_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="?next"?')


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


class _Catalog(msgspec.Struct):
    repositories: list[str] | None = None


_Page = TypeVar("_Page", _Tags, _Catalog)


def tags(repository: Repository, http: HttpClient, limits: Limits) -> tuple[str, ...]:
    """Return a repository's tags. Raises ImageNotFound, RegistryError."""
    api = RepositoryApi(repository, http, limits)
    pages = _pages(api, f"{api.root}/tags/list?n={_PAGE}", api.pull, f"the list of tags of {repository}")
    return tuple(dict.fromkeys(tag for page in pages for tag in _decode(page, _Tags, repository.registry).tags or ()))


def catalog(registry: str, http: HttpClient, limits: Limits) -> tuple[Repository, ...]:
    """Return the repositories of a registry that gives a catalog. Raises RegistryError where it does not."""
    api = RepositoryApi(Repository(registry, "_catalog"), http, limits)
    url = f"{api.root.removesuffix('/_catalog')}/_catalog?n={_PAGE}"
    pages = _pages(api, url, "registry:catalog:*", f"the catalog of {registry}")
    names = (name for page in pages for name in _decode(page, _Catalog, registry).repositories or ())
    return tuple(Repository(registry, name) for name in dict.fromkeys(names))


def _pages(api: RepositoryApi, url: str, scope: str, what: str) -> Iterator[bytes]:
    """Yield a list's pages. A next page is only asked of the same server: our login goes with it."""
    seen: set[str] = set()
    while url and url not in seen:
        seen.add(url)
        response = api.http.request("GET", url, scope=scope)
        api.expect(response, 200, what=what)
        yield b"".join(response.iter_content(64 * 1024))
        match = _NEXT.search(response.headers.get("Link", ""))
        following = urljoin(url, match[1]) if match else ""
        if following and urlsplit(following)[:2] != urlsplit(url)[:2]:
            raise RegistryError(f"{what} goes on at another server", why=urlsplit(following).netloc)
        url = following


def _decode(raw: bytes, kind: type[_Page], registry: str) -> _Page:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.MsgspecError as error:
        raise RegistryError(f"{registry} answered with no list", why=str(error)) from error
