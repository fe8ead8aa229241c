"""What the gate leaves in the inventory, and what comes in otherwise, through the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.pki import Pki
from lab.postgresql import PASSWORD, Postgresql
from lab.registry import Registry
from tests.images import DEBIAN
from tests.integration.test_gate_line import root_digest, stage
from tests.integration.world import World

NPM = {"app/node_modules/left-pad/package.json": json.dumps({"name": "left-pad", "version": "1.3.0"})}
REVISION = "org.opencontainers.image.revision"


def app(world: World, name: str = "app", marker: str = "") -> str:
    """Make an image with a package, a jar and a label."""
    config = {"User": "app", "Labels": {"org.imagegate.team": "pay", REVISION: "abc123"}}
    files = {**NPM, "app/lib/thing.jar": f"jar {marker}"}
    return world.images.name(world.images.image([DEBIAN, files], config=config), name)


def asked(world: World, *words: str) -> dict[str, Any]:
    done = world.run(*words, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def listed(world: World) -> list[dict[str, Any]]:
    return list(asked(world, "inventory", "list")["promotions"])


def test_a_promotion_is_recorded(world: World) -> None:
    image = app(world)
    world.logins |= {"JOB_NAME": "pay/app/main"}
    assert world.gate(image, "inv/app", "1.0", "latest").returncode == 0
    (found,) = listed(world)
    facts = {name: found[name] for name in ("digest", "tags", "team", "job", "commit", "verdict", "source", "waivers")}
    assert facts == {
        "digest": root_digest(image),
        "tags": ["1.0", "latest"],
        "team": "pay",
        "job": "pay/app/main",
        "commit": "abc123",
        "verdict": "pass",
        "source": image,
        "waivers": [],
    }
    assert found["signers"]
    (hit,) = asked(world, "query", "package", "left-pad")["hits"]
    assert (hit["version"], hit["platform"], hit["inherited"]) == ("1.3.0", "linux/amd64", False)


def test_what_is_stopped_or_only_tried_is_not_recorded(world: World) -> None:
    assert world.gate(world.bad(), "inv/bad").returncode == 1
    assert world.gate(app(world), "inv/tried", then=("--dry-run",)).returncode == 0
    assert listed(world) == []


def test_a_record_that_fails_is_kept_and_written_by_the_next_run(world: World) -> None:
    blocked = world.directory / "blocked"
    blocked.write_text("a file, where a directory is wanted")
    world.settings["inventory"] = {"url": f"sqlite:///{blocked}/inventory.sqlite"}
    done = world.gate(app(world, "one", "1"), "inv/one")
    assert done.returncode == 0, done.stderr
    assert "not in the inventory" in done.stderr
    assert "the next run records it" in done.stderr
    assert world.tag("inv/one")
    world.settings["inventory"] = {}
    assert world.gate(app(world, "two", "2"), "inv/two").returncode == 0
    assert {each["repository"].rpartition("/")[2] for each in listed(world)} == {"one", "two"}
    assert not list((world.directory / ".local/share/imagegate/pending").iterdir())


def test_a_record_that_must_succeed_ends_with_2_and_the_same_command_finishes(world: World) -> None:
    blocked = world.directory / "blocked"
    blocked.write_text("")
    world.settings["inventory"] = {"url": f"sqlite:///{blocked}/inventory.sqlite", "required": True}
    report = world.directory / "report.json"
    done = world.gate(app(world), "inv/app", then=("--output", f"json={report}"))
    assert done.returncode == 2
    assert "The same command again records it" in done.stderr
    assert report.is_file()
    blocked.unlink()
    assert world.gate(app(world), "inv/app").returncode == 0
    assert len(listed(world)) == 1


def test_recording_can_be_off(world: World) -> None:
    world.settings["inventory"] = {"record": False}
    assert world.gate(app(world), "inv/app").returncode == 0
    assert not (world.directory / ".local").exists()


def test_postgresql_with_a_password_that_is_nowhere_shown(world: World, tmp_path: Path) -> None:
    with Postgresql() as server:
        url = server.database()
        world.settings["inventory"] = {"url": url, "required": True}
        secret = tmp_path / "secret"
        secret.write_text(f"{PASSWORD}\n")
        world.logins |= {"IMAGEGATE_INVENTORY_PASSWORD_FILE": str(secret)}
        done = world.gate(app(world), "inv/app")
        assert done.returncode == 0, done.stderr
        assert len(listed(world)) == 1
        secret.write_text("another-password")
        done = world.run("inventory", "list")
        assert done.returncode == 2
        assert "another-password" not in done.stderr + done.stdout
        shown = world.run("config", "show").stdout
        assert url in shown
        assert PASSWORD not in shown


@pytest.mark.parametrize("url", ["postgresql://u:s3cret@h/d", "postgresql://h/d?user=u&password=s3cret"])
def test_a_password_in_a_url_is_refused_and_not_shown(world: World, url: str) -> None:
    world.settings["inventory"] = {"url": url}
    done = world.run("config", "show")
    assert done.returncode == 2
    assert "IMAGEGATE_INVENTORY_PASSWORD" in done.stderr
    assert "s3cret" not in done.stderr + done.stdout


def test_images_of_a_registry_come_in_once(world: World) -> None:
    one, two = app(world, "one", "1"), app(world, "two", "2")
    for image, name in ((one, "imp/app:1.0"), (one, "imp/app:latest"), (two, "imp/app:2.0"), (two, "imp/other:2.0")):
        stage(world, image, name)
    repository = f"{world.staging.host}/imp/app"
    done = world.run("inventory", "import", f"{repository}:1.0")
    assert (done.returncode, done.stdout) == (0, "1 image recorded, 0 were there, 0 failed\n"), done.stderr
    done = world.run("inventory", "import", repository)
    assert done.stdout == "1 image recorded, 1 was there, 0 failed\n", done.stderr
    tags = {tuple(each["tags"]): each["digest"] for each in listed(world)}
    assert tags == {("1.0", "latest"): root_digest(one), ("2.0",): root_digest(two)}
    listing = world.directory / "images.txt"
    listing.write_text(f"# some\n{world.staging.host}/imp/other:2.0\n{repository}:none  # not there\n")
    done = world.run("inventory", "import", "--list", str(listing))
    assert done.returncode == 2
    assert done.stdout == "1 image recorded, 0 were there, 1 failed\n"
    assert f"{repository}:none: it is not there" in done.stderr
    assert asked(world, "query", "package", "left-pad")["images"] == 3


def test_an_export_comes_back_through_the_command(world: World) -> None:
    assert world.gate(app(world), "inv/app").returncode == 0
    file = world.directory / "export.jsonl.gz"
    assert world.run("inventory", "export", str(file)).returncode == 0
    before = world.run("inventory", "export").stdout.splitlines()
    assert world.run("inventory", "remove", world.repository("inv/app:1.0")).returncode == 0
    assert listed(world) == []
    world.settings["inventory"] = {"url": f"sqlite:///{world.directory}/other.sqlite"}
    assert world.run("inventory", "import", f"export:{file}").returncode == 0
    assert world.run("inventory", "export").stdout.splitlines()[1:] == before[1:]


def test_a_whole_registry_comes_in_by_its_catalog(world: World, pki: Pki, tmp_path: Path) -> None:
    with Registry(tmp_path / "catalog", pki, name="catalog") as registry:
        world.staging = registry
        world.settings["hosts"][registry.host] = {"ca_file": str(pki.ca_file)}
        for number in range(3):
            stage(world, app(world, f"c{number}", str(number)), f"team/app-{number}:1.0")
        done = world.run("inventory", "import", "--catalog", registry.host)
    assert done.stdout == "3 images recorded, 0 were there, 0 failed\n", done.stderr
    assert {each["repository"] for each in listed(world)} == {f"{registry.host}/team/app-{each}" for each in range(3)}
