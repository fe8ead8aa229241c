"""Gate `packages`: packages that must, or must not, be installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from imagegate.model import Package, PackageType
from imagegate.policy.gates.parameter import Parameter, Values, choice, strings, text
from imagegate.policy.gates.trigger import ONLY_PACKAGES, Hit, Scope, Trigger


def _order(type_: PackageType) -> Callable[[str], Any] | None:
    """Return the key function of a kind of package's versions. Imported late: few policies ask, and it costs time."""
    from imagegate.vulnerability.versions import dpkg, pep440, semver

    keys = {PackageType.DPKG: dpkg.key, PackageType.PYTHON: pep440.key, PackageType.NPM: semver.key}
    return keys.get(type_)


def _required(scope: Scope, values: Values) -> Iterator[Hit]:
    name, version = values["name"], values.get("version")
    found = scope.facts.packages.get(name, [])
    if not found:
        wanted = f"{name},{version}" if version else name
        yield Hit(
            f"Required input package ({wanted}) is not present in container image", fix=f"Install the package {name}."
        )
    elif version:
        # The engine looks at one package of the name only; all of them must be right.
        yield from _versions(scope, found[:1] if scope.engine else found, values)


def _versions(scope: Scope, found: list[Package], values: Values) -> Iterator[Hit]:
    name, version = values["name"], values["version"]
    for package in found:
        if package.version == version:
            continue
        fix = f"Install {name} {version}."
        if values.get("version_match_type", "exact") == "exact":
            yield Hit(
                f"Required input package ({name}) is present ({package.version}), but not at the version specified in "
                f"policy ({name})",
                package=package,
                fix=fix,
            )
        elif order := _order(package.type):
            if order(package.version) < order(version):
                yield Hit(
                    f"Required min-version input package ({name}) is present ({package.version}), but is lower version "
                    f"than what is specified in policy ({version})",
                    package=package,
                    fix=f"Install {name} {version} or newer.",
                )
        else:
            scope.undecided(
                "version_order", f"versions of {package.type.value} packages cannot be compared yet ({name} {version})"
            )


def _denied(scope: Scope, values: Values) -> Iterator[Hit]:
    name, version = values["name"], values.get("version")
    for package in scope.facts.packages.get(name, []):
        if not version or package.version == version:
            yield Hit(
                f"Package is blacklisted: {name}-{version}" if version else f"Package is blacklisted: {name}",
                package=package,
                path=package.path,
                fix=f"Remove the package {name}.",
            )


def _verify(scope: Scope, values: Values) -> Iterator[Hit]:
    altered = scope.facts.analysis.altered
    if altered is None:
        scope.undecided("verify", "files were not compared with the package database (analysis.verify)")
        return
    if not scope.engine and any(package.type is PackageType.RPM for package in scope.facts.analysis.packages):
        scope.undecided("verify", "files of rpm packages cannot be compared with rpm's database yet")
    names, directories, check = values.get("only_packages"), values.get("only_directories"), values.get("check")
    for file in altered:
        status = file.engine_status if scope.engine else file.status
        if (
            status
            and check in (None, status)
            and (not names or file.package in names)
            and (not directories or file.path.startswith(directories))
            and any(package.type.is_os for package in scope.facts.packages.get(file.package, []))
        ):
            yield Hit(
                f"VERIFY check against package db for package '{file.package}' failed on entry '{file.path}' with "
                f"status: '{status}'",
                path=file.path,
                fix=f"Install {file.package} again, or find out what {'removed' if status == 'missing' else 'changed'} "
                f"{file.path}.",
            )


TRIGGERS = (
    Trigger(
        "packages",
        "required_package",
        _required,
        (
            Parameter("name", text, required=True),
            Parameter("version", text),
            Parameter("version_match_type", choice("exact", "minimum")),
        ),
        needs=ONLY_PACKAGES,
    ),
    Trigger(
        "packages",
        "verify",
        _verify,
        (
            Parameter("only_packages", strings),
            Parameter("only_directories", strings),
            Parameter("check", choice("changed", "missing")),
        ),
    ),
    Trigger(
        "packages",
        "blacklist",
        _denied,
        (Parameter("name", text, required=True), Parameter("version", text)),
        needs=ONLY_PACKAGES,
    ),
)
