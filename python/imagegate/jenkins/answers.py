"""How a request to Jenkins ended, from what python-jenkins and requests make of it; and a refusal in words."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import jenkins
import msgspec
import requests

from imagegate.errors import AuthenticationFailed, ConfigError, ImagegateError, NetworkError
from imagegate.http.client import reason
from imagegate.jenkins.server import JenkinsError

_UNKNOWN_CLASS = re.compile(r"(?:CannotResolveClassException|ClassNotFoundException): ([\w.$-]+)")
_SAID = 300


class Answer(msgspec.Struct, frozen=True):
    """How one attempt ended. status: 0 for no answer. was_sent: whether it may have reached the server.

    trouble: what went wrong, in words. is_jenkins: whether the answer says that a Jenkins gave it.
    """

    status: int = 0
    body: bytes = b""
    trouble: str = ""
    was_sent: bool = True
    is_jenkins: bool = True
    version: str = ""
    retry_after: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether it was done. A redirect is the answer to what was done, such as a deletion."""
        return 200 <= self.status < 400

    @property
    def is_stale(self) -> bool:
        """Whether only the crumb was refused, which a session of before a restart has."""
        return self.status == 403 and b"crumb" in self.body.lower()


def answered(host: str, send: Callable[[], Any]) -> Answer:
    """Send, and return how it ended. Raises NetworkError, ConfigError for a certificate or CA file that is wrong."""
    try:
        return _of_response(host, send())
    except requests.exceptions.SSLError as error:
        raise NetworkError(
            f"the certificate of {host} cannot be verified",
            why=reason(error),
            hint=f"Set hosts.{host}.ca_file to the CA that signed it.",
        ) from error
    except (requests.exceptions.ConnectTimeout, requests.exceptions.ProxyError) as error:
        return Answer(trouble=reason(error), was_sent=False)
    except requests.exceptions.ConnectionError as error:
        return Answer(trouble=reason(error), was_sent="NewConnectionError" not in repr(error))
    except (jenkins.JenkinsException, requests.exceptions.RequestException) as error:
        response = _response(error)
        return Answer(trouble=reason(error)) if response is None else _of_response(host, response)
    except OSError as error:
        raise ConfigError(f"hosts.{host}.ca_file is no file of CA certificates", why=str(error)) from error


def refused(host: str, method: str, path: str, answer: Answer) -> ImagegateError:
    """Return the error for an answer that is a refusal, with what to do."""
    words = _words(answer)
    what, why = f"{host} refuses {method} /{path.partition('?')[0]}", f"status {answer.status}{words and f', {words}'}"
    if answer.status == 401:
        hint = "Is IMAGEGATE_JENKINS_TOKEN an API token of IMAGEGATE_JENKINS_USER? A password is none."
        return AuthenticationFailed(f"{host}: the login from IMAGEGATE_JENKINS_USER was refused", why=why, hint=hint)
    if answer.status == 403:
        hint = "It needs Overall/Read, and Job and View each with Read, Create, Configure and Delete."
        return AuthenticationFailed(f"{what}: the login does not allow it", why=why, hint=hint)
    if not answer.is_jenkins:
        return JenkinsError(f"{host} is no Jenkins", why=why, hint="Name its URL with its path.", status=answer.status)
    if missing := _UNKNOWN_CLASS.search(html.unescape(answer.body.decode("utf-8", "replace"))):
        hint = "Install the plugin that brings it; `imagegate jenkins doctor` tells which are missing."
        why = f"it does not know {missing[1]}"
        return JenkinsError(what, why=why, hint=hint, status=answer.status)
    hint = "`imagegate jenkins doctor` tells what is missing." if answer.status == 500 else ""
    return JenkinsError(what, why=why, hint=hint, status=answer.status)


def _of_response(host: str, response: Any) -> Answer:
    version = response.headers.get("X-Jenkins", "")
    target = urlsplit(response.headers.get("Location", ""))
    if 300 <= response.status_code < 400 and not response.url.endswith("/doDelete"):
        shown = f"{target.scheme}://{target.netloc.rpartition('@')[2]}{target.path}" if target.netloc else target.path
        raise JenkinsError(f"{host} redirects to {shown}", hint="Name the URL that it really has with --server.")
    if 200 <= response.status_code < 300 and not version:
        raise JenkinsError(
            f"{host} is no Jenkins", why="its answer lacks X-Jenkins", hint="Name its URL with its path."
        )
    after = response.headers.get("Retry-After", "")
    said = response.headers.get("X-Error", "")
    return Answer(
        status=response.status_code,
        body=said.encode() if said and response.status_code >= 400 else response.content,
        trouble=f"status {response.status_code}",
        is_jenkins=bool(version),
        version=version,
        retry_after=min(float(after), 60.0) if after.isdigit() else 0.0,
    )


def _response(error: BaseException) -> Any:
    """Return the answer that an exception is about; python-jenkins raises its own in the handler of requests'."""
    for each in (error, error.__context__):
        found = getattr(each, "response", None)
        if found is not None:
            return found
    return None


def _words(answer: Answer) -> str:
    """Return what Jenkins says of an error: its page without the markup, in a line."""
    text = re.sub(r"(?s)<(script|style|head)\b.*?</\1>|<[^>]*>", " ", answer.body.decode("utf-8", "replace"))
    return " ".join(html.unescape(text).split())[:_SAID]
