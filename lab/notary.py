"""Debian's notary-server and notary-signer on loopback, and its `notary` command as the peer that checks us."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from lab.pki import Pki
from lab.process import Server, free_port, port_ready
from lab.tokens import TokenServer

PASSPHRASES = {
    "NOTARY_ROOT_PASSPHRASE": "root-passphrase",
    "NOTARY_TARGETS_PASSPHRASE": "targets-passphrase",
    "NOTARY_SNAPSHOT_PASSPHRASE": "snapshot-passphrase",
    "NOTARY_DELEGATION_PASSPHRASE": "delegation-passphrase",
}


class NotarySigner(Server):
    """notary-signer, which holds the keys of snapshots and timestamps; in memory."""

    def __init__(self, directory: Path, pki: Pki) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        certificate = pki.issue("notary-signer")
        config = directory / "signer.json"
        config.write_text(
            json.dumps(
                {
                    "server": {
                        "grpc_addr": f"127.0.0.1:{self.port}",
                        "tls_cert_file": str(certificate.certificate),
                        "tls_key_file": str(certificate.key),
                        "client_ca_file": str(pki.ca_file),
                    },
                    "logging": {"level": "info"},
                    "storage": {"backend": "memory"},
                }
            )
        )
        super().__init__(
            ["notary-signer", f"-config={config}"], ready=port_ready(self.port), log=directory / "signer.log"
        )


class NotaryServer(Server):
    """notary-server over a signer; in memory."""

    def __init__(self, directory: Path, pki: Pki, signer: NotarySigner, tokens: TokenServer | None = None) -> None:
        """tokens: whose tokens to ask for; None: nobody needs a login."""
        directory.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"https://{self.host}"
        self.ca_file = pki.ca_file
        certificate = pki.issue("notary-server")
        config = directory / "server.json"
        config.write_text(
            json.dumps(
                {
                    "server": {
                        "http_addr": self.host,
                        "tls_cert_file": str(certificate.certificate),
                        "tls_key_file": str(certificate.key),
                    },
                    "trust_service": {
                        "type": "remote",
                        "hostname": "127.0.0.1",
                        "port": str(signer.port),
                        "tls_ca_file": str(pki.ca_file),
                        "key_algorithm": "ecdsa",
                        "tls_client_cert": str(certificate.certificate),
                        "tls_client_key": str(certificate.key),
                    },
                    "logging": {"level": "info"},
                    "storage": {"backend": "memory"},
                    **({"auth": {"type": "token", "options": tokens.accepted_by(pki)}} if tokens else {}),
                }
            )
        )
        super().__init__(
            ["notary-server", f"-config={config}"], ready=port_ready(self.port), log=directory / "server.log"
        )


class Notary:
    """Both together. url: the server's."""

    def __init__(self, directory: Path, pki: Pki, tokens: TokenServer | None = None) -> None:
        self.signer = NotarySigner(directory / "signer", pki)
        self.server = NotaryServer(directory / "server", pki, self.signer, tokens)
        self.url, self.host, self.ca_file = self.server.url, self.server.host, pki.ca_file

    def __enter__(self) -> Notary:
        self.signer.start()
        self.server.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.server.stop()
        self.signer.stop()

    def cli(
        self, *arguments: str, trust: Path, check: bool = True, url: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run Debian's `notary` against the server. trust: its directory of keys and metadata."""
        command = ["notary", "-s", url or self.url, "--tlscacert", str(self.ca_file), "-d", str(trust), *arguments]
        done = subprocess.run(
            command, env={**os.environ, **PASSPHRASES}, capture_output=True, text=True, check=False, timeout=60
        )
        if check and done.returncode:
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        return done
