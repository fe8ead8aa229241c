"""Native catalogers and the real syft find the same dpkg, PyPI and npm packages on images of real packages."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imagegate.analysis import syft
from imagegate.analysis.analyze import analyze
from imagegate.analysis.purl import pypi
from imagegate.analysis.store import LayerStore
from imagegate.image.layout import LayoutSource
from imagegate.image.resolve import resolve
from imagegate.model import Analysis, LayoutRef, PackageType, Platform
from imagegate.progress import NoProgress
from imagegate.settings import AnalysisSettings, Limits
from lab.packages import ensure
from tests.layers import directory, file, image, tar, write_layout

PYTHON = (
    "flask==3.0.3",
    "requests==2.32.3",
    "sqlalchemy==2.0.30",
    "django==4.2.13",
    "pyyaml==6.0.1",
    "setuptools==70.0.0",
)
NPM = ("express@4.19.2", "eslint@8.57.0", "webpack@5.91.0", "@babel/core@7.24.5")
SYFT_TYPES = {PackageType.DPKG: "deb", PackageType.PYTHON: "python", PackageType.NPM: "npm"}

DISTROLESS = {
    "var/lib/dpkg/status.d/base": "Package: base-files\nVersion: 12.4+deb12u5\nArchitecture: amd64\n",
    "var/lib/dpkg/status.d/libssl3": "Package: libssl3\nSource: openssl\nVersion: 3.0.11-1~deb12u2\n",
    "var/lib/dpkg/status.d/libssl3.md5sums": "0" * 32 + "  usr/lib/x86_64-linux-gnu/libssl.so.3\n",
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\n',
}

Names = set[tuple[str, str]]


def run(*command: str | Path, cwd: Path | None = None) -> None:
    done = subprocess.run([str(each) for each in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stdout[-500:]} {done.stderr[-2000:]}"


def pack(root: Path, target: Path) -> bytes:
    run("tar", "-C", root, "--numeric-owner", "-cf", target, ".")
    raw = target.read_bytes()
    target.unlink()
    return raw


@pytest.fixture(scope="module")
def debian(work_dir: Path) -> Path:
    """A Debian with some distro packages that are Python and npm packages too."""
    ensure("debootstrap")
    root = work_dir / "debian"
    run("debootstrap", "--variant=minbase", "--include=python3-requests,node-xtend", "bookworm", root)
    shutil.rmtree(root / "var/cache/apt/archives")
    return root


@pytest.fixture(scope="module")
def application(work_dir: Path) -> Path:
    """What pip and npm install."""
    root = work_dir / "application"
    site = root / "usr/local/lib/python3.11/dist-packages"
    run(sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", "--target", site, *PYTHON)
    (root / "app").mkdir()
    (root / "app/package.json").write_text('{"name":"shop","version":"1.0.0","private":true}')
    ensure("npm")
    run("npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *NPM, cwd=root / "app")
    return root


@pytest.fixture(scope="module")
def layout(work_dir: Path, debian: Path, application: Path) -> Path:
    """Both as an OCI layout of three layers; the third upgrades one package and removes another."""
    last = tar(
        file("app/node_modules/express/package.json", '{"name":"express","version":"9.9.9"}'),
        file("app/node_modules/.wh.webpack"),
        file("usr/local/lib/python3.11/dist-packages/flask-3.0.3.dist-info/.wh..wh..opq"),
    )
    layers = pack(debian, work_dir / "1.tar"), pack(application, work_dir / "2.tar"), last
    target = work_dir / "layout"
    write_layout(target, *image(*layers))
    return target


def natively(layout: Path, cache: Path, *, lock_files: bool = False) -> Analysis:
    with LayoutSource(LayoutRef(str(layout)), Limits()) as source:
        resolved = resolve(source, platform=Platform(), all_platforms=False, limits=Limits())
        return analyze(
            resolved.images[0],
            source,
            settings=AnalysisSettings(catalogers="native", lock_files=lock_files),
            limits=Limits(),
            store=LayerStore(cache),
            progress=NoProgress(),
        )


def by_syft(layout: Path, kind: PackageType) -> dict[tuple[str, str], str]:
    """Name and version to the file that says so, of what syft itself finds in the image."""
    command = [str(syft._executable()), "scan", f"oci-dir:{layout}", "--quiet", "--output", "json"]
    environment = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return {
        comparable(each["name"], each["version"], kind): each["locations"][0]["path"]
        for each in json.loads(done.stdout)["artifacts"]
        if each["type"] == SYFT_TYPES[kind]
    }


def comparable(name: str, version: str, kind: PackageType) -> tuple[str, str]:
    """Python's names are told as they are written here, normalised by syft."""
    return (pypi(name, "").replace(".", "-").removeprefix("pkg:pypi/") if kind is PackageType.PYTHON else name), version


def found(analysis: Analysis, kind: PackageType) -> set[tuple[str, str]]:
    return {comparable(each.name, each.version, kind) for each in analysis.packages if each.type is kind}


def owned_by_dpkg(root: Path) -> set[str]:
    """The files of all installed packages, as dpkg itself has it."""
    lists = (root / "var/lib/dpkg/info").glob("*.list")
    return {line for each in lists for line in each.read_text().splitlines()}


def test_debian_packages_are_the_same(layout: Path, tmp_path: Path) -> None:
    expected = set(by_syft(layout, PackageType.DPKG))
    assert len(expected) > 100
    assert found(natively(layout, tmp_path), PackageType.DPKG) == expected


@pytest.mark.parametrize("kind", [PackageType.PYTHON, PackageType.NPM])
def test_language_packages_are_the_same_but_for_those_that_debian_owns(
    layout: Path, debian: Path, tmp_path: Path, kind: PackageType
) -> None:
    theirs, owned = by_syft(layout, kind), owned_by_dpkg(debian)
    twice = {each for each, path in theirs.items() if path in owned}
    assert twice, "the image was to have packages that Debian owns"
    assert found(natively(layout, tmp_path), kind) == theirs.keys() - twice


def test_what_the_last_layer_did_is_seen(layout: Path, tmp_path: Path) -> None:
    analysis = natively(layout, tmp_path)
    npm = found(analysis, PackageType.NPM)
    assert {version for name, version in npm if name == "express"} == {"9.9.9"}
    assert "webpack" not in {name for name, _ in npm}
    assert "flask" not in {name for name, _ in found(analysis, PackageType.PYTHON)}


def test_distroless_packages_are_the_same(tmp_path: Path) -> None:
    layout = tmp_path / "layout"
    parents = (directory(path) for path in ("var", "var/lib", "var/lib/dpkg", "var/lib/dpkg/status.d", "etc"))
    write_layout(layout, *image(tar(*parents, *(file(path, content) for path, content in DISTROLESS.items()))))
    analysis = natively(layout, tmp_path / "cache")
    assert found(analysis, PackageType.DPKG) == by_syft(layout, PackageType.DPKG).keys() != set()
