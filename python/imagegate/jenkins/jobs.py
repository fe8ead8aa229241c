"""What a teams file wants of Jenkins: folders, pipelines and a view, as values. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from xml.etree.ElementTree import Element

from imagegate.errors import ConfigError
from imagegate.jenkins import documents, shapes
from imagegate.jenkins.configxml import Shape, canonical, serialized
from imagegate.jenkins.items import Item, Place
from imagegate.jenkins.site import JenkinsSite, PipelineJob
from imagegate.jenkins.teams import Repository, Team, Teams

UNSAFE = frozenset("?*/\\%!@#$^&|<>[]:;")
"""What no name of an item may hold. (jenkins.model.Jenkins.checkGoodName.)"""

_URL = re.compile(r"(?:https?|ssh|git)://(?:[^\s/@:]+@)?[^\s/@-][^\s/@]*(?:/\S*)?|[\w.-]+@[\w.-]+:[^\s:-]\S*")
"""A server's repository; not a path, an option or a program, nor one with a password in it."""


def desired(teams: Teams) -> tuple[Item, ...]:
    """Return all that is to be, folders before what is in them, the view last.

    Raises ConfigError with every mistake: a URL that is none, a name that Jenkins takes for none or for another's.
    """
    problems: list[str] = []
    site = teams.jenkins
    made = [*_folders(teams), *_jobs(teams, problems)]
    places = [item.place for item in made]
    problems += (f"{place}: Jenkins would take two jobs for one" for place in _twice(places))
    problems += (
        f"{place}: {name!r}: Jenkins allows none of {' '.join(sorted(UNSAFE - {'/'}))} in a name"
        for place in (*places, Place((site.view,), is_view=True))
        for name in place.path
        if UNSAFE & set(name)
    )
    if problems:
        raise ConfigError("the teams file has mistakes:\n  " + "\n  ".join(dict.fromkeys(problems)))
    known = {place.key for place in places}
    containers = {above.key: _container(above) for place in places for above in _above(place) if above.key not in known}
    views = [_view(site.view, [team.folder for team in teams.teams])] if site.view else []
    return (*sorted([*containers.values(), *made], key=lambda item: (len(item.place.path), item.place)), *views)


def job_name(repository: Repository) -> str:
    """Return the name of a repository's job in its team's folder: `payments-api` for `payments/api`."""
    return repository.name.replace("/", "-")


def _folders(teams: Teams) -> Iterator[Item]:
    shape = shapes.FOLDER_WITH_PERMISSIONS if teams.jenkins.permissions else shapes.FOLDER
    for team in teams.teams:
        text = f"Repositories of {team.name}. Owners: {', '.join(team.owners)}."
        document = documents.folder(text, team.owners if teams.jenkins.permissions else ())
        yield _item(team.folder, shapes.FOLDER_CLASS, shape, document)


def _jobs(teams: Teams, problems: list[str]) -> Iterator[Item]:
    site = teams.jenkins
    minutes, keep = (_number(site, name, problems) for name in ("scan", "keep"))
    for team in teams.teams:
        for repository in team.repositories:
            if repository.url:
                yield _repository(team, repository, minutes, keep, problems)
            elif repository.scheduled:
                problems.append(f"{repository.name}: its scheduled jobs need its url")
    for job, promotes in _pipelines(teams):
        text = "Evaluates again, signs and promotes what a team's pipeline staged." if promotes else "Runs by itself."
        _check(job.name, job.url, problems)
        shape = shapes.SCHEDULED if job.cron else shapes.PIPELINE
        yield _item(job.name, shapes.PIPELINE_CLASS, shape, documents.pipeline(text, job, promotes=promotes))


def _pipelines(teams: Teams) -> Iterator[tuple[PipelineJob, bool]]:
    site = teams.jenkins
    if site.promotion:
        yield site.promotion, True
    own = (
        _renamed(job, f"{team.folder}/{job_name(repository)} {job.name}")
        for team in teams.teams
        for repository in team.repositories
        if repository.url
        for job in repository.scheduled
    )
    yield from ((job, False) for job in chain(site.timed, own))


def _renamed(job: PipelineJob, name: str) -> PipelineJob:
    return PipelineJob(name, job.url, job.script, job.branch, job.credentials, job.cron)


def _repository(team: Team, repository: Repository, minutes: int, keep: int, problems: list[str]) -> Item:
    _check(repository.name, repository.url, problems)
    document = documents.multibranch(
        f"Repository {repository.name} of {team.name}.",
        repository.name,
        repository.url,
        repository.credentials,
        minutes=minutes,
        keep=keep,
    )
    return _item(f"{team.folder}/{job_name(repository)}", shapes.MULTIBRANCH_CLASS, shapes.MULTIBRANCH, document)


def _view(name: str, folders: list[str]) -> Item:
    pattern = "|".join(re.escape(folder) for folder in sorted(folders))
    document = documents.view("Jobs of the teams.", name, f"(?:{pattern})/[^/]+")
    return _item(name, shapes.VIEW_CLASS, shapes.VIEW, document, place=Place((name,), is_view=True))


def _container(place: Place) -> Item:
    return _item(place.name, shapes.FOLDER_CLASS, shapes.FOLDER, documents.folder("", ()), container=True)


def _item(
    name: str, class_name: str, shape: Shape, document: Element, *, place: Place | None = None, container: bool = False
) -> Item:
    there = place or Place(tuple(name.split("/")))
    return Item(there, class_name, shape, serialized(document), canonical(document, shape), container)


def _above(place: Place) -> Iterator[Place]:
    return (Place(place.path[:depth]) for depth in range(1, len(place.path)))


def _twice(places: list[Place]) -> Iterator[Place]:
    seen: set[Place] = set()
    for place in places:
        if place.key in seen:
            yield place
        seen.add(place.key)


def _check(name: str, url: str, problems: list[str]) -> None:
    if not _URL.fullmatch(url):
        shown = re.sub(r"//[^/@]*@", "//…@", url)
        problems.append(f"{name}: {shown!r} is no URL of a git server without a password in it: https://…, git@host:…")


def _number(site: JenkinsSite, name: str, problems: list[str]) -> int:
    text = str(getattr(site, name))
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 40_000:
        return int(text)
    problems.append(f"jenkins: {name}: {text!r} is no number from 1 to 40000")
    return 1
