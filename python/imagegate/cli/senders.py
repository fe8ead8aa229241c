"""What sends messages to teams, by the channels of the settings."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from imagegate.cli.owners import Owners
from imagegate.errors import ConfigError
from imagegate.settings import Settings

if TYPE_CHECKING:
    from imagegate.notify.sender import Sender


def sender(name: str, settings: Settings, owners: Owners) -> Sender:
    """Return what sends by a channel of `notify.channels`. Raises ConfigError for one that lacks something."""
    from imagegate.notify.secret import Secret, find, variable

    channel = settings.notify.channels[name]
    if channel.kind == "email":
        from imagegate.notify.mail import Mail

        def recipients(team: str) -> tuple[str, ...]:
            return (owners.addresses(team) if channel.owners else ()) or channel.to

        return Mail(name, channel, find(name, "PASSWORD", os.environ), recipients, settings.http, settings.hosts)
    from imagegate.notify.webhook import Webhook

    url = find(name, "WEBHOOK", os.environ) or Secret(channel.url)
    if not url:
        hint = f"Set {variable(name, 'WEBHOOK')}, or notify.channels.{name}.url where it is no secret."
        raise ConfigError(f"notify.channels.{name} has no URL", hint=hint)
    secret = find(name, "SECRET", os.environ)
    is_slack = channel.kind == "slack"
    return Webhook(name, url, secret, settings.http, settings.hosts, clock=time.time, slack=is_slack)
