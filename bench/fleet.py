"""A fleet of promoted images to measure the inventory with.

python -m bench.fleet URL IMAGES [DIRECTORY]

60 base families of some 440 packages, three releases each of which an image may be built on, and some 40 packages of
its own for each image: 480 in all. An executable is each image's own, jars are shared, and every hundredth image has
log4j-core. Of the first 10,000, every twentieth has one of fifty packages that no other image has: advisories on these
hit as many images of a small fleet as of a large one. Names, and versions of those that have advisories, are from
`../shared/advisories`.
Prints the seconds that recording took, and the slowest promotions.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.advisory_data import debian, records_of
from imagegate.inventory.model import NotableFile, Promoted, Variant
from imagegate.inventory.recording import record
from imagegate.inventory.store import Inventory
from imagegate.model import Distro, Package, PackageType

FAMILIES, RELEASES, BASE, OWN = 60, 3, 440, 40
PLANTED, WITHIN, EACH = 50, 10_000, 20
_START = datetime(2026, 1, 1, tzinfo=UTC)
_DISTRO = Distro("debian", "12")
_BASE_LAYER = "sha256:" + "b" * 64


def fleet(images: int, seed: int = 9) -> Iterator[Promoted]:
    """Yield that many promotions, the same for the same seed."""
    dice = random.Random(seed)
    real = sorted({part["package"]["name"] for each in debian() for part in each["affected"]})
    names = real + [f"lib{number}" for number in range(3000)]
    languages = {
        "PyPI": _names("osv-pypi", "PyPI") + [f"py-package-{number}" for number in range(8000)],
        "npm": [f"npm-package-{number}" for number in range(12000)],
    }
    bases = [_base(dice, names) for _ in range(FAMILIES)]
    for number in range(images):
        family = number % FAMILIES
        base = bases[family][dice.randrange(RELEASES)]
        own = [_own(dice, languages) for _ in range(OWN)]
        extra = [_deb(dice, names) for _ in range(dice.randrange(4))]
        if number % 100 == 0:
            extra.append(_log4j(dice))
        if number < WITHIN and number % EACH == 0:
            extra.append(planted(number // EACH % PLANTED))
        digest = f"sha256:{number:064x}"
        yield Promoted(
            repository=f"registry.example.com/team-{number % 200}/app-{number}",
            digest=digest,
            tags=(f"1.{number % 7}",),
            promoted_at=_START + timedelta(minutes=number),
            variants=(Variant("linux/amd64", digest, _DISTRO, (*base, *own, *extra), (_BASE_LAYER,), _files(number)),),
            base=f"registry.example.com/platform/base-{family}:12",
            base_digest=f"sha256:{family + 10**9:064x}",
            team=f"team-{number % 200}",
            job=f"team-{number % 200}/app-{number}/main",
            policy='{"id": "fleet"}',
            signers=("targets",),
        )


def _base(dice: random.Random, names: list[str]) -> list[list[Package]]:
    """Releases of one base: each has a tenth of its packages in a newer version than the one before."""
    chosen = dice.sample(names, BASE)
    versions = {name: dice.randrange(1, 9) for name in chosen}
    releases = []
    for _ in range(RELEASES):
        for name in dice.sample(chosen, BASE // 10):
            versions[name] += 1
        releases.append([_package(name, f"{versions[name]}.2-1", base=True) for name in chosen])
    return releases


def _deb(dice: random.Random, names: list[str]) -> Package:
    return _package(dice.choice(names), f"{dice.randrange(1, 9)}.2-1", base=False)


def _log4j(dice: random.Random) -> Package:
    version = f"2.{dice.randrange(10, 21)}.0"
    purl = f"pkg:maven/org.apache.logging.log4j/log4j-core@{version}"
    return Package("log4j-core", version, PackageType.JAVA, purl)


def planted(number: int) -> Package:
    """Return one of the packages that only some of the first images have."""
    name = f"npm-planted-{number}"
    return Package(name, "1.0.0", PackageType.NPM, f"pkg:npm/{name}@1.0.0")


def _files(number: int) -> tuple[NotableFile, ...]:
    """A program of the image's own, and ten jars of five hundred that there are."""
    own = NotableFile(f"/app/bin/app-{number}", f"{number:064x}")
    jars = (10**6 + (number * 7 + each * 13) % 500 for each in range(10))
    return own, *(NotableFile(f"/app/lib/part-{each}.jar", f"{each:064x}") for each in jars)


def _package(name: str, version: str, *, base: bool) -> Package:
    layer = _BASE_LAYER if base else "sha256:" + "c" * 64
    return Package(name, version, PackageType.DPKG, f"pkg:deb/debian/{name}@{version}", layer=layer)  # type: ignore[arg-type]


def _own(dice: random.Random, languages: dict[str, list[str]]) -> Package:
    kind = dice.choice(("PyPI", "npm", "npm"))
    # A few packages are everywhere, most are rare.
    name = languages[kind][min(int(dice.paretovariate(0.7)), len(languages[kind]) - 1)]
    version = f"{dice.randrange(1, 5)}.{dice.randrange(6)}.0"
    type_ = PackageType.PYTHON if kind == "PyPI" else PackageType.NPM
    return Package(name, version, type_, f"pkg:{kind.lower()}/{name}@{version}")


def _names(file: str, ecosystem: str) -> list[str]:
    return sorted(
        {
            part["package"]["name"]
            for each in records_of(file)
            for part in each.get("affected", ())
            if part["package"]["ecosystem"] == ecosystem
        }
    )


def main() -> None:
    """Record a fleet."""
    url, images = sys.argv[1], int(sys.argv[2])
    slowest: list[float] = []
    begin = time.perf_counter()
    with Inventory(url) as inventory:
        for promoted in fleet(images):
            at = time.perf_counter()
            record(inventory, promoted)
            slowest.append(time.perf_counter() - at)
    slowest.sort()
    total = time.perf_counter() - begin
    median, late = slowest[len(slowest) // 2], slowest[int(len(slowest) * 0.99)]
    print(f"{images} images in {total:.1f} s; one: median {median:.4f} s, 99th percentile {late:.4f} s")


if __name__ == "__main__":
    main()
