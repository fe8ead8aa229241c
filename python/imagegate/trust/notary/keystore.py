"""The directory of private keys, in the format that notary (`-d`) and docker (`~/.docker/trust`) share."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from imagegate.errors import TrustError
from imagegate.trust.notary import pem
from imagegate.trust.notary.keys import PrivateKey
from imagegate.trust.notary.passphrases import Passphrases


class KeyEntry(msgspec.Struct, frozen=True):
    """A key file. key_id: the file's name; role: `root`, `targets`, `snapshot`, or a delegation key's name."""

    key_id: str
    role: str
    gun: str
    path: Path


class KeyStore:
    """Keys by role. Several processes may use one directory at once."""

    def __init__(self, directory: Path, passphrases: Passphrases) -> None:
        self.directory, self._passphrases = directory, passphrases
        self._loaded: dict[str, PrivateKey] = {}

    def entries(self) -> tuple[KeyEntry, ...]:
        """Return all keys, by id. Raises TrustError for a file that is no key."""
        private = self.directory / "private"
        found = []
        try:
            files = sorted(private.glob("*.key"))
            for path in files:
                headers = pem.parse(path.read_text()).headers
                found.append(KeyEntry(path.stem, headers.get("role", ""), headers.get("gun", ""), path))
        except (OSError, UnicodeDecodeError) as error:
            raise TrustError(f"the key store {self.directory} cannot be read", why=str(error)) from error
        except TrustError as error:
            raise TrustError(f"{path} cannot be used", why=error.what, hint="Remove it from the key store.") from error
        return tuple(found)

    def find(self, role: str, gun: str = "") -> tuple[KeyEntry, ...]:
        """Return the keys of a role; gun: the repository, for `targets` and `snapshot`."""
        return tuple(entry for entry in self.entries() if entry.role == role and entry.gun == gun)

    def load(self, entry: KeyEntry) -> PrivateKey:
        """Open a key with its role's passphrase. Raises TrustError, which names the variable and not the passphrase."""
        if entry.key_id not in self._loaded:
            self._loaded[entry.key_id] = self._open(entry)
        return self._loaded[entry.key_id]

    def _open(self, entry: KeyEntry) -> PrivateKey:
        block = pem.parse(entry.path.read_text())
        if block.label == pem.ENCRYPTED:
            passphrase, variable = self._passphrases.get(entry.role)
            try:
                der = pem.decrypt(block.der, passphrase)
            except pem.WrongPassphrase as error:
                raise TrustError(
                    f"{entry.path} cannot be opened",
                    why=f"the passphrase in {variable} is wrong",
                    hint=f"Set {variable} to the passphrase of the {entry.role or 'delegation'} key.",
                ) from error
        else:
            if entry.path.stat().st_mode & 0o077:
                raise TrustError(
                    f"{entry.path} is not used",
                    why="it is not encrypted and others can read it",
                    hint=f"chmod 600 {entry.path}",
                )
            der = block.der
        try:
            return PrivateKey.from_der(der)
        except ValueError as error:
            raise TrustError(f"{entry.path} cannot be used", why="it holds no private key") from error

    def create(self, role: str, gun: str = "") -> PrivateKey:
        """Make a key, store it encrypted, and return it. Call it within `lock`. Raises TrustError."""
        passphrase, variable = self._passphrases.get(role)
        if len(passphrase) < 8:
            raise TrustError(f"the passphrase in {variable} is too short", hint="notary and docker want 8 characters.")
        key = PrivateKey.generate()
        headers = {"role": role} | ({"gun": gun} if gun else {})
        text = pem.format_pem(pem.Pem(pem.ENCRYPTED, headers, pem.encrypt(key.to_der(), passphrase)))
        private = self.directory / "private"
        try:
            private.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, name = tempfile.mkstemp(dir=private, prefix=".new-")
            with os.fdopen(handle, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(name).rename(private / f"{key.key_id}.key")
        except OSError as error:
            raise TrustError(f"a key cannot be stored in {self.directory}", why=str(error)) from error
        self._loaded[key.key_id] = key
        return key

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from making keys meanwhile: two jobs must agree on one key of a role."""
        try:
            self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self.directory / ".imagegate.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TrustError(f"the key store {self.directory} cannot be written", why=str(error)) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
