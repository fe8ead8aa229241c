"""Whose images are, and who answers for a team: what the file says that `notify.teams` names."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from imagegate.settings import Settings

if TYPE_CHECKING:
    from imagegate.jenkins.teams import Team


class Owners:
    """The teams file, read when it is first asked. Each answer raises ConfigError for one that cannot be used."""

    def __init__(self, settings: Settings) -> None:
        self._file, self._registry = settings.notify.teams, settings.trusted.registry

    @property
    def names(self) -> frozenset[str]:
        """The teams."""
        return frozenset(team.name for team in self._teams)

    @cached_property
    def team_of(self) -> dict[str, str]:
        """Teams by the repositories that their images are promoted into."""
        from imagegate.image.reference import DEFAULT_REGISTRY, parse_repository

        return {
            str(parse_repository(image["to"], self._registry or DEFAULT_REGISTRY)): team.name
            for team in self._teams
            for repository in team.repositories
            for image in repository.images
        }

    def addresses(self, team: str) -> tuple[str, ...]:
        """Return the addresses of a team's owners, none for a team that the file does not have."""
        return tuple(each for known in self._teams if known.name == team for each in known.owners if "@" in each)

    @cached_property
    def _teams(self) -> tuple[Team, ...]:
        if not self._file:
            return ()
        from imagegate.jenkins.teams import read_teams
        from imagegate.yamlfile import load_yaml

        return read_teams(load_yaml(Path(self._file).expanduser())).teams
