"""Modules of Go programs: the main one, those it was built from, and `stdlib`, from the linker's build information.

Go, runtime/debug: "BuildInfo.String" for the text of lines and tabs; Go Modules Reference, "Versions".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from imagegate.analysis import purl
from imagegate.analysis.catalogers import gobuildinfo, gomainversion
from imagegate.analysis.catalogers.cataloger import FileCataloger, Found, Seekable
from imagegate.analysis.catalogers.elf import Damaged, Elf
from imagegate.model import Package, PackageType

DEVEL = "(devel)"
UNKNOWN = "UNKNOWN"
"""The version of a module that was replaced by a directory, as syft calls it."""
_SINGLE_FILE = "command-line-arguments"
"""What `go build FILE.go` calls the main module: the true one is among the others."""
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class Module(NamedTuple):
    path: str = ""
    version: str = ""


_NONE = Module()


@dataclass
class BuildInfo:
    """What a program says of its making. replaced: what is in a module's place, by its index, -1 for the main one's."""

    path: str = ""
    main: Module = _NONE
    modules: list[Module] = field(default_factory=list)
    replaced: dict[int, Module] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)


def parse(path: str, file: Seekable) -> Found:
    """Return the modules of a program; none for one that is not Go's."""
    try:
        elf = Elf(file)
        found = gobuildinfo.read(elf)
    except Damaged:
        return Found((), complete=False)
    if not found:
        return Found(())
    go, info = found[0].partition(" ")[0], build_info(found[1])
    architecture = info.settings.get("GOARCH") or elf.machine
    modules = list(_modules(info, file))
    packages = [_package(module, path, architecture) for module in modules if module.path]
    if packages and re.search(r"\d", go):
        packages.append(_standard_library(go, path))
    return Found(tuple(dict.fromkeys(packages)))


def build_info(text: str) -> BuildInfo:
    """Return what the text of the modules says. Lines that are of no known form are passed over."""
    info = BuildInfo()
    last: int | None = None
    for line in text.split("\n"):
        kind, _, rest = line.partition("\t")
        module = Module(*[*rest.split("\t"), ""][:2])
        match kind:
            case "path":
                info.path = rest
            case "mod":
                info.main, last = module, -1
            case "dep":
                info.modules.append(module)
                last = len(info.modules) - 1
            case "=>" if last is not None:
                info.replaced[last] = module
                last = None
            case "build":
                key, value = _setting(rest)
                info.settings.setdefault(key, value)
    return info


def _setting(text: str) -> tuple[str, str]:
    """Return key and value; each may be quoted as Go quotes strings."""
    key, _, value = text.partition("=")
    return _unquoted(key), _unquoted(value)


def _unquoted(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == "`":
        return text[1:-1]
    if len(text) > 1 and text[0] == text[-1] == '"':
        return _ESCAPE.sub(_unescaped, text[1:-1])
    return text


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    if len(escape) == 1:
        return _ESCAPES.get(escape, escape)
    number = int(escape[1:], 16)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"


def _modules(info: BuildInfo, file: Seekable) -> Iterator[Module]:
    main = info.replaced.get(-1, info.main)
    modules = dict(enumerate(info.modules))
    if (main == _NONE and info.path) or main == Module(_SINGLE_FILE):
        local = [index for index, each in modules.items() if each.version == DEVEL]
        main = Module(info.path, DEVEL)
        if len(local) == 1:
            main = info.replaced.get(local[0], modules.pop(local[0]))
    if main != _NONE:
        version = gomainversion.version(main.path, info.settings, file) if main.version == DEVEL else ""
        yield Module(main.path, version or main.version)
    for index, module in modules.items():
        yield info.replaced.get(index, module)


def _package(module: Module, path: str, architecture: str) -> Package:
    return Package(
        name=module.path,
        version=module.version or UNKNOWN,
        type=PackageType.GO,
        purl=purl.golang(module.path, module.version),
        path=path,
        architecture=architecture,
    )


def _standard_library(go: str, path: str) -> Package:
    return Package(
        name="stdlib",
        version=go,
        type=PackageType.GO,
        purl=purl.golang("stdlib", go.removeprefix("go")),
        path=path,
        licenses=("BSD-3-Clause",),
    )


GO = FileCataloger("go", (), parse)
