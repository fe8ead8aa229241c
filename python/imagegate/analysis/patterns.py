"""The patterns that contents are searched for. Those of secrets are Anchore Engine's: its users' policies name them."""

from __future__ import annotations

from collections.abc import Mapping

SECRETS: Mapping[str, str] = {
    "AWS_ACCESS_KEY": r"(?i).*aws_access_key_id( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20}(?![A-Z0-9]).*",
    "AWS_SECRET_KEY": r"(?i).*aws_secret_access_key( *=+ *).*(?<![A-Za-z0-9/+=])[A-Za-z0-9/+=]{40}(?![A-Za-z0-9/+=]).*",
    "PRIV_KEY": r"(?i)-+BEGIN(.*)PRIVATE KEY-+",
    "DOCKER_AUTH": r'(?i).*"auth": *".+"',
    "API_KEY": r"(?i).*api(-|_)key( *=+ *).*(?<![A-Z0-9])[A-Z0-9]{20,60}(?![A-Z0-9]).*",
}
"""Name to regular expression. (Anchore Engine, `analyzer_config.yaml`, `secret_search`.)"""


def secrets(own: Mapping[str, str]) -> dict[str, str]:
    """Return the patterns in force: the site's own beside or in place of the shipped ones; an empty one takes away."""
    return {name: regex for name, regex in {**SECRETS, **own}.items() if regex}
