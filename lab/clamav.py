"""A real clamd, with the signatures that a test gives it."""

from __future__ import annotations

import getpass
from pathlib import Path

from lab.packages import ensure
from lab.process import Server, port_ready


class Clamav(Server):
    """clamd on a socket, and on a loopback port where one is given. socket: the path of the one."""

    def __init__(self, directory: Path, database: Path, *, port: int = 0, longest: str = "25M") -> None:
        """longest: bytes of a file that it takes, as clamd.conf(5) writes them."""
        ensure("clamd")
        directory.mkdir(parents=True, exist_ok=True)
        self.socket = directory / "clamd.sock"
        settings = [
            f"LocalSocket {self.socket}",
            f"DatabaseDirectory {database}",
            f"StreamMaxLength {longest}",
            f"TemporaryDirectory {directory}",
            f"User {getpass.getuser()}",
            "Foreground yes",
            *([f"TCPSocket {port}", "TCPAddr 127.0.0.1"] if port else []),
        ]
        file = directory / "clamd.conf"
        file.write_text("\n".join(settings) + "\n")
        ready = port_ready(port) if port else self.socket.exists
        super().__init__(["/usr/sbin/clamd", "--config-file", str(file)], ready=ready, log=directory / "clamd.log")
