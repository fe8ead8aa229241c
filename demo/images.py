"""The demo's images: a base, a good application, and five with one fault each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from demo.packages import npm_package, python_packages

PYTHON = ("urllib3==2.7.0", "jinja2==3.1.6", "markupsafe==3.0.3")
NPM = (("lodash", "4.17.21"), ("minimist", "1.2.8"), ("moment", "2.30.1"))

BASE = """\
FROM scratch
ADD root.tar /
LABEL org.opencontainers.image.title="Debian base" org.opencontainers.image.vendor="the platform team"
RUN useradd --uid 1000 --create-home app
HEALTHCHECK NONE
USER app
"""

APPLICATION = """\
FROM {base}
COPY site-packages /usr/local/lib/python3.11/dist-packages
COPY node_modules /app/node_modules
COPY server.py /app/
WORKDIR /app
EXPOSE 8080
HEALTHCHECK CMD ["python3", "-c", "print('ok')"]
USER app
CMD ["python3", "server.py"]
"""


@dataclass(frozen=True)
class Fault:
    """An application that is refused. reason: gate and trigger that refuse it; say: what a person calls it."""

    name: str
    reason: str
    say: str
    dockerfile: str = APPLICATION
    python: tuple[str, ...] = PYTHON
    npm: tuple[tuple[str, str], ...] = NPM


FAULTS = (
    Fault(
        "old-urllib3",
        "vulnerabilities/package",
        "a vulnerable Python package",
        python=("urllib3==1.26.4", *PYTHON[1:]),
    ),
    Fault("old-moment", "vulnerabilities/package", "a vulnerable npm package", npm=(*NPM[:2], ("moment", "2.29.1"))),
    Fault(
        "as-root",
        "dockerfile/effective_user",
        "no USER: it runs as root",
        dockerfile=APPLICATION.replace("USER app\n", "").replace("COPY site-packages", "USER root\nCOPY site-packages"),
    ),
    Fault(
        "ssh-port",
        "dockerfile/exposed_ports",
        "port 22 exposed",
        dockerfile=APPLICATION.replace("EXPOSE 8080", "EXPOSE 8080 22"),
    ),
    Fault("wild-base", "base_image/not_signed", "a base that nobody signed"),
)


def write_context(directory: Path, dockerfile: str, python: tuple[str, ...], npm: tuple[tuple[str, str], ...]) -> Path:
    """Write the files of an application, and return its Dockerfile."""
    directory.mkdir(parents=True)
    python_packages(directory / "site-packages", *python)
    for name, version in npm:
        npm_package(directory / "node_modules", name, version)
    (directory / "server.py").write_text("print('hello')\n")
    file = directory / "Dockerfile"
    file.write_text(dockerfile)
    return file
