"""Files of a new repository on the disk: all of them or none."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from imagegate.errors import UsageError

_EXECUTABLE = (".sh",)
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")
"""Variables that a git hook has set, by which `git` would commit into the hook's repository."""


def refuse_what_is_there(directory: Path) -> None:
    """Raise UsageError when a directory has files, or is none."""
    try:
        if not directory.exists() and not directory.is_symlink():
            return
        if directory.is_symlink() or not directory.is_dir():
            raise UsageError(f"{directory} is no directory")
        there = sorted(each.name for each in directory.iterdir())
    except OSError as error:
        raise UsageError(f"{directory} cannot be read", why=error.strerror or str(error)) from error
    if there:
        more = f" and {len(there) - 5} more" if len(there) > 5 else ""
        raise UsageError(
            f"{directory} is not empty", why=f"it has {', '.join(there[:5])}{more}", hint="Name a new directory."
        )


@contextmanager
def prepared(directory: Path, files: Mapping[str, str], *, with_git: bool) -> Iterator[Callable[[], None]]:
    """Write files where nobody looks yet, and yield what puts them in their place; without that, nothing is left.

    files: texts by path. with_git: make a git repository with a first commit. Raises UsageError.
    """
    directory = directory.resolve()
    missing = [each for each in directory.parents if not each.exists()]
    is_there, temporary, done = directory.is_dir(), None, False

    def place() -> None:
        nonlocal done
        assert temporary
        _move_into(temporary, directory) if is_there else temporary.rename(directory)
        done = True

    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        # One that is there may be where the caller's shell stands, or a mount: it is filled, and not replaced.
        where = directory if is_there else directory.parent
        temporary = Path(mkdtemp(prefix=f".{directory.name[:60]}.", dir=where))
        _write(temporary, files)
        if with_git:
            _commit(temporary)
        temporary.chmod(0o755)
        yield place
    except OSError as error:
        raise UsageError(f"{directory} cannot be written", why=error.strerror or str(error)) from error
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
        for each in () if done else missing:
            with suppress(OSError):
                each.rmdir()


def _write(directory: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if path.endswith(_EXECUTABLE) else 0o644)


def _move_into(temporary: Path, directory: Path) -> None:
    moved: list[Path] = []
    try:
        for each in sorted(temporary.iterdir()):
            target = directory / each.name
            if target.exists():
                raise FileExistsError(0, f"{each.name} was made there meanwhile")
            each.rename(target)
            moved.append(target)
    except OSError:
        for each in moved:
            each.rename(temporary / each.name)
        raise


def _commit(directory: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=directory, env=environ, capture_output=True, text=True, check=False
            )
        except FileNotFoundError as error:
            raise UsageError("git is not installed", hint="Leave --git out.") from error
        if done.returncode:
            why = (done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1]
            raise UsageError("git could not make the first commit", why=why, hint="Leave --git out, or set git up.")
