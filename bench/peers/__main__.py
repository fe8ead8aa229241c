"""Compare our findings with the peers' on the same records: `python -m bench.peers`. docs/peers.md has the figures."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from bench.peers import answers
from bench.peers.answers import Answer, Names
from bench.peers.programs import ensure
from bench.peers.records import Case, cases


def main() -> int:
    """Compare, and print what one scanner finds and another does not."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("names", nargs="*", help="only these: PyPI, Go, npm, RubyGems, Debian:12, …")
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
                _compare(case, peer, mine, theirs, spent, arguments.show)
    return 0


def _compare(case: Case, peer: str, mine: Answer, theirs: Answer, spent: float, show: int) -> None:
    asked = {(each.source or each.name, each.source_version or each.version) for each in case.packages}
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


def _timed(ask: Callable[[], Answer]) -> tuple[Answer, float]:
    start = time.monotonic()
    return ask(), time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
