"""Posting to webhooks, signed, and to Slack's. An answer of 2xx says that a message was taken."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec

from imagegate.errors import AuthenticationFailed, ConfigError, NetworkError
from imagegate.http.client import HttpClient
from imagegate.http.credentials import Login
from imagegate.model.news import Message
from imagegate.notify.secret import Secret
from imagegate.settings import Host, Http

_LONGEST = 2900
"""Characters. A section of a Slack message may have 3,000. (Slack, "Reference: Block Kit", section.)"""


class Webhook:
    """A Sender to one URL. It is not shown where it is a secret."""

    def __init__(
        self,
        channel: str,
        url: Secret,
        secret: Secret,
        http: Http,
        hosts: Mapping[str, Host],
        *,
        clock: Callable[[], float],
        slack: bool = False,
    ) -> None:
        """secret: to sign with, empty: not signed. Raises ConfigError for a URL that is not HTTPS."""
        try:
            parts = urlsplit(url.reveal())
        except ValueError:
            raise ConfigError(f"the URL of notify.channels.{channel} is none") from None
        if parts.scheme != "https" and not (parts.scheme == "http" and hosts.get(parts.netloc, Host()).plain_http):
            raise ConfigError(
                f"the URL of notify.channels.{channel} is not https://…",
                hint=f"For plain HTTP set hosts.{parts.netloc.rpartition('@')[2] or 'HOST'}.plain_http.",
            )
        self._channel, self._url, self._secret, self._slack, self._clock = channel, url, secret, slack, clock
        self._http = HttpClient(http, hosts, login=lambda _: _Anonymous(), tell=_in_words)

    def send(self, message: Message, key: str) -> None:
        """Post the message: to Slack as blocks, else the document of the news. Tried again as all requests are."""
        body = slack_blocks(message) if self._slack else message.document.encode()
        stamp = str(int(self._clock()))
        headers = {"Content-Type": "application/json", "Idempotency-Key": key, "Imagegate-Team": _header(message.team)}
        if self._secret:
            headers |= {"Imagegate-Timestamp": stamp, "Imagegate-Signature": signature(self._secret, stamp, body)}
        try:
            response = self._http.request("POST", self._url.reveal(), headers=headers, data=body)
        except (NetworkError, AuthenticationFailed) as error:
            # What the client says names the URL, which is Slack's secret.
            raise NetworkError(
                f"channel {self._channel} cannot be reached", why=error.why.replace(self._url.reveal(), "the URL")
            ) from None
        status = response.status_code
        words = _in_words(response.content[:400])
        response.close()
        if not 200 <= status < 300:
            raise NetworkError(f"channel {self._channel} refused the message", why=f"status {status} {words}".strip())


class _Anonymous:
    """No login: a webhook's right to be posted to is its URL, or the signature."""

    def header(self, host: str, scope: str) -> str:  # noqa: ARG002 - the protocol's signature
        return ""

    def answer(self, host: str, scope: str, challenge_header: str) -> str:  # noqa: ARG002
        return ""

    def login(self, host: str) -> Login | None:  # noqa: ARG002
        return None

    def forget(self, host: str, scope: str) -> None:
        """There is nothing to forget."""


def signature(secret: Secret, timestamp: str, body: bytes) -> str:
    """Return `v1=` and, in hex, the HMAC-SHA256 of the time stamp, a full stop and the body."""
    signed = timestamp.encode() + b"." + body
    return "v1=" + hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest()


def slack_blocks(message: Message) -> bytes:
    """Return the message as Slack takes it: its subject, and its tables as text that is no markup."""
    text = message.markdown.partition("\n")[2].strip()
    shown = text if len(text) <= _LONGEST else text[: text.rfind("\n", 0, _LONGEST)] + "\n…"
    section = {"type": "section", "text": {"type": "plain_text", "text": shown or message.subject, "emoji": False}}
    header = {"type": "section", "text": {"type": "plain_text", "text": message.subject[:_LONGEST], "emoji": False}}
    return msgspec.json.encode({"text": _escaped(message.subject), "blocks": [header, section]})


def _escaped(text: str) -> str:
    """Slack reads three characters as markup in `text`. (Slack, "Formatting text for app surfaces", escaping.)"""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _header(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode().replace("\r", " ").replace("\n", " ")


def _in_words(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    return "".join(each if each.isprintable() else " " for each in text)[:200].strip()
