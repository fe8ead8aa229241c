"""Images that scanners are compared on, each scanner reading them itself: the demo's, and the one of the benchmarks."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.advisory_data import debian, records_of
from bench.peers.records import DEMO, Record, retirejs
from bench.subjects import Layer, archive, build, layer
from demo.debian import bootstrap
from demo.images import FAULTS, NPM, PYTHON, write_context
from lab.grypedb import read


@dataclass(frozen=True)
class Image:
    """An archive as `docker save` writes it."""

    name: str
    archive: Path


def records() -> list[Record]:
    """Return all advisories that there are about the images' ecosystems, each once."""
    all_of_them: Iterable[Record] = (
        *debian(),
        *read(DEMO / "debian-12.json"),
        *(record for record in records_of("osv-pypi") if "withdrawn" not in record),
        *read(DEMO / "npm.json"),
        *retirejs(),
    )
    return list({record["id"]: record for record in all_of_them}.values())


def images(work: Path) -> Iterator[Image]:
    """Yield the demo's base and applications, as far as their packages differ, and the benchmarks' large image."""
    work.mkdir(parents=True, exist_ok=True)
    base = layer(work, "demo-base", _base)
    yield Image("demo: base", archive(work / "demo-base-image.tar", (base,)))
    variants = {("application", PYTHON, NPM), *((each.name, each.python, each.npm) for each in FAULTS)}
    seen = set()
    for name, python, npm in sorted(variants):
        if (python, npm) in seen:
            continue
        seen.add((python, npm))
        own = layer(work, f"demo-{name}", _application(python, npm))
        yield Image(f"demo: {name}", archive(work / f"demo-{name}-image.tar", (base, own)))
    large, _, _ = build(work)
    yield Image("benchmark: large", large.archive)


def _base(tree: Path) -> None:
    bootstrap(tree, tree.with_suffix(".whole"))
    tree.with_suffix(".whole").unlink()


def _application(python: tuple[str, ...], npm: tuple[tuple[str, str], ...]) -> Layer:
    """What the demo's Dockerfile copies, at the places that it copies it to."""

    def fill(tree: Path) -> None:
        context = tree / "context"
        write_context(context, "", python, npm)
        for source, target in (
            ("site-packages", "usr/local/lib/python3.11/dist-packages"),
            ("node_modules", "app/node_modules"),
        ):
            (tree / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(context / source, tree / target)
        shutil.rmtree(context)

    return fill
