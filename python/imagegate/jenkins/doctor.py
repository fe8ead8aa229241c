"""Looks at a live Jenkins, and says of each thing that the library and the jobs need whether it is there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import yaml

from imagegate.jenkins.casc import environment
from imagegate.jenkins.checks import Check, Health, numbers, readable
from imagegate.jenkins.plugins import plugin_checks
from imagegate.jenkins.server import JenkinsServer
from imagegate.jenkins.teams import Teams

MINIMUM = "2.361"
"""The first line of Jenkins that needs Java 11, as the releases of the plugins below do."""
_SLOW = 5.0


def examine(server: JenkinsServer, teams: Teams | None, clock: Callable[[], float] = time.monotonic) -> list[Check]:
    """Return all checks. teams: whose labels, credentials and jobs are looked for; None: only what all need.

    Raises NetworkError, AuthenticationFailed, JenkinsError when the Jenkins cannot be reached or does not let us in.
    """
    begin = clock()
    version = server.version()
    took = clock() - begin
    return [
        _of_version(version),
        _of_time(took),
        *_of_login(server),
        *_of_settings(server),
        *plugin_checks(server, teams),
        _of_library(server),
        *_of_credentials(server, teams),
        *_of_agents(server, teams),
    ]


def _of_version(version: str) -> Check:
    if numbers(version) >= numbers(MINIMUM):
        return Check("version", Health.OK, version)
    return Check("version", Health.MISSING, version, f"Update Jenkins to {MINIMUM} or newer.")


def _of_time(took: float) -> Check:
    health = Health.OK if took < _SLOW else Health.OPTIONAL
    todo = "" if took < _SLOW else "Is it overloaded? Raise http.read_timeout for it."
    return Check("answers in time", health, f"{took:.2f} s", todo)


def _of_login(server: JenkinsServer) -> Iterator[Check]:
    user = str(server.ask("me", "id").get("id", ""))
    yield Check("login", Health.OK, user)
    allowed = readable(lambda: server.fetch("GET", "view/all/newJob"))
    if allowed is None:
        yield Check("may make jobs", Health.MISSING, "no", f"Give {user} Job/Create, and Configure, Read and Delete.")
    else:
        yield Check("may make jobs", Health.OK, "yes")


def _of_settings(server: JenkinsServer) -> Iterator[Check]:
    url = server.ask("", "url").get("url")
    todo = "Set it in Manage Jenkins → System: links in mails and reports need it."
    yield Check("root URL", Health.OK, str(url)) if url else Check("root URL", Health.MISSING, "none", todo)
    if readable(lambda: server.ask("crumbIssuer")) is None:
        yield Check("crumb issuer", Health.MISSING, "off", "Turn CSRF protection on: Manage Jenkins → Security.")
    else:
        yield Check("crumb issuer", Health.OK, "on")


def _of_library(server: JenkinsServer) -> Check:
    raw = readable(lambda: server.fetch("POST", "configuration-as-code/export"))
    if raw is None:
        hint = "Only administrators read it, by Configuration as Code: look at Manage Jenkins → System."
        return Check("library imagegate", Health.UNKNOWN, "not readable", hint)
    libraries: list[dict[str, Any]] = []
    with suppress(yaml.YAMLError, KeyError, TypeError, AttributeError):
        libraries = yaml.safe_load(raw)["unclassified"]["globalLibraries"]["libraries"]
    found = next((each for each in libraries if each.get("name") == "imagegate"), None)
    if found is None:
        return Check("library imagegate", Health.MISSING, "none", "`imagegate jenkins casc` prints what to set.")
    return Check("library imagegate", Health.OK, str(found.get("defaultVersion", "no default version")))


def _of_credentials(server: JenkinsServer, teams: Teams | None) -> Iterator[Check]:
    if teams is None:
        return
    site = teams.jenkins
    general = {value for name, value in environment(site).items() if name.endswith("_CREDENTIALS")}
    cloned = {each.credentials for each in teams.repositories} | {site.library_credentials}
    cloned |= {job.credentials for job in (*site.timed, *filter(None, [site.promotion]))}
    wanted = {"": general, **{folder: set(ids) for folder, ids in site.folder_credentials.items()}}
    held = {folder: _ids(server, folder) for folder in wanted}
    anywhere = set[str]().union(*(ids or () for ids in held.values()))
    for folder, ids in wanted.items():
        yield from (_of_id(each, folder, held[folder]) for each in sorted(ids))
    for each in sorted(cloned - {""} - general):
        # A team's own may be in its folder's store, which need not be ours to name.
        yield _of_id(each, "", None if held[""] is None else anywhere)


def _of_id(id_: str, folder: str, held: set[str] | None) -> Check:
    what = f"credential {id_}" + (f" of {folder}" if folder else "")
    if held is None:
        return Check(what, Health.UNKNOWN, "not readable", "Ask with Credentials/View.")
    if id_ in held:
        return Check(what, Health.OK, "there")
    return Check(what, Health.MISSING, "none", f"Add it to the store of {folder or 'the system'}.")


def _ids(server: JenkinsServer, folder: str) -> set[str] | None:
    above = "".join(f"job/{quote(each, safe='')}/" for each in folder.split("/")) if folder else ""
    store = f"{above}credentials/store/{'folder' if folder else 'system'}/domain/_"
    document = readable(lambda: server.ask(store, "credentials[id]"))
    return None if document is None else {str(each["id"]) for each in document["credentials"]}


def _of_agents(server: JenkinsServer, teams: Teams | None) -> Iterator[Check]:
    document = readable(lambda: server.ask("computer", "computer[displayName,offline,assignedLabels[name]]"))
    if document is None:
        yield Check("agents", Health.UNKNOWN, "not readable", "Ask with Overall/Read.")
        return
    online = [each for each in document["computer"] if not each["offline"]]
    labels = {label["name"] for each in online for label in each.get("assignedLabels") or ()}
    wanted = {str(each.choices.get("agent", "docker")) for each in teams.repositories} if teams else set()
    if teams and teams.jenkins.recheck and "agent" in teams.jenkins.recheck.parameters:
        wanted.add(str(teams.jenkins.recheck.parameters["agent"]))
    for expression in sorted(wanted):
        # Of an expression every name must be there: who writes `a || b` has both.
        lacking = set(re.findall(r"[^\s&|!()<>-]+(?:-[^\s&|!()<>-]+)*", expression)) - labels
        todo = f"Start an agent with the label {' and '.join(sorted(lacking))}, or let a cloud do so when it is asked."
        if lacking:
            yield Check(f"agent {expression}", Health.MISSING, "none online", todo)
        else:
            yield Check(f"agent {expression}", Health.OK, "online")
