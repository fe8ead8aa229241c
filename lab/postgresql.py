"""Debian's PostgreSQL on loopback, with a cluster of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from lab.packages import ensure
from lab.process import LabError, Server, free_port

USER, PASSWORD = "imagegate", "a-password-of-the-lab"
_ACCOUNT = "postgres"
"""PostgreSQL refuses to run as root; Debian's package makes this account."""


class Postgresql(Server):
    """One server. `database` makes databases."""

    def __init__(self) -> None:
        ensure("pg_createcluster")
        self.port = free_port()
        self._programs = _programs()
        self._as: tuple[str, ...] = ()
        # Of its own: nobody but their user gets into the directories of tests; and of a short path, for the socket.
        self._directory = Path(tempfile.mkdtemp(prefix="ig-postgresql-"))
        if os.geteuid() == 0:
            self._as = ("setpriv", f"--reuid={_ACCOUNT}", f"--regid={_ACCOUNT}", "--clear-groups")
            account = pwd.getpwnam(_ACCOUNT)
            os.chown(self._directory, account.pw_uid, account.pw_gid)
        self._made = 0
        data = self._directory / "data"
        self._initialise(data)
        options = ("-p", str(self.port), "-k", str(data), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off")
        super().__init__(
            [*self._as, str(self._programs / "postgres"), "-D", str(data), *options],
            ready=self._answers,
            log=self._directory / "log",
        )

    def database(self) -> str:
        """Make an empty database and return its URL, without the password."""
        self._made += 1
        name = f"inventory_{self._made}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, name)
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def copy(self, url: str) -> str:
        """Make a copy of a database that nobody is connected to, and return its URL."""
        self._made += 1
        name = f"inventory_{self._made}"
        source = url.rpartition("/")[2]
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-T", source, name)
        return f"{url.rpartition('/')[0]}/{name}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _answers(self) -> bool:
        command = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def _initialise(self, data: Path) -> None:
        secret = self._directory / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        self._run(
            *("initdb", "-D", str(data), "-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync"),
            f"--pwfile={secret}",
        )

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as, str(self._programs / program), *arguments],
            env={**os.environ, "PGPASSWORD": PASSWORD},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            raise LabError(f"{program} failed: {done.stderr[-800:]}")


def _programs() -> Path:
    """Where the programs are: Debian keeps those of a version apart from `PATH`."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise LabError("there is no initdb below /usr/lib/postgresql; install Debian's package postgresql")
    return found[-1].parent
