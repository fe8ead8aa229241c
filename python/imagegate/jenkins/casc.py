"""A fragment for the plugin Configuration as Code: library, variables, credentials by reference. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from imagegate.errors import UsageError
from imagegate.jenkins.site import JenkinsSite
from imagegate.jenkins.step import BINDINGS, Binding, Use

_FOR = {Use.SIGN: "signs", Use.RECORD: "writes the inventory", Use.TELL: "speaks to the teams"}


def fragment(site: JenkinsSite, version: str, library_url: str = "") -> dict[str, Any]:
    """Return the fragment. version: the ref of the library; library_url: in place of the site's.

    Secrets are references, which Jenkins resolves from its environment when it reads the file, and never values.
    Raises UsageError without a URL.
    """
    url = library_url or site.library_url
    if not url:
        raise UsageError("no URL of the library is named", hint="Give --library, or set jenkins.libraryUrl.")
    document: dict[str, Any] = {"unclassified": {"globalLibraries": {"libraries": [_library(site, url, version)]}}}
    variables = environment(site)
    if variables:
        entries = [{"key": name, "value": literal(value)} for name, value in variables.items()]
        document["jenkins"] = {"globalNodeProperties": [{"envVars": {"env": entries}}]}
    bound = [_credential(binding, site.credentials[binding.name]) for binding in _named(site)]
    if bound:
        document["credentials"] = {"system": {"domainCredentials": [{"credentials": bound}]}}
    return document


def environment(site: JenkinsSite) -> dict[str, str]:
    """Return the global variables by which Jenkinsfiles need not name what is the same for all."""
    found = {binding.default: site.credentials[binding.name] for binding in _named(site)}
    if site.promotion:
        # From the root: Jenkins looks for a job without the slash beside the one that asks.
        found["IMAGEGATE_PROMOTION_JOB"] = f"/{site.promotion.name}"
    return dict(sorted({**found, **site.variables}.items()))


def exposed(site: JenkinsSite) -> list[tuple[str, str]]:
    """Return the names of credentials that every job could bind and few should, each with what it is for."""
    return [(each.name, _FOR[each.use]) for each in _named(site) if each.use in _FOR]


def literal(text: str) -> str:
    """Return text that Configuration as Code takes as it is: `^${` is its escape. (docs/features/secrets.adoc.)"""
    return text.replace("${", "^${")


def _library(site: JenkinsSite, url: str, version: str) -> dict[str, Any]:
    git = {"remote": literal(url)}
    if site.library_credentials:
        git["credentialsId"] = literal(site.library_credentials)
    return {
        "name": "imagegate",
        "defaultVersion": literal(version),
        "implicit": False,
        "allowVersionOverride": True,  # generated Jenkinsfiles pin a version of their own
        "includeInChangesets": False,
        "retriever": {"modernSCM": {"scm": {"git": git}}},
    }


def _named(site: JenkinsSite) -> Iterator[Binding]:
    return (binding for binding in BINDINGS if site.credentials.get(binding.name))


def _credential(binding: Binding, id_: str) -> dict[str, Any]:
    """Return an entry of the kind that the library binds. (Credentials, Plain Credentials: their CasC symbols.)"""
    shared = {"scope": "GLOBAL", "id": literal(id_), "description": literal(binding.help)}
    if binding.kind == "UsernamePasswordMultiBinding":
        user, password = binding.variables
        return {"usernamePassword": {**shared, "username": f"${{{user}}}", "password": f"${{{password}}}"}}
    if binding.kind == "StringBinding":
        return {"string": {**shared, "secret": f"${{{binding.variables[0]}}}"}}
    name = f"{binding.name}.zip" if binding.kind == "ZipFileBinding" else binding.name
    file = f"{binding.default.removesuffix('_CREDENTIALS')}_FILE"
    content = f"${{readFileBase64:${{{file}}}}}"
    return {"file": {**shared, "fileName": name, "secretBytes": content}}
