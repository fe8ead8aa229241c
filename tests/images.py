"""Small images made in the test, as OCI layouts: no engine, no download."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

DEBIAN = {
    "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "etc/passwd": "root:x:0:0:root:/root:/bin/bash\napp:x:1000:1000::/home/app:/bin/sh\n",
}
"""Files that make a layer look like Debian 12."""


def digest_of(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def make_layer(files: Mapping[str, str | bytes | tarfile.TarInfo]) -> bytes:
    """Return an uncompressed tar; a TarInfo is taken as it is, for links and worse."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


class Layout:
    """An OCI layout that is written piece by piece. path: its directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: list[dict[str, Any]] = []
        (path / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, raw: bytes, media_type: str) -> dict[str, Any]:
        """Store a blob and return its descriptor."""
        digest = digest_of(raw)
        (self.path / "blobs" / "sha256" / digest[7:]).write_bytes(raw)
        return {"mediaType": media_type, "digest": digest, "size": len(raw)}

    def image(
        self,
        layers: Sequence[Mapping[str, str | bytes | tarfile.TarInfo]],
        *,
        config: Mapping[str, Any] | None = None,
        architecture: str = "amd64",
    ) -> dict[str, Any]:
        """Store an image and return its manifest's descriptor."""
        tars = [make_layer(files) for files in layers]
        document = {
            "architecture": architecture,
            "os": "linux",
            "config": dict(config or {}),
            "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in tars]},
            "history": [{"created_by": f"layer {number}"} for number in range(len(tars))],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.blob(json.dumps(document).encode(), OCI_CONFIG),
            "layers": [self.blob(gzip.compress(tar, 1, mtime=0), OCI_LAYER) for tar in tars],
        }
        return self.blob(json.dumps(manifest).encode(), OCI_MANIFEST)

    def index(self, children: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
        """Store an index of (architecture, manifest descriptor) and return its descriptor."""
        entries = [
            {**child, "platform": {"os": "linux", "architecture": architecture}} for architecture, child in children
        ]
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
        return self.blob(json.dumps(document).encode(), OCI_INDEX)

    def name(self, descriptor: Mapping[str, Any], name: str) -> str:
        """Name an image or index in the layout; return a reference to it."""
        self.entries.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.entries}))
        return f"oci:{self.path}:{name}"
