"""Debian's docker-registry on loopback."""

from __future__ import annotations

import json
from pathlib import Path

from lab.pki import Pki
from lab.process import Server, free_port, port_ready


class Registry(Server):
    """A registry with TLS. host: `127.0.0.1:PORT`; login: `(user, password)` to ask for, or none."""

    def __init__(
        self, directory: Path, pki: Pki, *, name: str = "registry", login: tuple[str, str] | None = None
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.ca_file = pki.ca_file
        self.storage = directory / "storage"
        certificate = pki.issue(name)
        config = {
            "version": "0.1",
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.storage)},
                "delete": {"enabled": True},
                "cache": {"blobdescriptor": "inmemory"},
            },
            "http": {
                "addr": f"127.0.0.1:{self.port}",
                "secret": "of-the-lab-only",
                "tls": {"certificate": str(certificate.certificate), "key": str(certificate.key)},
            },
        }
        if login:
            passwords = directory / "htpasswd"
            passwords.write_text(f"{login[0]}:{_bcrypt(login[1])}\n")
            config["auth"] = {"htpasswd": {"realm": "lab", "path": str(passwords)}}
        file = directory / "config.yml"
        file.write_text(json.dumps(config))
        super().__init__(
            ["docker-registry", "serve", str(file)], ready=port_ready(self.port), log=directory / "registry.log"
        )


def _bcrypt(password: str) -> str:
    import bcrypt

    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(5)).decode()
