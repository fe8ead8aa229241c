"""Servers that are down, busy, broken or cut off mid-way: exit 2, a clear message, nothing tagged."""

from __future__ import annotations

import shutil

import pytest

from lab.proxy import Fault, Request, Script
from tests.integration.world import World

FAULTS = {
    "429": Fault(status=429, headers={"Retry-After": "1"}),
    "500": Fault(status=500, body=b"oops"),
    "503": Fault(status=503),
    "reset": Fault(reset=True),
    "reset-after": Fault(reset=True, forward=True),
}


def always(fault: Fault, method: str = "", path: str = "") -> Script:
    """Return a script that gives the fault to every matching request."""
    return lambda request: fault if (not method or request.method == method) and path in request.path else None


def once(fault: Fault, method: str, path: str) -> Script:
    """Return a script that gives the fault to the first matching request only."""
    seen: list[Request] = []

    def script(request: Request) -> Fault | None:
        if request.method != method or path not in request.path or seen:
            return None
        seen.append(request)
        return fault

    return script


def assert_undecided(world: World, repository: str, image: str, host: str) -> None:
    done = world.gate(image, repository)
    assert done.returncode == 2, done.stdout + done.stderr
    assert host in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3, done.stderr
    assert world.tag(repository) is None


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("step", ["upload", "manifest", "sign"])
def test_a_fault_that_stays_is_undecided_and_tags_nothing(world: World, name: str, step: str) -> None:
    proxy, method, path = {
        "upload": (world.trusted, "POST", "/blobs/uploads"),
        "manifest": (world.trusted, "PUT", "/manifests/sha256"),
        "sign": (world.notary_proxy, "POST", "/_trust/tuf"),
    }[step]
    proxy.script = always(FAULTS[name], method, path)
    repository = f"fault-{name}-{step}/app"
    done = world.gate(world.good(name + step), repository)
    proxy.script = None
    assert done.returncode == 2, done.stdout + done.stderr
    assert proxy.host in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert world.tag(repository) is None
    again = world.gate(world.good(name + step), repository)
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("step", ["upload", "manifest", "tag", "read-notary", "sign"])
def test_a_fault_that_passes_is_retried(world: World, name: str, step: str) -> None:
    proxy, method, path = {
        "upload": (world.trusted, "POST", "/blobs/uploads"),
        "manifest": (world.trusted, "PUT", "/manifests/sha256"),
        "tag": (world.trusted, "PUT", "/manifests/1.0"),
        "read-notary": (world.notary_proxy, "GET", "/_trust/tuf"),
        "sign": (world.notary_proxy, "POST", "/_trust/tuf"),
    }[step]
    repository = f"retry-{name}-{step}/app"
    proxy.script = once(FAULTS[name], method, path)
    done = world.gate(world.good(name + step), repository)
    assert done.returncode == 0, done.stderr
    assert world.signed(repository)["1.0"] == world.tag(repository)


@pytest.mark.parametrize(
    "path", ["/_trust/tuf/root", "/_trust/tuf/timestamp", "/_trust/tuf/snapshot", "/_trust/tuf/targets"]
)
def test_truncated_trust_data_is_never_believed(world: World, path: str) -> None:
    repository = f"truncated{path.replace('/', '-').replace('_', '')}/app"
    assert world.gate(world.good("first"), repository).returncode == 0
    shutil.rmtree(world.directory / "cache")
    world.notary_proxy.script = always(Fault(forward=True, truncate=40), "GET", path)
    done = world.run("verify", world.repository(repository) + ":1.0")
    assert done.returncode in (1, 2)
    assert "verified" not in done.stdout
    assert "Traceback" not in done.stderr


def test_the_trusted_registry_is_down(world: World) -> None:
    world.trusted.script = always(Fault(reset=True))
    image = world.good()
    done = world.gate(image, "down/app")
    assert done.returncode == 2
    assert world.trusted.host in done.stderr
    world.trusted.script = None
    assert world.tag("down/app") is None


def test_notary_server_is_stopped_midway(world: World) -> None:
    world.trusted.script = once(Fault(forward=True, after=world.notary.server.stop), "PUT", "/manifests/sha256")
    try:
        done = world.gate(world.good(), "server-gone/app")
    finally:
        world.notary.server.start()
    assert done.returncode == 2, done.stdout + done.stderr
    assert world.notary_proxy.host in done.stderr
    assert world.tag("server-gone/app") is None


def test_notary_signer_is_stopped_midway(world: World) -> None:
    world.trusted.script = once(Fault(forward=True, after=world.notary.signer.stop), "PUT", "/manifests/sha256")
    try:
        done = world.gate(world.good(), "signer-gone/app")
    finally:
        world.notary.signer.start()
        world.notary.server.stop()
        world.notary.server.start()
    assert done.returncode == 2, done.stdout + done.stderr
    assert world.tag("signer-gone/app") is None


def test_a_registry_that_changes_its_mind_about_a_digest_is_not_believed(world: World) -> None:
    wrong = "sha256:" + "0" * 64
    world.trusted.script = always(
        Fault(status=201, headers={"Docker-Content-Digest": wrong, "Location": "/"}), "PUT", "/manifests/"
    )
    done = world.gate(world.good(), "liar/app")
    assert done.returncode == 2
    world.trusted.script = None
    assert world.tag("liar/app") is None
