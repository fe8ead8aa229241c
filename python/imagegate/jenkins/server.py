"""What jobs need of a Jenkins: the interface, and its errors. The adapter for a real one is `client`."""

from __future__ import annotations

from typing import Any, Protocol

from imagegate.errors import ImagegateError, NetworkError
from imagegate.jenkins.items import Listed, Place


class JenkinsError(ImagegateError):
    """A Jenkins refused a request, or what answered is none. status: the HTTP status, 0 for none."""

    def __init__(self, what: str, *, why: str = "", hint: str = "", status: int = 0) -> None:
        super().__init__(what, why=why, hint=hint)
        self.status = status


class Unsure(NetworkError):
    """A request that may have been done: the answer to it was lost. Look before it is sent again."""


class JenkinsServer(Protocol):
    """One Jenkins. Its methods may be called from several threads.

    All raise JenkinsError, AuthenticationFailed, NetworkError. What is safe to repeat is repeated inside.
    """

    def items(self) -> list[Listed]:
        """Return all folders and what is in them, and the views at the root."""
        ...

    def read(self, place: Place) -> bytes:
        """Return an item's `config.xml`. Raises JenkinsError with status 404 where there is none."""
        ...

    def create(self, place: Place, document: bytes) -> None:
        """Make an item, once. Raises Unsure, and JenkinsError with status 400 where one has the name already."""
        ...

    def update(self, place: Place, document: bytes) -> None:
        """Replace an item's `config.xml`."""
        ...

    def delete(self, place: Place) -> None:
        """Remove an item, with all that is in it. One that is not there is removed already."""
        ...

    def is_empty(self, folder: Place) -> bool:
        """Whether nothing that we may see is in a folder; one that is not there is empty."""
        ...

    def ask(self, path: str, tree: str = "") -> Any:
        """Return the JSON of `PATH/api/json?tree=TREE`. path: below the server's URL, quoted; empty: the server's."""
        ...

    def fetch(self, method: str, path: str) -> bytes:
        """Return the body of the answer to a request that changes nothing."""
        ...

    def version(self) -> str:
        """Return the version of Jenkins."""
        ...
