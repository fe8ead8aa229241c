"""What sends messages."""

from __future__ import annotations

from typing import Protocol

from imagegate.model.news import Message


class Sender(Protocol):
    """Sends messages by one channel."""

    def send(self, message: Message, key: str) -> None:
        """Send a message. key: the same when it is sent again. Raises ImagegateError unless it was taken."""
