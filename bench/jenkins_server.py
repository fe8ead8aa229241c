"""A fake Jenkins as a process of its own, so that its work is not the measured one's. Told what to do by lines."""

from __future__ import annotations

import sys

from tests.fakes.jenkins import FakeJenkins


def main() -> None:
    """Print the URL; then answer each line by the number of writes since the last. `empty` forgets all items."""
    with FakeJenkins(delay=float(sys.argv[1])) as jenkins:
        print(jenkins.url, flush=True)
        for line in sys.stdin:
            if line.strip() == "empty":
                jenkins.root.children.clear()
                jenkins.root.views.clear()
            print(jenkins.counted["POST"], flush=True)
            jenkins.requests.clear()


if __name__ == "__main__":
    main()
