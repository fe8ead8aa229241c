"""Invariant 2: no tag points at an unsigned image, whenever the process dies; running again finishes the job."""

from __future__ import annotations

import pytest

from lab.proxy import Fault, FaultProxy, Request
from tests.integration.world import World


def count_requests(world: World) -> dict[str, int]:
    """Promote once with nothing going wrong, and count what was asked of each server."""
    done = world.gate(world.good("count"), "count/app")
    assert done.returncode == 0, done.stderr
    return {"trusted": len(world.trusted.requests), "notary": len(world.notary_proxy.requests)}


def kill_at(world: World, proxy: FaultProxy, number: int, *, forwarded: bool) -> None:
    """Arrange that the command is killed when its request of this number arrives, or after the server did it."""

    def script(request: Request) -> Fault | None:
        if request.number != number:
            return None
        if forwarded:
            return Fault(forward=True, reset=True, after=world.kill)
        return Fault(reset=True, before=world.kill)

    proxy.forget()
    proxy.script = script


@pytest.mark.parametrize("forwarded", [False, True], ids=["before-the-server-acts", "after-the-server-acted"])
@pytest.mark.parametrize("server", ["trusted", "notary"])
def test_killed_at_every_request_then_run_again(world: World, server: str, forwarded: bool) -> None:
    proxy = world.trusted if server == "trusted" else world.notary_proxy
    total = count_requests(world)[server]
    assert total >= 3
    for number in range(1, total + 1):
        repository = f"kill-{server}-{int(forwarded)}-{number}/app"
        image = world.good(f"{server} {forwarded} {number}", name=f"at-{number}")
        kill_at(world, proxy, number, forwarded=forwarded)
        process = world.start("gate", image, "--to", world.repository(repository), "--tag", "1.0")
        process.communicate(timeout=60)
        assert process.returncode == -9, f"request {number} of {total} was not reached"
        proxy.script = None
        world.assert_no_unsigned_tag(repository)
        again = world.gate(image, repository)
        assert again.returncode == 0, again.stderr
        assert world.signed(repository)["1.0"] == world.tag(repository)


@pytest.mark.parametrize("forwarded", [False, True], ids=["before-the-server-acts", "after-the-server-acted"])
def test_killed_while_overwriting_the_old_digest_stays_signed(world: World, forwarded: bool) -> None:
    old, new = world.good("old", name="old"), world.good("new", name="new")
    repository = f"overwrite-{int(forwarded)}/app"
    assert world.gate(old, repository).returncode == 0
    world.notary_proxy.forget()
    world.trusted.forget()
    publish = lambda request: request.method == "POST" and "_trust/tuf" in request.path  # noqa: E731
    tagging = lambda request: request.method == "PUT" and request.path.endswith("/manifests/1.0")  # noqa: E731
    for proxy, chosen in ((world.notary_proxy, publish), (world.trusted, tagging)):
        proxy.script = lambda request, chosen=chosen: (  # type: ignore[misc]
            Fault(forward=forwarded, reset=True, **{"after" if forwarded else "before": world.kill})
            if chosen(request)
            else None
        )
        process = world.start("gate", new, "--to", world.repository(repository), "--tag", "1.0", "--overwrite-tag")
        process.communicate(timeout=60)
        proxy.script = None
        assert process.returncode == -9
        world.assert_no_unsigned_tag(repository)
    done = world.gate(new, repository, then=("--overwrite-tag",))
    assert done.returncode == 0, done.stderr
    assert world.signed(repository)["1.0"] == world.tag(repository)
