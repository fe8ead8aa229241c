"""Gate `passwd_file`: entries of the image's /etc/passwd."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from imagegate.model import PasswdEntry
from imagegate.policy.gates.parameter import Parameter, Values, numbers, strings, text
from imagegate.policy.gates.trigger import Check, Hit, Scope, Trigger

_PATH = "/etc/passwd"


def _unavailable(scope: Scope, _: Values) -> Iterator[Hit]:
    if not scope.facts.users:
        yield Hit("Cannot locate /etc/passwd in image stored files archive: check analyzer settings.", path=_PATH)


def _line(entry: PasswdEntry) -> str:
    return ":".join(getattr(entry, field) for field in entry.__struct_fields__)


def _denied(what: str, parameter: str, field: Callable[[PasswdEntry], str]) -> Check:
    def check(scope: Scope, values: Values) -> Iterator[Hit]:
        denied = set(values[parameter])
        for entry in scope.facts.users:
            found = field(entry)
            if found in denied:
                yield Hit(
                    f"Blacklisted {what} '{found}' found in image's /etc/passwd: pentry={_line(entry)}",
                    path=_PATH,
                    fix=f"Remove the entry of {entry.name!r} from /etc/passwd (userdel).",
                )

    return check


def _denied_number(what: str, parameter: str, field: Callable[[PasswdEntry], str]) -> Check:
    """Compare as numbers: `00` is the user 0 too. The engine compares text."""

    def check(scope: Scope, values: Values) -> Iterator[Hit]:
        texts = {str(number) for number in values[parameter]}
        for entry in scope.facts.users:
            found = field(entry)
            plain = found if scope.engine or not found.isdigit() else found.lstrip("0") or "0"
            if plain in texts:
                yield Hit(
                    f"Blacklisted {what} '{found}' found in image's /etc/passwd: pentry={_line(entry)}",
                    path=_PATH,
                    fix=f"Remove the entry of {entry.name!r} from /etc/passwd, or give it another {what}.",
                )

    return check


def _denied_entry(scope: Scope, values: Values) -> Iterator[Hit]:
    denied = values["entry"].strip()
    for entry in scope.facts.users:
        if _line(entry) == denied:
            yield Hit(
                f"Blacklisted pentry '{denied}' found in image's /etc/passwd: pentry={denied}",
                path=_PATH,
                fix=f"Remove the entry of {entry.name!r} from /etc/passwd.",
            )


def _trigger(name: str, check: Check, *parameters: Parameter) -> Trigger:
    return Trigger("passwd_file", name, check, parameters)


TRIGGERS = (
    _trigger("content_not_available", _unavailable),
    _trigger(
        "blacklist_usernames",
        _denied("user", "user_names", lambda entry: entry.name),
        Parameter("user_names", strings, required=True),
    ),
    _trigger(
        "blacklist_userids",
        _denied_number("uid", "user_ids", lambda entry: entry.uid),
        Parameter("user_ids", numbers, required=True),
    ),
    _trigger(
        "blacklist_groupids",
        _denied_number("gid", "group_ids", lambda entry: entry.gid),
        Parameter("group_ids", numbers, required=True),
    ),
    _trigger(
        "blacklist_shells",
        _denied("shell", "shells", lambda entry: entry.shell),
        Parameter("shells", strings, required=True),
    ),
    _trigger("blacklist_full_entry", _denied_entry, Parameter("entry", text, required=True)),
)
