"""The kinds of new repositories: what each is, and the stages that its pipeline has."""

from __future__ import annotations

import msgspec

from imagegate.jenkins.teams import Stage


class Kind(msgspec.Struct, frozen=True):
    """A kind of repository. stages: of its pipeline; policy: that its image must pass; on_base: it needs a base."""

    summary: str
    stages: tuple[Stage, ...]
    policy: str = "application"
    on_base: bool = True


KINDS = {
    "python-app": Kind(
        "A Python application; its dependencies are copied in, from requirements.txt.",
        (
            # pip leaves what is there: without `rm`, a workspace's next build has the old code of a new version.
            Stage(
                "Dependencies",
                "rm -rf vendor && mkdir vendor && python3 -m pip install --target vendor -r requirements.txt",
                "before",
            ),
            Stage("Unit tests", "PYTHONPATH=vendor python3 -m unittest"),
        ),
    ),
    "node-app": Kind(
        "A Node.js application; its dependencies are copied in, from package-lock.json.",
        (
            Stage("Dependencies", "npm ci --omit=dev && mkdir -p node_modules", "before"),
            Stage("Unit tests", "npm test"),
        ),
    ),
    "static-site": Kind(
        "Pages that nginx serves; their links are checked.",
        (Stage("Links", "python3 -m unittest"),),
    ),
    "base-image": Kind(
        "A base image: a minimal Debian 12 with packages of your choice.",
        (Stage("Root file system", "./make-root.sh", "before"),),
        "base-image",
        on_base=False,
    ),
}
