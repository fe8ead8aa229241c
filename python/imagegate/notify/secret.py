"""Secrets of channels: from the environment, or a file that it names. None is shown by anything."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from imagegate.errors import ConfigError

_PREFIX = "IMAGEGATE_NOTIFY_"


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
    """Return a channel's secret, an empty one where there is none. Raises ConfigError for a file that is not there."""
    name = variable(channel, what)
    file = environ.get(f"{name}_FILE")
    if not file:
        return Secret(environ.get(name, ""))
    try:
        return Secret(Path(file).read_text().strip())
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"the file that {name}_FILE names cannot be read", why=why) from error
