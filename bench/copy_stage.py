"""One stage of the gate as a process: copy an image by digest, and tag it when a tag is given. For `make bench`.

python copy_stage.py REFERENCE REPOSITORY [TAG]
"""

from __future__ import annotations

import sys

from imagegate import config
from imagegate.cli.factory import Factory
from imagegate.cli.main import leave
from imagegate.image.reference import parse, parse_repository
from imagegate.progress import NoProgress


def main() -> None:
    """Copy."""
    reference, repository, *tags = sys.argv[1:]
    progress = NoProgress()
    factory = Factory(config.load(flags={}, environ=config.environment()).settings, progress, print)
    with factory.open(parse(reference)) as source:
        image = factory.resolve(source)
        destination = factory.destination(parse_repository(repository))
        destination.copy(source, image, progress)
        for tag in tags:
            destination.tag(image.root, tag)


if __name__ == "__main__":
    main()
    leave(0)
