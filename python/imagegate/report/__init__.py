"""Reports: evaluations in, text out. Renderers are pure; only `write_atomically` touches a disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from tempfile import mkstemp
from typing import Protocol

from msgspec.structs import replace

from imagegate.errors import UsageError
from imagegate.model import Evaluation
from imagegate.report.context import Context

NOTHING_MORE = Context()
"""No facts beside the evaluations."""


class Renderer(Protocol):
    """Makes the text of a report."""

    def __call__(self, evaluations: Sequence[Evaluation], context: Context = NOTHING_MORE) -> str: ...


def _lazy(module: str) -> Renderer:
    """Return the module's `render`, imported when it is first used: a run needs one format of them, or none."""

    def render(evaluations: Sequence[Evaluation], context: Context = NOTHING_MORE) -> str:
        renderer: Renderer = import_module(f"imagegate.report.{module}").render
        return renderer(evaluations, context)

    return render


FORMATS: dict[str, Renderer] = {
    "cyclonedx-vex": _lazy("cyclonedx_vex"),
    "html": _lazy("html"),
    "json": _lazy("document"),
    "junit": _lazy("junit"),
    "markdown": _lazy("markdown"),
    "openvex": _lazy("openvex"),
    "sarif": _lazy("sarif"),
    "text": _lazy("text"),
    "warnings-ng": _lazy("warnings_ng"),
}
"""What `--output FORMAT=FILE` can write."""
FOLDER = "anchore-report"
"""The format that is a directory of files."""
_SEVERAL = {FOLDER: "anchore_report", "html": "html"}
"""Formats of several files, with the modules that render them."""


def render_files(
    name: str, path: Path, evaluations: Sequence[Evaluation], context: Context = NOTHING_MORE
) -> list[tuple[Path, str]]:
    """Return a report's files and their texts. name: one of FORMATS, or FOLDER, whose path is a directory's.

    Beside what is no file (a pipe, /dev/stdout) nothing can stand, so that such a report is the one text.
    """
    if name == FOLDER or (name in _SEVERAL and (path.is_file() or not path.exists())):
        module = import_module(f"imagegate.report.{_SEVERAL[name]}")
        several: list[tuple[Path, str]] = module.render_files(path, evaluations, context)
        return several
    return [(path, FORMATS[name](evaluations, context))]


def render_text(
    evaluations: Sequence[Evaluation],
    context: Context = NOTHING_MORE,
    *,
    next_step: str = "",
    colour: bool = False,
    width: int = 100,
) -> str:
    """Return the report for a terminal of so many columns, without a final line end.

    next_step: what happens next, in place of the context's.
    """
    from imagegate.report.text import Style, render

    if next_step:
        context = replace(context, next_step=next_step)
    return render(evaluations, context, style=Style(coloured=colour), width=width).rstrip("\n")


def write_atomically(path: Path, text: str) -> None:
    """Put text at path: whole or not at all, whoever reads it meanwhile. Missing directories are made.

    A link is followed, and what is no file (a pipe, /dev/stdout) is written to as it is. Raises UsageError.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))


def write_bytes(path: Path, data: bytes) -> None:
    """Put bytes at path. (`write_atomically`.)"""
    try:
        path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not stat.S_ISREG(path.stat().st_mode):
            path.write_bytes(data)
            return
        _replace(path, data)
    except OSError as error:
        raise UsageError(f"the report {path} cannot be written", why=error.strerror or str(error)) from error


def _replace(path: Path, data: bytes) -> None:
    descriptor, temporary = mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), 0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """Return the process's umask; there is no way to read it but to set it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
