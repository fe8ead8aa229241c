"""syft's document in the words of each version of the API."""

from __future__ import annotations

from typing import Any

import pytest

from imagegate.anchore.sbom import for_server
from tests.fakes.contract import DOCUMENTS, Contract
from tests.layers import file, image, tar

pytestmark = pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="Anchore's OpenAPI documents are not here")
BUILT = image(tar(file("etc/os-release", b"ID=debian\n")))[0]
ARTIFACT = {
    "id": "1",
    "name": "libc6",
    "version": "2.36-9",
    "type": "deb",
    "language": "",
    "locations": [{"path": "/var/lib/dpkg/status", "layerID": "sha256:0"}],
    "licenses": [{"value": "LGPL-2.1", "spdxExpression": "LGPL-2.1", "type": "declared", "urls": [], "locations": []}],
    "cpes": [{"cpe": "cpe:2.3:a:libc6:libc6:2.36-9:*:*:*:*:*:*:*", "source": "syft-generated"}],
    "purl": "pkg:deb/debian/libc6@2.36-9",
    "metadataType": "dpkg-db-entry",
    "metadata": {"package": "libc6", "source": "glibc"},
}
SYFT: dict[str, Any] = {
    "artifacts": [ARTIFACT, {**ARTIFACT, "id": "2", "licenses": [], "cpes": [], "metadataType": "binary-signature"}],
    "artifactRelationships": [],
    "source": {"id": "x", "name": "image.tar", "type": "image", "metadata": {"userInput": "image.tar", "layers": []}},
    "distro": {"id": "debian", "versionID": "12", "idLike": ["debian"], "prettyName": "Debian 12"},
    "descriptor": {"name": "syft", "version": "1.0.0"},
    "schema": {"version": "16.0.0", "url": "https://example"},
}


@pytest.mark.parametrize("api", ["v1", "v2"])
@pytest.mark.parametrize("document", [SYFT, {**SYFT, "distro": None}], ids=["distro", "no distro"])
def test_it_is_what_the_servers_document_asks_for(api: str, document: dict[str, Any]) -> None:
    told = for_server(document, BUILT, api)
    url = f"/{api}/imports/images/1/packages"
    assert Contract(api).violations("POST", url, told, 200, {"digest": "sha256:0"}) == []
    assert (told["source"].get("target") or told["source"]["metadata"])["manifestDigest"] == BUILT.digest


def test_an_engine_is_told_in_the_words_of_its_time() -> None:
    told = for_server(SYFT, BUILT, "v1")
    assert told["distro"] == {"name": "debian", "version": "12", "idLike": "debian"}
    first = told["artifacts"][0]
    assert (first["licenses"], first["metadataType"]) == (["LGPL-2.1"], "DpkgMetadata")
    assert first["cpes"] == ["cpe:2.3:a:libc6:libc6:2.36-9:*:*:*:*:*:*:*"]
    assert SYFT["artifacts"][0]["licenses"][0]["value"] == "LGPL-2.1", "what syft wrote is left as it is"
