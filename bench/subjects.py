"""The images that are measured: a Debian of about 700 MB with Python and npm packages, and a small layer on it.

They are made once and kept under `.work/`, which git ignores.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.debian import SUITE, mirror
from demo.packages import npm_package, python_packages
from lab.packages import ensure

DEBIAN = "build-essential,python3,git,ca-certificates,curl,vim,libicu-dev,libssl-dev"
PYTHON = (
    *("requests==2.32.3", "flask==3.1.0", "jinja2==3.1.5", "werkzeug==3.1.3", "click==8.1.8", "urllib3==2.3.0"),
    *("numpy==2.2.1", "pandas==2.2.3", "sqlalchemy==2.0.36", "pydantic==2.10.4", "httpx==0.28.1", "rich==13.9.4"),
    *("attrs==24.3.0", "packaging==24.2", "idna==3.10", "certifi==2024.12.14", "pyyaml==6.0.2", "six==1.17.0"),
    *("django==5.1.4", "cryptography==44.0.0"),
)
NPM = ("webpack@5.97.1", "eslint@9.17.0", "express@4.21.2", "typescript@5.7.2", "react@19.0.0", "lodash@4.17.21")


Layer = Callable[[Path], None]
"""Fills a directory with what a layer holds."""


@dataclass(frozen=True)
class Subject:
    """An image in both forms. archive: as `docker save` writes it; layout: OCI, with gzip layers."""

    archive: Path
    layout: Path
    layers: int


def build(work: Path) -> tuple[Subject, Subject, Subject]:
    """Return the large image, the same with one small layer more, and one of over 2 GB; made where they are missing."""
    work.mkdir(parents=True, exist_ok=True)
    base = layer(work, "debian", _debian)
    application = layer(work, "application", _application)
    small = layer(work, "small", _small)
    bulk = layer(work, "bulk", _bulk)
    return (
        _subject(work / "large", (base, application)),
        _subject(work / "next", (base, application, small)),
        _subject(work / "huge", (base, application, bulk)),
    )


def layer(work: Path, name: str, fill: Layer) -> Path:
    """Return the archive of a layer; made where it is missing."""
    made = work / f"{name}.tar"
    if not made.exists():
        print(f"making the layer {name} ...", file=sys.stderr, flush=True)
        tree = work / f"{name}.tree"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        fill(tree)
        partial = made.with_suffix(".partial")
        subprocess.run(["tar", "-C", str(tree), "--numeric-owner", "-c", "-f", str(partial), "."], check=True)
        partial.rename(made)
        shutil.rmtree(tree, ignore_errors=True)
    return made


def archive(file: Path, layers: Sequence[Path]) -> Path:
    """Return an image of the layers as `docker save` writes it; made where it is missing."""
    if not file.exists():
        config = _config(layers)
        _archive(file, config, f"sha256:{hashlib.sha256(config).hexdigest()}", layers)
    return file


def _debian(tree: Path) -> None:
    ensure("debootstrap")
    command = ["debootstrap", "--variant=minbase", f"--include={DEBIAN}", SUITE, str(tree), mirror()]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree / "var/cache/apt/archives", ignore_errors=True)


def _application(tree: Path) -> None:
    python_packages(tree / "usr/local/lib/python3.11/dist-packages", *PYTHON)
    target = tree / "app"
    target.mkdir(parents=True)
    if shutil.which("npm"):
        command = ["npm", "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", *NPM]
        subprocess.run(command, cwd=target, check=True)
    else:
        for package in NPM:
            npm_package(target / "node_modules", *package.split("@"))


def _small(tree: Path) -> None:
    python_packages(tree / "srv/site-packages", "markupsafe==3.0.2", "jinja2==3.1.6")
    npm_package(tree / "srv/node_modules", "moment", "2.30.1")


def _bulk(tree: Path) -> None:
    """Fill it with content that does not compress to nothing, the same each time."""
    block = b"".join(hashlib.sha512(str(number).encode()).digest() for number in range(16384))
    for number in range(1400):
        (tree / f"data-{number:04}.bin").write_bytes(number.to_bytes(4, "big") + block)


def _subject(directory: Path, layers: Sequence[Path]) -> Subject:
    subject = Subject(directory.with_suffix(".tar"), directory, len(layers))
    if not (directory / "index.json").exists():
        _write(subject, layers)
    return subject


def _write(subject: Subject, layers: Sequence[Path]) -> None:
    blobs = subject.layout / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    config = _config(layers)
    config_digest = _store(blobs, config)
    entries = [_compress(blobs, layer) for layer in layers]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config_digest,
                "size": len(config),
            },
            "layers": entries,
        }
    ).encode()
    (subject.layout / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    _archive(subject.archive, config, config_digest, layers)
    entry = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": _store(blobs, manifest),
        "size": len(manifest),
        "annotations": {"org.opencontainers.image.ref.name": "latest"},
    }
    (subject.layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))


def _config(layers: Sequence[Path]) -> bytes:
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"User": "app"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
            "history": [{"created_by": layer.stem} for layer in layers],
        }
    ).encode()


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def _store(blobs: Path, raw: bytes) -> str:
    digest = hashlib.sha256(raw).hexdigest()
    (blobs / digest).write_bytes(raw)
    return f"sha256:{digest}"


def _compress(blobs: Path, layer: Path) -> dict[str, object]:
    """Compress a layer once for all subjects that hold it."""
    packed = layer.with_suffix(".tar.gz")
    if not packed.exists():
        with layer.open("rb") as source, packed.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as target:
            shutil.copyfileobj(source, target, 1024 * 1024)
    digest = _digest(packed)
    target_file = blobs / digest.removeprefix("sha256:")
    if not target_file.exists():
        target_file.hardlink_to(packed)
    return {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": digest,
        "size": packed.stat().st_size,
    }


def _archive(file: Path, config: bytes, config_digest: str, layers: Sequence[Path]) -> None:
    """Write what `docker save` would, by tar itself: the layers are large."""
    work = file.with_suffix(".parts")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    name = f"{config_digest.removeprefix('sha256:')}.json"
    (work / name).write_bytes(config)
    for layer in layers:
        (work / layer.name).hardlink_to(layer)
    document = [{"Config": name, "RepoTags": ["bench:latest"], "Layers": [layer.name for layer in layers]}]
    (work / "manifest.json").write_text(json.dumps(document))
    subprocess.run(["tar", "-C", str(work), "-c", "-f", str(file), *sorted(p.name for p in work.iterdir())], check=True)
    shutil.rmtree(work)
