"""Copying into real registries: by digest, mounted, resumed, untagged until it is tagged."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagegate.errors import (
    AuthenticationFailed,
    DigestMismatch,
    ImageNotFound,
    LimitExceeded,
    NetworkError,
    RegistryError,
)
from imagegate.http.client import HttpClient
from imagegate.http.credentials import CredentialStore
from imagegate.image.layout import LayoutSource
from imagegate.image.reference import parse, parse_repository
from imagegate.image.resolve import resolve
from imagegate.image.source import ImageSource
from imagegate.model import Platform, RegistryRef, ResolvedImage
from imagegate.progress import NoProgress
from imagegate.registry.repository import TrustedRepository
from imagegate.registry.source import RegistrySource
from imagegate.settings import Host, Http, Limits
from lab.pki import Pki
from lab.proxy import Fault, FaultProxy, Request
from lab.registry import Registry
from tests.images import DEBIAN, Layout

ANONYMOUS = CredentialStore({})


class Copies:
    """Sources and destinations over one registry, and the same behind a proxy."""

    def __init__(self, directory: Path, registry: Registry, proxy: FaultProxy, pki: Pki) -> None:
        self.layout, self.registry, self.proxy, self.pki = Layout(directory / "layout"), registry, proxy, pki
        self.name = f"r{os.getpid()}-{directory.name.replace('_', '-').lower()}"

    def http(self, credentials: CredentialStore = ANONYMOUS, **settings: float) -> HttpClient:
        ca = Host(ca_file=str(self.pki.ca_file))
        given = {"retries": 3, "budget": 10.0, "read_timeout": 5.0, **settings}
        return HttpClient(Http(**given), {self.registry.host: ca, self.proxy.host: ca}, credentials)  # type: ignore[arg-type]

    def large(self) -> tuple[ImageSource, ResolvedImage]:
        """An image with one layer of a few MB that does not compress."""
        descriptor = self.layout.image([DEBIAN, {"data": os.urandom(3_000_000)}], config={"User": "app"})
        return self.local(self.layout.name(descriptor, "large"))

    def local(self, reference: str, *, everything: bool = False) -> tuple[ImageSource, ResolvedImage]:
        source = LayoutSource(parse(reference), Limits())  # type: ignore[arg-type]
        return source, self.resolve(source, everything=everything)

    def resolve(self, source: ImageSource, *, everything: bool = False) -> ResolvedImage:
        return resolve(source, platform=Platform(), all_platforms=everything, limits=Limits())

    def to(self, repository: str, host: str = "", http: HttpClient | None = None) -> TrustedRepository:
        place = parse_repository(f"{host or self.registry.host}/{self.name}/{repository}")
        return TrustedRepository(place, http or self.http(), Limits())

    def of(self, repository: str, reference: str, host: str = "") -> RegistrySource:
        text = f"{host or self.registry.host}/{self.name}/{repository}{reference}"
        found = parse(text)
        assert isinstance(found, RegistryRef)
        return RegistrySource(found, self.http(), Limits())


@pytest.fixture
def copies(tmp_path: Path, registry: Registry, pki: Pki) -> Iterator[Copies]:
    certificate = pki.issue("copies")
    with FaultProxy(
        f"https://{registry.host}", ca_file=pki.ca_file, certificate=certificate.certificate, key=certificate.key
    ) as proxy:
        yield Copies(tmp_path, registry, proxy, pki)


def content(source: ImageSource, image: ResolvedImage) -> list[bytes]:
    blobs = []
    for layer in image.images[0].layers:
        with source.open_blob(layer.descriptor) as stream:
            blobs.append(stream.read())
    return blobs


def test_what_is_copied_is_there_by_digest_and_by_no_tag(copies: Copies) -> None:
    source, image = copies.large()
    target = copies.to("app")
    report = target.copy(source, image, NoProgress())
    assert (report.uploaded, report.mounted, report.existing) == (3, 0, 0)
    assert target.tagged("1.0") is None
    there = copies.of("app", f"@{image.digest}")
    assert there.resolve().raw == image.root.raw
    assert content(there, copies.resolve(there)) == content(source, image)
    target.tag(image.root, "1.0")
    assert target.tagged("1.0") == image.digest


def test_a_second_copy_sends_nothing(copies: Copies) -> None:
    source, image = copies.large()
    copies.to("app").copy(source, image, NoProgress())
    report = copies.to("app").copy(source, image, NoProgress())
    assert (report.uploaded, report.bytes_sent, report.existing) == (0, 0, 3)


def test_blobs_of_a_neighbour_are_mounted(copies: Copies) -> None:
    source, image = copies.large()
    copies.to("one").copy(source, image, NoProgress())
    near = copies.of("one", f"@{image.digest}")
    report = copies.to("two").copy(near, copies.resolve(near), NoProgress())
    assert (report.mounted, report.uploaded) == (3, 0)


def test_an_index_is_copied_whole_and_byte_for_byte(copies: Copies) -> None:
    layout = copies.layout
    amd64, arm64 = layout.image([DEBIAN]), layout.image([DEBIAN, {"a": "b"}], architecture="arm64")
    reference = layout.name(layout.index([("amd64", amd64), ("arm64", arm64)]), "index")
    source, image = copies.local(reference, everything=True)
    target = copies.to("index")
    target.copy(source, image, NoProgress())
    target.tag(image.root, "1.0")
    there = copies.of("index", ":1.0")
    found = copies.resolve(there, everything=True)
    assert found.root.raw == image.root.raw
    assert {each.digest for each in found.images} == {amd64["digest"], arm64["digest"]}


@pytest.mark.parametrize("forward", [False, True])
def test_an_upload_that_breaks_goes_on(copies: Copies, forward: bool) -> None:
    source, image = copies.large()
    broken: list[int] = []

    def cut(request: Request) -> Fault | None:
        if request.method == "PUT" and "/blobs/uploads/" in request.path and len(broken) < 2:
            broken.append(request.number)
            return Fault(reset=True, forward=forward)
        return None

    copies.proxy.script = cut
    target = copies.to("resumed", copies.proxy.host)
    target.copy(source, image, NoProgress())
    assert len(broken) == 2
    there = copies.of("resumed", f"@{image.digest}")
    assert content(there, copies.resolve(there)) == content(source, image)


def test_a_download_that_breaks_goes_on_where_it_stopped(copies: Copies) -> None:
    source, image = copies.large()
    copies.to("down").copy(source, image, NoProgress())
    layer = image.images[0].layers[-1].descriptor
    cuts: list[str] = []

    def cut(request: Request) -> Fault | None:
        if request.method == "GET" and layer.digest in request.path and len(cuts) < 3:
            cuts.append(request.path)
            return Fault(forward=True, truncate=700_000)
        return None

    copies.proxy.script = cut
    there = copies.of("down", f"@{image.digest}", copies.proxy.host)
    with there.open_blob(layer) as stream:
        assert len(stream.read()) == layer.size
    assert len(cuts) == 3


def test_a_registry_that_lies_is_not_believed(copies: Copies) -> None:
    source, image = copies.large()
    copies.to("lies").copy(source, image, NoProgress())
    other = "sha256:" + "0" * 64
    copies.proxy.script = lambda request: Fault(status=200, headers={"Docker-Content-Digest": other}, body=b"{}")
    with pytest.raises(DigestMismatch):
        copies.of("lies", ":1.0", copies.proxy.host).resolve()
    with pytest.raises(DigestMismatch):
        copies.of("lies", f"@{image.digest}", copies.proxy.host).resolve()


def test_a_manifest_without_end_is_stopped(copies: Copies) -> None:
    copies.proxy.script = lambda request: Fault(status=200, body=b" " * (5 * 1024**2))
    with pytest.raises(LimitExceeded, match=r"limits\.manifest_size"):
        copies.of("long", ":1.0", copies.proxy.host).resolve()


@pytest.mark.parametrize("status", [400, 405, 404])
def test_strange_answers_are_told_as_what_they_are(copies: Copies, status: int) -> None:
    page = b"<html>" + b"x" * 10_000
    copies.proxy.script = lambda request: Fault(status=status, body=page)
    expected = ImageNotFound if status == 404 else RegistryError
    with pytest.raises(expected) as caught:
        copies.of("strange", ":1.0", copies.proxy.host).resolve()
    assert "<html>" not in str(caught.value)
    assert len(copies.proxy.requests) == 1, "it was asked again"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_busy_servers_are_asked_again_up_to_the_budget(copies: Copies, status: int) -> None:
    copies.proxy.script = lambda request: Fault(status=status) if request.number < 3 else None
    assert copies.to("busy", copies.proxy.host).tagged("1.0") is None
    assert len(copies.proxy.requests) == 3
    copies.proxy.script = lambda request: Fault(status=status)
    with pytest.raises(NetworkError, match=copies.proxy.host):
        copies.to("busy", copies.proxy.host, copies.http(retries=1)).tagged("1.0")


def test_a_server_that_asks_for_more_time_than_there_is_ends_it_at_once(copies: Copies) -> None:
    copies.proxy.script = lambda request: Fault(status=429, headers={"Retry-After": "3600"})
    with pytest.raises(NetworkError, match="429"):
        copies.to("patient", copies.proxy.host).tagged("1.0")
    assert len(copies.proxy.requests) == 1


def test_a_certificate_of_an_unknown_ca_is_refused_and_the_setting_named(copies: Copies) -> None:
    http = HttpClient(Http(budget=3, retries=0), {}, ANONYMOUS)
    with pytest.raises(NetworkError, match=rf"hosts\.{copies.registry.host}\.ca_file"):
        copies.to("tls", http=http).tagged("1.0")
    insecure = HttpClient(Http(), {copies.registry.host: Host(insecure=True)}, ANONYMOUS)
    assert copies.to("tls", http=insecure).tagged("1.0") is None


def test_a_bundle_of_the_environment_does_not_replace_the_hosts_ca(
    copies: Copies, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = Pki(tmp_path / "other")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other.ca_file))
    assert copies.to("bundle").tagged("1.0") is None


def test_a_login_is_used_and_its_absence_and_refusal_are_told(tmp_path: Path, copies: Copies, pki: Pki) -> None:
    with Registry(tmp_path / "private", pki, name="private", login=("ann", "right")) as private:
        ca = {private.host: Host(ca_file=str(pki.ca_file))}

        def client(password: str | None) -> HttpClient:
            environ = {"IMAGEGATE_REGISTRY_HOST": private.host, "IMAGEGATE_REGISTRY_USER": "ann"}
            store = CredentialStore({**environ, "IMAGEGATE_REGISTRY_PASSWORD": password} if password else {})
            return HttpClient(Http(budget=5, retries=1), ca, store)

        source, image = copies.large()
        target = copies.to("app", private.host, client("right"))
        assert target.copy(source, image, NoProgress()).uploaded == 3
        with pytest.raises(AuthenticationFailed, match="docker login"):
            copies.to("app", private.host, client(None)).tagged("1.0")
        with pytest.raises(AuthenticationFailed) as caught:
            copies.to("app", private.host, client("wrong-secret")).tagged("1.0")
        assert "IMAGEGATE_REGISTRY_USER" in str(caught.value)
        assert "wrong-secret" not in str(caught.value)


def test_a_login_follows_no_redirect_to_another_host(copies: Copies) -> None:
    seen: list[str] = []
    environ = {
        "IMAGEGATE_REGISTRY_HOST": copies.proxy.host,
        "IMAGEGATE_REGISTRY_USER": "ann",
        "IMAGEGATE_REGISTRY_PASSWORD": "secret",
    }

    def script(request: Request) -> Fault:
        seen.append(request.path)
        if len(seen) == 1:
            return Fault(status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
        return Fault(status=307, headers={"Location": f"https://{copies.registry.host}/v2/x/manifests/1"})

    copies.proxy.script = script
    http = copies.http(CredentialStore(environ))
    assert copies.to("redirected", copies.proxy.host, http).tagged("1.0") is None
    log = (copies.registry.storage.parent / "registry.log").read_text()
    assert "ann" not in json.dumps(log)


def test_a_redirect_to_plain_http_is_refused(copies: Copies) -> None:
    copies.proxy.script = lambda request: Fault(status=302, headers={"Location": "http://127.0.0.1:9/x"})
    with pytest.raises(RegistryError, match="not HTTPS"):
        copies.to("plain", copies.proxy.host).tagged("1.0")


def test_redirects_in_circles_end(copies: Copies) -> None:
    copies.proxy.script = lambda request: Fault(status=302, headers={"Location": request.path})
    with pytest.raises(RegistryError, match="in circles"):
        copies.to("circle", copies.proxy.host).tagged("1.0")
