"""The policies that ship with imagegate, found by name."""

from __future__ import annotations

from pathlib import Path

from imagegate.errors import PolicyError

NAMES = ("application", "base-image")


def find(named: str) -> Path:
    """Return the file of a policy: a shipped one by its name, else the path itself. Raises PolicyError."""
    if named in NAMES:
        return _directory() / f"{named}.yaml"
    path = Path(named).expanduser()
    if not path.is_file():
        raise PolicyError(
            f"there is no policy {named!r}", hint=f"Name a file, or a shipped policy: {', '.join(NAMES)}."
        )
    return path


def _directory() -> Path:
    """Installed: `imagegate/policies`; in a checkout: `policies` beside `python`."""
    package = Path(__file__).parents[1]
    for directory in (package / "policies", package.parents[1] / "policies"):
        if all((directory / f"{name}.yaml").is_file() for name in NAMES):
            return directory
    raise PolicyError("the shipped policies are not installed", hint="Install imagegate again, or name a policy file.")
