"""Compare our findings with the peers' on the same records: `python -m bench.peers`. docs/peers.md has the figures."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench.peers import answers, images
from bench.peers.answers import Answer, Names
from bench.peers.programs import WORK, ensure
from bench.peers.records import cases

Place = tuple[str, str]
_T = TypeVar("_T")


def main() -> int:
    """Compare, and print what one scanner finds and another does not."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these: PyPI, Go, npm, RubyGems, Debian:12, …, images")
    parser.add_argument("--most", type=int, default=20_000, help="packages of one ecosystem")
    parser.add_argument("--show", type=int, default=5, help="examples of each kind of difference")
    arguments = parser.parse_args()
    programs = {name: ensure(name) for name in ("osv-scanner", "grype")}
    for case in cases(arguments.most):
        if arguments.names and case.name not in arguments.names and case.name.split(" ")[0] not in arguments.names:
            continue
        with tempfile.TemporaryDirectory(prefix="peers-") as name:
            directory = Path(name)
            mine, spent = _timed(partial(answers.ours, directory, case.records, case.packages, case.distro))
            print(
                f"\n{case.name}: {len(case.records)} records, {len(case.packages)} packages, "
                f"{_count(mine)} findings, {spent:.1f} s",
                flush=True,
            )
            for peer, ask in (("osv-scanner", answers.of_osv_scanner), ("grype", answers.of_grype)):
                program = programs[peer]
                if program is None:
                    print(f"  {peer}: not here, and no Go to build it with")
                    continue
                theirs, spent = _timed(partial(ask, program, directory, case.records, case.packages, case.distro))
                asked = {
                    ((each.source or each.name).lower(), each.source_version or each.version) for each in case.packages
                }
                _compare(asked, peer, mine, theirs, spent, arguments.show)
    if not arguments.names or "images" in arguments.names:
        _images(programs, arguments.show)
    return 0


def _images(programs: dict[str, Path | None], show: int) -> None:
    records = images.records()
    for image in images.images(WORK.parent / "bench"):
        with tempfile.TemporaryDirectory(prefix="peers-") as name:
            directory = Path(name)
            (mine, count), spent = _timed(partial(answers.ours_of_image, directory, records, image.archive))
            print(f"\n{image.name}: {count} packages, {_count(mine)} findings, {spent:.1f} s", flush=True)
            for peer, ask in (
                ("osv-scanner", answers.of_osv_scanner_on_image),
                ("grype", answers.of_grype_on_image),
            ):
                program = programs[peer]
                if program:
                    theirs, spent = _timed(partial(ask, program, directory, records, image.archive))
                    _compare({*mine, *theirs}, peer, mine, theirs, spent, show)


def _compare(asked: set[Place], peer: str, mine: Answer, theirs: Answer, spent: float, show: int) -> None:
    """Print what differs. asked: names and versions of the packages."""
    kinds: dict[str, list[str]] = {}
    for key in sorted(asked):
        for who, found, other in (("only we", mine, theirs), (f"only {peer}", theirs, mine)):
            for names in _lacking(found.get(key, set()), other.get(key, set())):
                kinds.setdefault(who, []).append(f"{key[0]} {key[1]}: {', '.join(sorted(names)[:4])}")
    print(f"  {peer}: {_count(theirs)} findings, {spent:.1f} s, {sum(map(len, kinds.values()))} differences")
    for kind, texts in sorted(kinds.items()):
        print(f"    {len(texts):5} {kind}")
        for text in texts[:show]:
            print(f"            {text}")


def _lacking(found: set[Names], other: set[Names]) -> list[Names]:
    """Return what has no name in common with anything that the other found."""
    known = {name for names in other for name in names}
    return [names for names in found if not names & known]


def _count(answer: Answer) -> int:
    return sum(map(len, answer.values()))


def _timed(ask: Callable[[], _T]) -> tuple[_T, float]:
    start = time.monotonic()
    return ask(), time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
