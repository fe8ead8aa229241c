"""Layered settings: built-in defaults, site file, project file, `IMAGEGATE_*` variables, flags; the later wins.

Each leaf of `Settings` is a dotted key such as `notary.server`; an entry of a table is one too, `hosts.HOST.ca_file`.
All mistakes of all layers are reported at once. The site file may `lock:` keys: any other layer that sets a locked key
is an error that names both places. What loosens the gate cannot be set by a project file at all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from imagegate.errors import ConfigError
from imagegate.settings import Settings
from imagegate.yamlfile import Located, load_yaml

SITE_FILE = "/etc/imagegate/imagegate.yaml"
PROJECT_FILE = "imagegate.yaml"
PREFIX = "IMAGEGATE_"

RESERVED_VARIABLES = frozenset(
    {
        "IMAGEGATE_SITE_CONFIG",
        "IMAGEGATE_CONFIG",
        "IMAGEGATE_DEBUG",
        "IMAGEGATE_VERSION",
        "IMAGEGATE_REGISTRY_HOST",
        "IMAGEGATE_REGISTRY_USER",
        "IMAGEGATE_REGISTRY_PASSWORD",
        "IMAGEGATE_ANCHORE_USER",
        "IMAGEGATE_ANCHORE_PASSWORD",
        "IMAGEGATE_ANCHORE_API_KEY",
        "IMAGEGATE_ANCHORE_TOKEN",
        "IMAGEGATE_NOTIFY_SECRETS_FILE",
    }
)
"""Variables that are no settings: where settings are, and secrets, which have no place in a settings file."""

NO_SETTINGS = (
    *("_PASSPHRASE", "_PASSPHRASE_FILE", "_PASSWORD", "_PASSWORD_FILE", "_TOKEN", "_TOKEN_FILE"),
    *("_SECRET", "_SECRET_FILE", "_WEBHOOK", "_WEBHOOK_FILE"),
    "_CREDENTIALS",
)
"""Endings of more of them: secrets, and ids of credentials of Jenkins."""

LOOSENING: Mapping[str, Callable[[Any], bool]] = {
    "policy.unmapped": lambda value: value != "error",
    "policy.missing_advisories": lambda value: value != "error",
    "policy.allow_deprecated": bool,
    "policy.waivers": bool,
    "policy.project_waivers": bool,
    "policy.vex": bool,
    "policy.project_vex": bool,
    "policy.compat": lambda value: value != "strict",
    "analysis.catalogers": lambda value: value == "native",
    "analysis.search_max_size": lambda value: value < 1024**2,
    "analysis.secrets.*": lambda value: not value,
    "advisories.unsigned_snapshots": bool,
    "vulnerabilities.grype": bool,
    "notary.trust_on_first_use": bool,
    "hosts.*.insecure": bool,
    "hosts.*.plain_http": bool,
}
"""Keys with what value of them loosens the gate."""

SITE_DECIDES = (
    "trusted",
    "notary.server",
    "notary.pins",
    "notary.roles",
    "advisories",
    "vulnerabilities",
    "analysis.malware",
    "scanner",
    "anchore",
    "inventory",
    "notify",
    "hosts",
)
"""Groups of keys that say what is trusted. Where the site sets one of a group, a project may set none of it; a host is
a group of its own, and who says what is vulnerable is of one group with the advisories."""

PATHS = frozenset(
    {
        "cache.directory",
        "advisories.database",
        "advisories.signing_key",
        "advisories.snapshot_keys",
        "analysis.malware.database",
        "vulnerabilities.grype",
        "policy.bundle",
        "policy.packages",
        "policy.waivers",
        "policy.vex",
        "notary.keys",
        "notary.pins.*",
        "hosts.*.ca_file",
        "notify.teams",
    }
)
"""Keys that name a file or directory: in a file they are relative to its directory."""


PASSWORDLESS: Mapping[str, str] = {"inventory.url": "IMAGEGATE_INVENTORY_PASSWORD"}
"""Keys whose value is a URL, with the variable that has its password, which has no place in settings."""


class Origin(msgspec.Struct, frozen=True):
    """Where a value came from. layer: flag, environment, project or site; place: `file:line`, or the variable."""

    layer: str
    place: str

    def __str__(self) -> str:
        return f"{self.layer} ({self.place})" if self.place else self.layer


class Setting(msgspec.Struct, frozen=True):
    """A value that a layer gives to a key."""

    key: str
    value: Any
    origin: Origin


class Configuration(msgspec.Struct, frozen=True):
    """The settings in force, and for each key that is not at its default, where it came from."""

    settings: Settings
    origins: dict[str, Origin]
    locked: tuple[str, ...] = ()


_TABLES = {
    "hosts": 1,
    "advisories.urls": 0,
    "notary.pins": 0,
    "analysis.secrets": 0,
    "analysis.contents": 0,
    "policy.waiver_days": 0,
    "notify.channels": 1,
}
"""Keys whose children are named by the user; how many levels of fixed keys each entry has."""


@cache
def leaf_types(kind: type[msgspec.Struct] = Settings, prefix: str = "") -> Mapping[str, Any]:
    """Return the type of each key of the settings; a table's entry is written `*`."""
    leaves: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        key = f"{prefix}{field.name}"
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            leaves.update(leaf_types(field.type, f"{key}."))
        elif key in _TABLES:
            entry = get_args(field.type)[1]
            leaves.update(leaf_types(entry, f"{key}.*.") if _TABLES[key] else {f"{key}.*": entry})
        else:
            leaves[key] = field.type
    return leaves


def load(
    *,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    project_file: str | None = None,
    directory: Path = Path(),
) -> Configuration:
    """Read all layers and return the settings in force.

    flags: key to value, None for a flag that was not given. project_file: from `--config`; None: `imagegate.yaml` in
    `directory`, if it is there. Raises ConfigError with every mistake, a line each.
    """
    problems: list[str] = []
    site, locked = _site(environ, problems)
    layers = [
        site,
        _project(project_file or environ.get("IMAGEGATE_CONFIG"), directory, problems, _allowed(site)),
        _environment(environ, problems),
        [Setting(key, value, Origin("flag", "")) for key, value in flags.items() if value is not None],
    ]
    problems += _usurped(layers[1], site)
    for layer in layers[1:]:
        problems += _breaches(layer, locked)
    in_force = {setting.key: setting for layer in layers for setting in layer}
    values = {key: setting.value for key, setting in in_force.items()}
    if problems:
        raise ConfigError("the settings have mistakes:\n  " + "\n  ".join(problems))
    return Configuration(
        settings=msgspec.convert(_nest(values), Settings),
        origins={key: setting.origin for key, setting in in_force.items()},
        locked=tuple(locked),
    )


def _site(environ: Mapping[str, str], problems: list[str]) -> tuple[list[Setting], dict[str, str]]:
    named = environ.get("IMAGEGATE_SITE_CONFIG")
    path = Path(named or SITE_FILE)
    if not path.is_file():
        if named:
            problems.append(f"IMAGEGATE_SITE_CONFIG names {named}, which is no file")
        return [], {}
    tree = _read(path, problems)
    lock = tree.pop("lock", None)
    locked: dict[str, str] = {}
    if lock is not None:
        keys = lock.value if isinstance(lock.value, list) else [lock]
        known = {_stem(key, depth) for key in leaf_types() for depth in range(1, key.count(".") + 2)}
        for item in keys:
            key = str(item.value)
            if _starred(key) not in known:
                problems.append(f"{item.place}: lock names {key!r}, which is no setting{_nearest(key, known)}")
            locked[key] = item.place
    return list(_settings(tree, "site", problems)), locked


def _project(named: str | None, directory: Path, problems: list[str], allowed: frozenset[str]) -> list[Setting]:
    path = Path(named) if named else directory / PROJECT_FILE
    if not path.is_file():
        if named:
            problems.append(f"{named}: there is no such settings file")
        return []
    tree = _read(path, problems)
    if "lock" in tree:
        problems.append(f"{tree.pop('lock').place}: only the site file may lock settings")
    settings = list(_settings(tree, "project", problems))
    for setting in settings:
        loosens = LOOSENING.get(_starred(setting.key))
        if loosens and loosens(setting.value) and setting.key not in allowed:
            problems.append(
                f"{setting.origin.place}: {setting.key}: {setting.value!r} loosens the gate, "
                "which a project's settings may not; the site file can"
            )
    return settings


def _allowed(site: Sequence[Setting]) -> frozenset[str]:
    """Return the loosening keys that the site leaves to projects."""
    keys = {"policy.project_waivers": "policy.waivers", "policy.project_vex": "policy.vex"}
    return frozenset(keys[setting.key] for setting in site if setting.key in keys and setting.value)


def _read(path: Path, problems: list[str]) -> dict[str, Located]:
    try:
        document = load_yaml(path)
    except ConfigError as error:
        problems.append(str(error))
        return {}
    if document.value is None:
        return {}
    if not isinstance(document.value, dict):
        problems.append(f"{path}: settings are a mapping of keys to values")
        return {}
    return dict(document.value)


def _settings(tree: Mapping[str, Located], layer: str, problems: list[str], prefix: str = "") -> Iterator[Setting]:
    """Yield the settings of a file's tree, checked one by one against their types."""
    types = leaf_types()
    for name, node in tree.items():
        path = (*_split(prefix), str(name))
        key = _join(path)
        kind = types.get(_starred(key))
        if kind is not None:
            value = node.plain()
            if _starred(key) in PATHS:
                value = _beside(value, node.place)
            yield from _checked(key, value, kind, Origin(layer, node.place), problems, strict=True)
        elif any(known.startswith(f"{_starred(key)}.") for known in types):
            if isinstance(node.value, dict):
                yield from _settings(node.value, layer, problems, key)
            elif node.value is not None:
                problems.append(f"{node.place}: {key} is a group of settings, not a value")
        else:
            problems.append(f"{node.place}: {key!r} is no setting{_nearest(key, types)}")


def _beside(value: Any, place: str) -> Any:
    """Return a path of a settings file as seen from here; a bare word is a name (a policy, a key), not a path."""
    if isinstance(value, list):
        return [_beside(each, place) for each in value]
    if not isinstance(value, str):
        return value
    path = Path(value).expanduser()
    if path.is_absolute() or not (path.suffix or "/" in value):
        return str(path) if value else value
    return str(Path(place.rpartition(":")[0]).parent / path)


def _environment(environ: Mapping[str, str], problems: list[str]) -> list[Setting]:
    """Scalars and lists by `IMAGEGATE_<SECTION>_<KEY>`; a list's items are separated by commas."""
    types = {key: kind for key, kind in leaf_types().items() if "*" not in key}
    names = {PREFIX + key.replace(".", "_").upper(): key for key in types}
    sections = tuple(f"{PREFIX}{key.split('.')[0].upper()}_" for key in types if "." in key)
    settings: list[Setting] = []
    for name in sorted(environ):
        if name in names:
            key, text = names[name], environ[name]
            value: Any = [part.strip() for part in text.split(",") if part.strip()] if _is_list(types[key]) else text
            settings += _checked(key, value, types[key], Origin("environment", name), problems, strict=False)
        elif name.startswith(sections) and name not in RESERVED_VARIABLES and not name.endswith(NO_SETTINGS):
            problems.append(f"{name} is no setting{_nearest(name, names)}")
    return settings


def _checked(
    key: str, value: Any, kind: Any, origin: Origin, problems: list[str], *, strict: bool
) -> Iterator[Setting]:
    if key in PASSWORDLESS and _has_password(value):
        problems.append(f"{origin.place}: {key} has a password; {PASSWORDLESS[key]} is the place of it, or ..._FILE")
        return
    if key in PASSWORDLESS and _is_relative(value):
        problems.append(
            f"{origin.place}: {key}: {value} is another file in each directory; "
            "give an absolute path: sqlite:////var/lib/imagegate/inventory.sqlite"
        )
        return
    try:
        yield Setting(key, msgspec.convert(value, kind, strict=strict), origin)
    except msgspec.ValidationError as error:
        problems.append(f"{origin.place}: {key}: {error}")


def _is_relative(value: Any) -> bool:
    """Whether a URL of a database names a file that it finds by the working directory. (SQLAlchemy, "SQLite URLs".)"""
    return re.match(r"sqlite(\+\w+)?:///[^/]", str(value)) is not None


def _has_password(value: Any) -> bool:
    """Whether a URL of a database has a password, before its host or among its options."""
    from urllib.parse import parse_qs, urlsplit

    try:
        parts = urlsplit(str(value))
        return parts.password is not None or "password" in parse_qs(parts.query, keep_blank_values=True)
    except ValueError:
        return "@" in str(value)


def _usurped(project: Sequence[Setting], site: Sequence[Setting]) -> Iterator[str]:
    decided = {group: setting for setting in site if (group := _group(setting.key))}
    for setting in project:
        theirs = decided.get(_group(setting.key))
        if theirs:
            yield (
                f"{setting.origin.place} sets {setting.key}; what is trusted is the site's to say, "
                f"and {theirs.origin.place} sets {theirs.key}"
            )


def _group(key: str) -> str:
    """Return which of SITE_DECIDES a key belongs to, empty for none."""
    path = _split(key)
    if path[0] == "hosts":
        return _join(path[:2])
    if path[0] == "vulnerabilities":
        return "advisories"
    return next((group for group in SITE_DECIDES if key == group or key.startswith(f"{group}.")), "")


def _breaches(layer: Sequence[Setting], locked: Mapping[str, str]) -> Iterator[str]:
    for setting in layer:
        for key, place in locked.items():
            if key in (setting.key, _starred(setting.key)) or setting.key.startswith(f"{key}."):
                where = setting.origin.place or f"the command's flag for {setting.key}"
                yield f"{where} sets {setting.key}, which {place} locks"


def _split(key: str) -> tuple[str, ...]:
    """Undo `_join`: a table's entry may itself hold dots (`hosts.registry.example.com:5000.ca_file`)."""
    for table, levels in _TABLES.items():
        if key.startswith(f"{table}."):
            rest = key[len(table) + 1 :]
            fixed = [f".{leaf.rsplit('.', 1)[1]}" for leaf in leaf_types() if leaf.startswith(f"{table}.*.")]
            for ending in fixed if levels else ():
                if rest.endswith(ending):
                    return (*table.split("."), rest[: -len(ending)], ending[1:])
            return (*table.split("."), rest)
    return tuple(key.split(".")) if key else ()


def _join(path: Sequence[str]) -> str:
    return ".".join(path)


def _starred(key: str) -> str:
    for table in _TABLES:
        depth = table.count(".") + 1
        parts = _split(key)
        if len(parts) > depth and _join(parts[:depth]) == table:
            return _join((*parts[:depth], "*", *parts[depth + 1 :]))
    return key


def _stem(key: str, depth: int) -> str:
    return ".".join(key.split(".")[:depth])


def _nest(values: Mapping[str, Any]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for key, value in values.items():
        *groups, leaf = _split(key)
        node = root
        for group in groups:
            node = node.setdefault(group, {})
        node[leaf] = value
    return root


def _is_list(kind: Any) -> bool:
    return get_origin(kind) in (tuple, list)


def _nearest(word: str, known: Iterator[str] | Any) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def environment() -> Mapping[str, str]:
    """Return the process's environment; apart so that nothing else reads it."""
    return os.environ
