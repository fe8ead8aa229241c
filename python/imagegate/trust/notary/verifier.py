"""`NotaryVerifier`: what a consumer may believe about a repository's tags."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from imagegate.errors import NotTrusted
from imagegate.model import Digest, Repository, Target, VerifiedTarget
from imagegate.settings import NotarySettings
from imagegate.trust.notary import pins
from imagegate.trust.notary.cache import TrustCache
from imagegate.trust.notary.client import NotaryClient
from imagegate.trust.notary.refresh import TrustReader
from imagegate.trust.notary.state import TrustState

if TYPE_CHECKING:
    from imagegate.http.client import HttpClient


class NotaryVerifier:
    """Asks the server each time; what is remembered only serves to notice that it went back."""

    def __init__(
        self,
        settings: NotarySettings,
        http: HttpClient,
        cache: Path,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """cache: directory of what was verified before."""
        self._settings, self._clock = settings, clock
        self._client = NotaryClient(settings.server, http)
        self._cache = TrustCache(cache, settings.server)

    def verify(
        self, repository: Repository, tag: str, *, digest: Digest | None = None, roles: Sequence[str] = ()
    ) -> VerifiedTarget:
        """Return the target that the tag is signed as. (`trust.signing.Verifier`.)"""
        return self._verify(self._refresh(repository, roles), repository, tag, digest, roles)

    def verify_all(self, repository: Repository, targets: Sequence[Target]) -> tuple[VerifiedTarget, ...]:
        """Verify each target under its name. (`trust.signing.Verifier`.)"""
        state = self._refresh(repository, ())
        return tuple(self._verify(state, repository, target.name, target.digest, ()) for target in targets)

    def _verify(
        self, state: TrustState | None, repository: Repository, tag: str, digest: Digest | None, roles: Sequence[str]
    ) -> VerifiedTarget:
        if state is None:
            raise NotTrusted(
                f"{repository}:{tag} is not signed", why=f"{self._settings.server} has no trust data of the repository"
            )
        found = state.lookup(repository, tag, self._roles(roles))
        if found is None:
            raise NotTrusted(
                f"{repository}:{tag} is not signed",
                why=f"none of the roles {', '.join(self._roles(roles))} names it",
                hint="A role can be named with --role; notary.roles has the default.",
            )
        if digest is not None and found.target.digest != digest:
            raise NotTrusted(
                f"{repository}:{tag} is not signed as {digest}", why=f"{found.role} signs it as {found.target.digest}"
            )
        return found

    def find(self, repository: Repository, name: str) -> VerifiedTarget | None:
        """Return the verified target of this name by any trusted role. (`trust.signing.Verifier`.)"""
        state = self._refresh(repository, ())
        return state.lookup(repository, name, self._roles(())) if state else None

    def targets(self, repository: Repository, *, roles: Sequence[str] = ()) -> tuple[VerifiedTarget, ...]:
        """Return every verified target, by name, with who signed it and until when. (`trust.signing.Verifier`.)"""
        state = self._refresh(repository, roles)
        return tuple(state.listing(repository, self._roles(roles))) if state else ()

    def _roles(self, roles: Sequence[str]) -> tuple[str, ...]:
        return tuple(roles) or self._settings.roles

    def _refresh(self, repository: Repository, roles: Sequence[str]) -> TrustState | None:
        gun = str(repository)
        reader = TrustReader(
            self._client,
            self._cache,
            gun,
            pinned=pins.pins_for(gun, self._settings.pins),
            trust_on_first_use=self._settings.trust_on_first_use,
        )
        return reader.refresh(self._roles(roles), self._clock(), everyone=True)
