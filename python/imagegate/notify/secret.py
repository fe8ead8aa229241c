"""Secrets of channels: from the environment, or a file that it names. None is shown by anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from imagegate.errors import ConfigError

_PREFIX = "IMAGEGATE_NOTIFY_"
ALL = f"{_PREFIX}SECRETS_FILE"
"""The variable that names one file of all channels' secrets."""


class Secret:
    """Text that its own text and repr do not show."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __bool__(self) -> bool:
        return bool(self._text)

    def reveal(self) -> str:
        """Return the text, for the one place that needs it."""
        return self._text


def variable(channel: str, what: str) -> str:
    """Return the variable of a channel's secret: `IMAGEGATE_NOTIFY_<CHANNEL>_<WHAT>`, in capitals."""
    return f"{_PREFIX}{re.sub('[^A-Z0-9]', '_', channel.upper())}_{what}"


def find(channel: str, what: str, environ: Mapping[str, str]) -> Secret:
    """Return a channel's secret, an empty one where there is none. Raises ConfigError for a file that is not there.

    It is the variable's, else the text of the file that the variable with `_FILE` names, else a line of the file of all
    secrets, `NAME=value`.
    """
    name = variable(channel, what)
    if environ.get(name):
        return Secret(environ[name])
    if environ.get(f"{name}_FILE"):
        return Secret(_read(f"{name}_FILE", environ).strip())
    if not environ.get(ALL):
        return Secret("")
    lines = (line.partition("=") for line in _read(ALL, environ).splitlines())
    return Secret(next((value.strip() for key, _, value in lines if key.strip() == name), ""))


def _read(name: str, environ: Mapping[str, str]) -> str:
    try:
        return Path(environ[name]).read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"the file that {name} names cannot be read", why=why) from error
