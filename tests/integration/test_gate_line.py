"""The straight line on real servers: what passes, what does not, and what is left behind."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from lab.packages import ensure
from lab.proxy import Fault, Request
from tests.images import DEBIAN
from tests.integration.world import POLICY, World


def stage(world: World, image: str, name: str) -> str:
    """Copy an image into the staging registry with a tool that is not ours; return its reference there."""
    target = f"{world.staging.host}/{name}"
    ensure("skopeo")
    certificates = world.directory / "certificates"
    certificates.mkdir(exist_ok=True)
    (certificates / "ca.crt").write_bytes(world.pki.ca_file.read_bytes())
    command = ["skopeo", "copy", "-q", "--all", "--dest-cert-dir", str(certificates), image, f"docker://{target}"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return target


def root_digest(reference: str) -> str:
    """Return the digest that a reference into a layout names."""
    _, path, name = reference.split(":")
    entries = json.loads((Path(path) / "index.json").read_text())["manifests"]
    return [entry["digest"] for entry in entries if entry["annotations"]["org.opencontainers.image.ref.name"] == name][
        -1
    ]


def test_a_good_image_is_copied_signed_verified_and_tagged(world: World) -> None:
    image = world.good()
    done = world.gate(image, "line/good", "1.0", "latest")
    assert done.returncode == 0, done.stderr
    assert world.tag("line/good") == world.tag("line/good", "latest") == root_digest(image)
    assert world.signed("line/good") == dict.fromkeys(("1.0", "latest"), root_digest(image))
    assert world.run("verify", world.repository("line/good:1.0")).returncode == 0


def test_a_bad_image_is_stopped_and_leaves_nothing(world: World) -> None:
    done = world.gate(world.bad(), "line/bad")
    assert done.returncode == 1, done.stderr
    assert "STOP" in done.stdout
    assert world.tag("line/bad") is None
    assert not [request for request in world.trusted.requests if request.method in ("POST", "PUT", "PATCH")]
    assert not world.notary_proxy.requests


def test_a_staging_tag_that_moves_meanwhile_changes_nothing(world: World) -> None:
    old, new = world.good("old", name="old"), world.good("new", name="new")
    reference = stage(world, old, "moving/app:1.0")

    def move(request: Request) -> Fault | None:
        if request.number == 1:
            stage(world, new, "moving/app:1.0")
        return None

    world.trusted.script = move
    done = world.gate(reference, "line/moved")
    assert done.returncode == 0, done.stderr
    assert world.tag("line/moved") == root_digest(old)
    assert world.signed("line/moved") == {"1.0": root_digest(old)}


def test_two_gates_on_one_repository_at_once_lose_no_signature(world: World) -> None:
    assert world.gate(world.good("first", name="first"), "line/both", "0.1").returncode == 0
    images = [world.good(f"both {number}", name=f"both-{number}") for number in range(4)]
    processes = [
        world.start("gate", image, "--to", world.repository("line/both"), "--tag", f"1.{number}")
        for number, image in enumerate(images)
    ]
    ends = [process.communicate(timeout=90) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, ends
    signed = world.signed("line/both")
    assert {f"1.{number}": root_digest(image) for number, image in enumerate(images)}.items() <= signed.items()


def test_two_first_gates_on_a_new_repository_at_once(world: World) -> None:
    images = [world.good(f"new {number}", name=f"new-{number}") for number in range(2)]
    processes = [
        world.start("gate", image, "--to", world.repository("line/newborn"), "--tag", f"1.{number}")
        for number, image in enumerate(images)
    ]
    ends = [process.communicate(timeout=90) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    assert set(world.signed("line/newborn")) == {"1.0", "1.1"}


def test_two_gates_that_race_for_one_tag_leave_one_winner(world: World) -> None:
    images = [world.good(f"race {number}", name=f"race-{number}") for number in range(2)]
    assert world.gate(world.good("zero", name="zero"), "line/race", "0.1").returncode == 0
    processes = [world.start("gate", image, "--to", world.repository("line/race"), "--tag", "1.0") for image in images]
    ends = [process.communicate(timeout=90) for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == [0, 1], ends
    winner = next(image for image, process in zip(images, processes, strict=True) if process.returncode == 0)
    assert world.tag("line/race") == root_digest(winner) == world.signed("line/race")["1.0"]


def test_a_released_tag_is_not_overwritten(world: World) -> None:
    assert world.gate(world.good("one", name="one"), "line/released").returncode == 0
    first = world.tag("line/released")
    done = world.gate(world.good("two", name="two"), "line/released")
    assert done.returncode == 1
    assert "released already" in done.stderr
    assert world.tag("line/released") == first
    done = world.gate(world.good("two", name="two"), "line/released", then=("--overwrite-tag",))
    assert done.returncode == 0, done.stderr
    assert world.tag("line/released") != first
    assert first in world.signed("line/released").values()


def test_all_platforms_must_pass_and_the_index_is_what_is_signed(world: World) -> None:
    from tests.images import DEBIAN

    good = {"User": "app"}
    layout = world.images
    amd64 = layout.image([DEBIAN, {"a": "amd64"}], config=good)
    arm64 = layout.image([DEBIAN, {"a": "arm64"}], config=good, architecture="arm64")
    as_root = layout.image([DEBIAN, {"a": "root"}], architecture="arm64")
    passing = layout.name(layout.index([("amd64", amd64), ("arm64", arm64)]), "passing")
    failing = layout.name(layout.index([("amd64", amd64), ("arm64", as_root)]), "failing")
    assert world.gate(failing, "line/index", then=("--all-platforms",)).returncode == 1
    assert world.tag("line/index") is None
    done = world.gate(passing, "line/index", then=("--all-platforms",))
    assert done.returncode == 0, done.stderr
    assert world.tag("line/index") == root_digest(passing) == world.signed("line/index")["1.0"]
    assert world.gate(passing, "line/single").returncode == 0
    assert world.tag("line/single") == amd64["digest"]


def test_promote_takes_a_digest_only_and_evaluates_again(world: World) -> None:
    reference = stage(world, world.good(), "promote/app:1.0")
    refused = world.run("promote", reference, "--to", world.repository("line/promoted"), "--tag", "1.0")
    assert refused.returncode == 2
    assert "by digest" in refused.stderr
    by_digest = f"{reference.rpartition(':')[0]}@{root_digest(world.good())}"
    done = world.run("promote", by_digest, "--to", world.repository("line/promoted"), "--tag", "1.0")
    assert done.returncode == 0, done.stderr
    bad = stage(world, world.bad(), "promote/bad:1.0")
    by_digest = f"{bad.rpartition(':')[0]}@{root_digest(world.bad())}"
    assert world.run("promote", by_digest, "--to", world.repository("line/bad"), "--tag", "1.0").returncode == 1


def test_json_is_one_document_and_messages_go_elsewhere(world: World) -> None:
    done = world.run("--json", "gate", world.good(), "--to", world.repository("line/json"), "--tag", "1.0")
    document = json.loads(done.stdout)
    assert document["schema"] == "imagegate/gate/1"
    assert document["verdict"] == "pass"
    assert document["record"]["digest"] == world.tag("line/json")


def test_secrets_appear_nowhere(world: World) -> None:
    done = world.run("--debug", "gate", world.good(), "--to", world.repository("line/secret"), "--tag", "1.0")
    assert done.returncode == 0
    for secret in ("root-passphrase", "targets-passphrase"):
        assert secret not in done.stdout + done.stderr
        assert not [
            file for file in world.directory.rglob("*") if file.is_file() and secret.encode() in file.read_bytes()
        ]


def test_what_drifts_from_the_signed_tag_is_stopped(world: World) -> None:
    rule = {"id": "d", "gate": "tag_drift", "trigger": "packages_added", "action": "STOP", "params": []}
    world.settings["policy"]["bundle"] = str(world.directory / "drift.json")
    policy = {**POLICY, "policies": [{"id": "p", "version": "1_0", "name": "p", "rules": [rule]}]}
    (world.directory / "drift.json").write_text(json.dumps(policy))

    def image(name: str, *packages: str) -> str:
        files = {
            f"app/node_modules/{each}/package.json": json.dumps({"name": each, "version": "1"}) for each in packages
        }
        return world.images.name(world.images.image([DEBIAN, files]), name)

    assert world.gate(image("one", "a"), "line/drift").returncode == 0
    done = world.gate(image("two", "a", "b"), "line/drift", then=("--overwrite-tag",))
    assert done.returncode == 1, done.stderr
    assert "the package b (npm) was added: 1" in " ".join(done.stdout.split())
    again = world.run("check", image("three", "a"), "--as", world.repository("line/drift:1.0"))
    assert again.returncode == 0, again.stderr
