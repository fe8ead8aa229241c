"""Sending mails by an SMTP server: Markdown as the plain part, HTML beside it."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable, Mapping
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import formatdate, parseaddr

from imagegate.errors import ConfigError, NetworkError
from imagegate.model.news import Message
from imagegate.notify.secret import Secret
from imagegate.settings import Channel, Host, Http

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_LONGEST = 300
"""Characters of a subject."""


class Mail:
    """A Sender by SMTP."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        password: Secret,
        recipients: Callable[[str], tuple[str, ...]],
        http: Http,
        hosts: Mapping[str, Host],
    ) -> None:
        """recipients: a team's. Raises ConfigError for a channel that lacks something, or a password sent readable."""
        if not channel.server or not parseaddr(channel.sender)[1]:
            raise ConfigError(f"notify.channels.{name} needs a server and a sender")
        if password and channel.tls == "none":
            raise ConfigError(f"notify.channels.{name} would send its password readable", hint="Set tls to starttls.")
        host, _, port = channel.server.partition(":")
        self._host, self._port = host, int(port) if port.isdigit() else _PORTS[channel.tls]
        self._name, self._channel, self._password, self._recipients = name, channel, password, recipients
        self._timeout, self._tls = http.read_timeout, hosts.get(channel.server, hosts.get(host, Host()))

    def send(self, message: Message, key: str) -> None:
        """Send the mail to all; it counts as sent when the server took it for one of them at least."""
        recipients = self._recipients(message.team)
        if not recipients:
            raise ConfigError(
                f"channel {self._name} has nobody to tell for team {message.team or '(none)'}",
                hint=f"Give the team owners with addresses in notify.teams, or set notify.channels.{self._name}.to.",
            )
        try:
            mail = compose(message, key, self._channel.sender, recipients)
            with self._connect() as server:
                if self._channel.user:
                    server.login(self._channel.user, self._password.reveal())
                server.send_message(mail)
        except (smtplib.SMTPException, OSError, MessageError, ValueError) as error:
            raise NetworkError(
                f"channel {self._name}: {self._channel.server} did not take the mail", why=_in_words(error)
            ) from None

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context(cafile=self._tls.ca_file or None)
        if self._tls.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if self._channel.tls == "tls":
            return smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=context)
        server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        if self._channel.tls == "starttls":
            try:
                server.starttls(context=context)
            except BaseException:
                server.close()
                raise
        return server


def compose(message: Message, key: str, sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    """Return the mail. Its Message-ID is made of the key, so that the same mail sent twice can be told."""
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, ", ".join(recipients)
    mail["Subject"] = _subject(message.subject)
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{key}@{parseaddr(sender)[1].rpartition('@')[2] or 'imagegate'}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notes in answer
    mail.set_content(message.markdown)
    mail.add_alternative(message.html, subtype="html")
    return mail


def _subject(text: str) -> str:
    """Return text without what a header would take for encoded words: a team's name is what an image's label says.

    (RFC 2047, 2: such words may hold line ends, and with them headers and a body.)
    """
    shown = "".join(each if each.isprintable() else " " for each in text)
    return " ".join(shown.split()).replace("=?", "= ?")[:_LONGEST]


def _in_words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        return f"{error.smtp_code} {said}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "; ".join(f"{name}: {code}" for name, (code, _) in error.recipients.items())
    return str(error) or type(error).__name__
