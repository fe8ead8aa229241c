"""Native catalogers and the real syft tell the same of apk's and rpm's databases, gems, and editable installs."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from imagegate.analysis import syft
from imagegate.model import Analysis, PackageType
from lab.packages import ensure
from tests.integration.test_analysis_parity import natively, pack, run
from tests.layers import image, write_layout
from tests.rpmdb import ndb

APK = Path(__file__).parent.parent / "data" / "apk" / "installed"
SPEC = """\
Name: {name}
Version: {version}
Release: {release}
Summary: A package
License: {license}
{more}
%description
A package.
%install
mkdir -p %{{buildroot}}/usr/bin
echo {name} > %{{buildroot}}/usr/bin/{name}
%files
/usr/bin/{name}
%package libs
Summary: Libraries
Version: 7
%description libs
Libraries.
%files libs
"""
PACKAGES = (
    {"name": "plain", "version": "1.0", "release": "1.el9", "license": "MIT", "more": ""},
    {"name": "with-dash", "version": "2.0~rc1", "release": "3", "license": "GPLv2+ and BSD", "more": "Epoch: 2"},
    {"name": "module", "version": "1^git", "release": "0", "license": "ASL 2.0", "more": "ModularityLabel: a:b:1:c"},
    {"name": "arch-less", "version": "5", "release": "1", "license": "Public Domain", "more": "BuildArch: noarch"},
)
LOCKS = {
    "npm/package.json": '{"name": "shop", "version": "1.2.3"}',
    "poetry/poetry.lock": '[[package]]\nname = "flask"\nversion = "3.0.3"\n\n[[package]]\nname = "a"\nversion = "1"\n',
    "pipenv/Pipfile.lock": '{"default": {"flask": {"version": "==3.0.3"}}, "develop": {"pytest": {"version": "==8"}}}',
    "pip/requirements.txt": "flask==3.0.3\ndjango[argon2]==4.2 ; python_version > '3'\n"
    "loose>=1\n# why\nx == 2 \\\n  --hash=sha256:0\n",
    "ruby/Gemfile.lock": "GEM\n  specs:\n    rack (2.2.4)\n    rails (7.0)\n      rack (>= 2)\n\nDEPENDENCIES\n  rails",
}
EDITABLE = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "my-shop"
version = "1.4"
"""


def of_root(root: Path, place: Path) -> Path:
    layout = place / "layout"
    write_layout(layout, *image(pack(root, place / "layer.tar")))
    return layout


def by_syft(layout: Path, kind: str) -> list[dict[str, Any]]:
    return [each for each in scanned(f"oci-dir:{layout}") if each["type"] == kind]


def scanned(source: str) -> list[dict[str, Any]]:
    command = [str(syft._executable()), "scan", source, "--quiet", "--output", "json"]
    environment = {**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"}
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return list(json.loads(done.stdout)["artifacts"])


def told(analysis: Analysis, kind: PackageType) -> set[tuple[str, str, str]]:
    return {(each.name, each.version, each.architecture) for each in analysis.packages if each.type is kind}


def licensed(analysis: Analysis, kind: PackageType) -> dict[tuple[str, str], set[str]]:
    return {(each.name, each.version): set(each.licenses) for each in analysis.packages if each.type is kind}


def licensed_by_syft(found: list[dict[str, Any]]) -> dict[tuple[str, str], set[str]]:
    return {(each["name"], each["version"]): {one["value"] for one in each["licenses"]} for each in found}


def test_alpine_packages_are_the_same(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "lib/apk/db").mkdir(parents=True)
    shutil.copy(APK, root / "lib/apk/db/installed")
    layout = of_root(root, tmp_path)
    theirs, ours = by_syft(layout, "apk"), natively(layout, tmp_path / "cache")
    assert told(ours, PackageType.APK) == {
        (each["name"], each["version"], each["metadata"]["architecture"]) for each in theirs
    }
    assert licensed(ours, PackageType.APK) == licensed_by_syft(theirs)
    origins = {each["name"]: each["metadata"]["originPackage"] for each in theirs}
    assert {each.name: each.source or each.name for each in ours.packages} == origins != {}


def test_gems_are_the_same_default_ones_too(tmp_path: Path) -> None:
    ensure("ruby")
    root = tmp_path / "root"
    found = subprocess.run(["gem", "env", "gempath"], capture_output=True, text=True, check=True).stdout
    for directory in map(Path, found.strip().split(":")):
        if (directory / "specifications").is_dir():
            shutil.copytree(directory / "specifications", root / directory.relative_to("/") / "specifications")
    layout = of_root(root, tmp_path)
    theirs, ours = by_syft(layout, "gem"), natively(layout, tmp_path / "cache")
    assert len(theirs) > 50
    assert licensed(ours, PackageType.GEM) == licensed_by_syft(theirs)
    assert {each.purl for each in ours.packages} == {each["purl"] for each in theirs}


@pytest.fixture(scope="module")
def database(work_dir: Path) -> Path:
    """What rpm made of real packages, in SQLite."""
    ensure("rpm")
    for each in PACKAGES:
        spec = work_dir / f"{each['name']}.spec"
        spec.write_text(SPEC.format(**each))
        run("rpmbuild", "-bb", "--define", f"_topdir {work_dir / 'build'}", spec)
    root = work_dir / "rpm-root"
    root.mkdir()
    options = ("--define", "_db_backend sqlite", "--define", "_dbpath /var/lib/rpm", "--nodeps", "--justdb")
    run("rpm", "--root", root, *options, "-i", *sorted((work_dir / "build").rglob("*.rpm")))
    return root / "var/lib/rpm/rpmdb.sqlite"


@pytest.mark.parametrize("name", ["rpmdb.sqlite", "Packages.db"])
def test_rpm_packages_are_the_same(database: Path, tmp_path: Path, name: str) -> None:
    directory = tmp_path / "root/usr/lib/sysimage/rpm"
    directory.mkdir(parents=True)
    if name == "Packages.db":
        with closing(sqlite3.connect(database)) as opened:
            (directory / name).write_bytes(ndb([row[0] for row in opened.execute("SELECT blob FROM Packages")]))
    else:
        shutil.copy(database, directory)
    layout = of_root(tmp_path / "root", tmp_path)
    theirs, ours = by_syft(layout, "rpm"), natively(layout, tmp_path / "cache")
    assert told(ours, PackageType.RPM) == {
        (each["name"], each["version"], each["metadata"]["architecture"]) for each in theirs
    }
    assert len(theirs) == 2 * len(PACKAGES)
    assert licensed(ours, PackageType.RPM) == licensed_by_syft(theirs)
    modules = {each["name"]: each["metadata"].get("modularityLabel", "") for each in theirs}
    assert {each.name: each.module for each in ours.packages} == modules
    sources = {each["name"]: each["metadata"]["sourceRpm"].removesuffix(".src.rpm") for each in theirs}
    for each in ours.packages:
        version = each.source_version or each.version.rpartition(":")[2]
        assert f"{each.source or each.name}-{version}" == sources[each.name]


def test_lock_files_are_the_same_where_they_are_asked_for(tmp_path: Path) -> None:
    """syft reads them in directories only, which is why they are left out unless asked for."""
    ensure("npm")
    root = tmp_path / "root"
    for name, content in LOCKS.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    run("npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "send@0.18.0", cwd=root / "npm")
    (root / "npm/package.json").unlink()
    layout = of_root(root, tmp_path)
    assert natively(layout, tmp_path / "1").packages == ()
    assert scanned(f"oci-dir:{layout}") == []
    ours = natively(layout, tmp_path / "2", lock_files=True).packages
    theirs = scanned(f"dir:{root}")
    assert {(each.path, each.name.lower(), each.version) for each in ours} == {
        (each["locations"][0]["path"], each["name"].lower(), each["version"]) for each in theirs
    }
    assert {each.path.strip("/") for each in ours} == LOCKS.keys() - {"npm/package.json"} | {"npm/package-lock.json"}


def test_editable_installs_are_the_same(tmp_path: Path) -> None:
    project, root = tmp_path / "project", tmp_path / "root"
    (project / "my_shop").mkdir(parents=True)
    (project / "my_shop/__init__.py").touch()
    (project / "pyproject.toml").write_text(EDITABLE)
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--prefix", root / "usr", "--editable", project)
    assert list(root.rglob("direct_url.json")), "pip was to record where the project is (PEP 610)"
    layout = of_root(root, tmp_path)
    theirs = {(each["name"], each["version"]) for each in by_syft(layout, "python")}
    assert {(each.name, each.version) for each in natively(layout, tmp_path / "cache").packages} == theirs
    assert {version for _, version in theirs} == {"1.4"}
