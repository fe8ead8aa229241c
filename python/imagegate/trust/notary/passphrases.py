"""Passphrases of keys, from the environment or from files that it names; never from arguments or settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from imagegate.errors import TrustError

_KNOWN = {
    "root": ("NOTARY_ROOT_PASSPHRASE", "DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE"),
    "targets": ("NOTARY_TARGETS_PASSPHRASE", "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE"),
    "snapshot": ("NOTARY_SNAPSHOT_PASSPHRASE", "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE"),
    "delegation": ("NOTARY_DELEGATION_PASSPHRASE", "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE"),
}


class Passphrases:
    """Looks a passphrase up when it is needed. Its repr shows none."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ

    def __repr__(self) -> str:
        return "Passphrases()"

    def get(self, role: str) -> tuple[str, str]:
        """Return (passphrase, the variable it came from) for a key's role. Raises TrustError when none is set."""
        names = _KNOWN.get(role, _KNOWN["delegation"])
        file_variable = f"IMAGEGATE_{names[0]}_FILE"
        if file := self._environ.get(file_variable):
            try:
                return Path(file).read_text().rstrip("\r\n"), file_variable
            except (OSError, UnicodeDecodeError) as error:
                raise TrustError(f"the file that {file_variable} names cannot be read", why=str(error)) from error
        for name in names:
            if value := self._environ.get(name):
                return value, name
        raise TrustError(f"no passphrase for the {role} key", hint=f"Set {names[0]} or {file_variable}.")
