"""The command over an Anchore server: gate, check, parity, policies as code; real registries, real Notary."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from imagegate.analysis.analyze import analyze
from imagegate.analysis.store import LayerStore
from imagegate.image.layout import LayoutSource
from imagegate.image.resolve import resolve
from imagegate.model import Digest, LayoutRef, Platform
from imagegate.policy.facts import Facts
from imagegate.progress import NoProgress
from imagegate.settings import AnalysisSettings, Limits
from lab.proxy import FaultProxy
from tests.fakes.anchore import PASSWORD, USER, FakeAnchore
from tests.fakes.contract import DEVIATIONS, DOCUMENTS, general
from tests.images import DEBIAN
from tests.integration.world import POLICY, World

pytestmark = pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="Anchore's OpenAPI documents are not here")


def look_in(world: World, digest: Digest) -> Facts | None:
    """Return what an image of the world's layout holds."""
    index = json.loads((world.images.path / "index.json").read_text())["manifests"]
    names = [each["annotations"]["org.opencontainers.image.ref.name"] for each in index if each["digest"] == digest]
    if not names:
        return None
    with LayoutSource(LayoutRef(str(world.images.path), names[0]), Limits()) as source:
        found = resolve(source, platform=Platform(), all_platforms=False, limits=Limits()).images[0]
        store = LayerStore(world.directory / "server")
        settings = AnalysisSettings(catalogers="native")
        analysis = analyze(found, source, settings=settings, limits=Limits(), store=store, progress=NoProgress())
        return Facts(analysis=analysis, image_id=found.config_descriptor.digest)


@pytest.fixture(params=["v1", "v2"])
def fake(request: pytest.FixtureRequest, world: World) -> Iterator[FakeAnchore]:
    """A server that analyses what lies in the world's layout, and settings that name it."""
    with FakeAnchore(request.param, lambda digest: look_in(world, digest), seconds=0.2) as server:
        world.settings["scanner"] = "anchore"
        world.settings["anchore"] = {"url": server.url, "staging": f"{world.staging.host}/anchore"}
        world.settings["hosts"][server.host] = {"plain_http": True}
        world.logins = {"IMAGEGATE_ANCHORE_USER": USER, "IMAGEGATE_ANCHORE_PASSWORD": PASSWORD}
        yield server
        assert sorted({general(each) for each in server.violations} - DEVIATIONS) == []


def push(world: World, *more: str) -> Any:
    return world.run("anchore", "push-policies", str(world.directory / "policy.json"), *more)


def test_the_gate_promotes_what_the_server_passes_and_nothing_else(world: World, fake: FakeAnchore) -> None:
    assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
    # The engine guesses a Dockerfile where none is given, and then takes the user for root.
    (world.directory / "Dockerfile").write_text("FROM scratch\nUSER app\n")
    done = world.gate(world.good(), "anchore/good", then=("--dockerfile", str(world.directory / "Dockerfile")))
    assert done.returncode == 0, done.stderr
    assert world.signed("anchore/good") == {"1.0": world.tag("anchore/good")}
    bad = world.gate(world.bad(), "anchore/bad")
    assert bad.returncode == 1, bad.stderr
    assert "stop  dockerfile/effective_user" in bad.stdout
    assert world.tag("anchore/bad") is None
    assert PASSWORD not in bad.stdout + bad.stderr


def test_a_server_that_is_away_or_refuses_is_exit_2_and_nothing_is_promoted(world: World, fake: FakeAnchore) -> None:
    no_policy = world.gate(world.good(), "anchore/none")
    assert no_policy.returncode == 2
    assert "Policy bundle" in no_policy.stderr
    world.logins = {"IMAGEGATE_ANCHORE_USER": USER, "IMAGEGATE_ANCHORE_PASSWORD": "wrong-word"}
    refused = world.gate(world.good(), "anchore/none")
    assert refused.returncode == 2
    assert "the login from IMAGEGATE_ANCHORE_USER was refused" in refused.stderr
    assert "wrong-word" not in refused.stderr
    world.settings["anchore"]["url"] = "http://127.0.0.1:1/v2"
    world.settings["hosts"]["127.0.0.1:1"] = {"plain_http": True}
    assert world.gate(world.good(), "anchore/none").returncode == 2
    assert world.tag("anchore/none") is None


def test_several_images_are_submitted_together(world: World, fake: FakeAnchore) -> None:
    assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
    names = [world.good(str(number), name=f"app{number}") for number in range(3)]
    done = world.run("check", *names, world.bad())
    assert done.returncode == 1, done.stderr
    kinds = [method for method, path in fake.requests if path.endswith("/images")]
    assert kinds == ["POST"] * 4
    first_check = next(number for number, (_, path) in enumerate(fake.requests) if path.endswith("/check"))
    posts = [
        number for number, (method, path) in enumerate(fake.requests) if (method, path[-7:]) == ("POST", "/images")
    ]
    assert max(posts) < first_check


def test_policies_are_planned_shown_and_applied_once(world: World, fake: FakeAnchore) -> None:
    planned = push(world, "--activate", POLICY["id"])
    assert planned.returncode == 1
    assert f"add    {POLICY['id']}" in planned.stdout
    assert "effective_user" in planned.stdout
    assert fake.policies == {}
    assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
    assert fake.active == POLICY["id"]
    again = push(world, "--activate", POLICY["id"])
    assert (again.returncode, again.stdout) == (0, f"keep   {POLICY['id']}  root is refused\n")


def test_waivers_go_with_the_policies(world: World, fake: FakeAnchore) -> None:
    waiver = {
        "id": "w", "owner": "team", "reason": "none", "created": "2026-11-01", "expires": "2099-01-01",
        "rule": "dockerfile/*",
    }  # fmt: skip
    (world.directory / "waivers.yaml").write_text(json.dumps([waiver]))
    world.settings["policy"]["waivers"] = [str(world.directory / "waivers.yaml")]
    assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
    done = world.run("check", world.bad())
    assert done.returncode == 0, done.stderr
    assert "1 allowlisted" in done.stdout


def test_shipped_policies_are_taken_by_the_server_without_what_is_ours_alone(world: World, fake: FakeAnchore) -> None:
    done = world.run("anchore", "push-policies", "application", "base-image", "--apply")
    assert done.returncode == 0, done.stderr
    assert "rules of base_image.not_signed are left out" in done.stderr
    assert len(fake.policies) == 2


def test_server_and_embedded_evaluator_are_compared(world: World, fake: FakeAnchore) -> None:
    assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
    policy = str(world.directory / "policy.json")
    done = world.run("parity", world.good(), world.bad(), "--policy", policy)
    assert (done.returncode, done.stdout) == (0, "2 of 2 images equal, 0 unexpected differences\n"), done.stderr
    changed = json.loads(json.dumps(POLICY))
    rules = changed["policies"][0]["rules"]
    rules.append({"id": "x", "gate": "always", "trigger": "always", "action": "WARN", "params": []})
    (world.directory / "other.json").write_text(json.dumps(changed))
    done = world.run("parity", world.good(), "--policy", str(world.directory / "other.json"))
    assert done.returncode == 1
    assert "only local: always/always" in done.stdout


def test_the_servers_state_is_shown(world: World, fake: FakeAnchore) -> None:
    done = world.run("anchore", "status")
    assert done.returncode == 0, done.stderr
    assert f"Anchore 1.1.0, API {fake.api}" in done.stdout
    assert json.loads(world.run("anchore", "status", "--json").stdout)["schema"] == "imagegate/anchore-status/1"


def test_the_plugins_files_are_written(world: World, fake: FakeAnchore) -> None:
    assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
    world.settings["anchore"]["vulnerabilities"] = True
    directory = world.directory / "AnchoreReport"
    done = world.run("check", world.bad(), "-o", f"anchore-report={directory}")
    assert done.returncode == 1, done.stderr
    told = {file.name: json.loads(file.read_text()) for file in directory.iterdir()}
    gates = told.pop("anchore_gates.json")
    if fake.api == "v1":
        (table,) = gates.values()
        assert [row[3:5] for row in table["result"]["rows"]] == [["dockerfile", "effective_user"]]
        assert table["result"]["final_action"] == "stop"
    else:
        (result,) = gates
        assert [each["trigger"] for each in result["gate_results"]] == ["effective_user"]
        assert (result["final_action"], result["image_digest"]) == ("stop", *fake.images)
    titles = [column["title"] for column in told.pop("anchore_security.json")["columns"]]
    assert titles[:2] == ["Tag", "CVE ID"]
    assert ("Inherited From Base" in titles) == (fake.api == "v2")
    assert sorted(told) == [
        "anchoreengine-api-response-evaluation-1.json",
        "anchoreengine-api-response-vulnerabilities-1.json",
    ]
    assert "vulnerabilities" in told["anchoreengine-api-response-vulnerabilities-1.json"]


def posted(world: World, fake: FakeAnchore) -> Digest:
    """Have the server analyse the good image, and return its digest."""
    assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
    world.run("check", world.good())
    (digest,) = fake.images
    return digest


def test_what_a_base_brought_is_told_and_can_be_left_out(world: World, fake: FakeAnchore) -> None:
    assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
    world.settings["anchore"]["base"] = "auto"
    if fake.api == "v1":
        refused = world.run("check", world.bad())
        assert refused.returncode == 2
        assert "knows no ancestors" in refused.stderr
        assert "anchore.base" in refused.stderr
        return
    first = json.loads(world.run("check", world.bad(), "--json").stdout)
    (digest,) = fake.images
    fake.bases[digest] = [Digest("sha256:" + "1" * 64), Digest("sha256:" + "2" * 64)]
    (finding,) = first["evaluations"][0]["findings"]
    assert "owner" not in finding
    fake.inherited.add(finding["trigger_id"])
    told = json.loads(world.run("check", world.bad(), "--json").stdout)["evaluations"][0]["findings"]
    assert [each["owner"] for each in told] == ["base"]
    listed = world.run("anchore", "ancestors", digest).stdout.splitlines()
    assert [line[:10] for line in listed] == ["  sha256:1", "* sha256:2"]
    world.settings["anchore"]["exclude_inherited"] = True
    done = world.run("check", world.bad())
    assert done.returncode == 1, "what is left out of the report still counts"
    assert "effective_user" not in done.stdout
    assert "1 finding inherited" in done.stdout + done.stderr


def test_annotations_and_subscriptions_go_with_an_image(world: World, fake: FakeAnchore) -> None:
    world.settings["anchore"] |= {"annotations": {"team": "a"}, "subscribe": True}
    digest = posted(world, fake)
    assert fake.images[digest].annotations == {"team": "a"}
    (tag,) = fake.images[digest].tags
    assert world.run("anchore", "subscriptions").stdout.split() == ["True", "tag_update", tag]
    done = world.run("anchore", "subscriptions", tag, "--off", "tag_update", "--on", "policy_eval")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == [f"False  tag_update  {tag}", f"True  policy_eval  {tag}"]
    assert world.run("anchore", "subscriptions", "--on", "tag_update").returncode == 2


def test_an_analysis_is_repeated_when_that_is_asked_for(world: World, fake: FakeAnchore) -> None:
    digest = posted(world, fake)
    assert world.run("check", world.good()).returncode in (0, 1)
    assert fake.images[digest].analyses == 1
    world.settings["anchore"]["force"] = True
    assert world.run("check", world.good()).returncode in (0, 1)
    assert fake.images[digest].analyses == 2


def test_registries_get_logins_that_are_never_shown(world: World, fake: FakeAnchore) -> None:
    no_password = world.run("anchore", "registries", "r.example", "--user", "robot")
    assert no_password.returncode == 2
    assert "IMAGEGATE_REGISTRY_PASSWORD" in no_password.stderr
    world.logins["IMAGEGATE_REGISTRY_PASSWORD"] = "s3cret"
    for user in ("robot", "other"):
        done = world.run("anchore", "registries", "r.example", "--user", user)
        assert (done.returncode, done.stdout.split()) == (0, ["r.example", user]), done.stderr
        assert "s3cret" not in done.stdout + done.stderr
    assert world.run("anchore", "registries", "r.example", "--delete").stdout == ""
    assert fake.registries == {}


def test_images_are_listed_archived_restored_and_deleted(world: World, fake: FakeAnchore) -> None:
    digest = posted(world, fake)
    assert world.run("anchore", "images").stdout.startswith(f"{digest}  analyzed")
    assert world.run("anchore", "archive", digest).returncode == 0
    refused = world.run("anchore", "delete", digest)
    assert refused.returncode == 2
    assert "latest of its tags" in refused.stderr
    assert world.run("anchore", "delete", digest, "--force").returncode == 0
    assert world.run("anchore", "images").stdout == ""
    assert world.run("anchore", "archive").stdout.split() == ["archived", digest]
    assert world.run("anchore", "archive", digest, "--restore").returncode == 0
    assert fake.images[digest].analyses == 1
    unknown = world.run("anchore", "archive", "sha256:" + "f" * 64)
    assert unknown.returncode == 2
    assert "not analyzed" in unknown.stderr
    assert world.run("anchore", "delete", "app:1.0").returncode == 2


def packages_only() -> dict[str, Any]:
    """Return a policy that a list of packages is enough for."""
    rule = {"id": "1", "gate": "packages", "trigger": "blacklist", "action": "STOP"}
    rule["params"] = [{"name": "name", "value": "left-pad"}]  # type: ignore[assignment]
    return POLICY | {"policies": [{**POLICY["policies"][0], "rules": [rule]}]}


def test_a_server_that_must_not_see_the_bytes_is_given_what_syft_found(world: World, fake: FakeAnchore) -> None:
    assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
    world.settings["anchore"] = {"url": fake.url, "submit": "import"}
    (world.directory / "Dockerfile").write_text("FROM scratch\nUSER app\n")
    with_dockerfile = ("--dockerfile", str(world.directory / "Dockerfile"))
    done = world.gate(world.good(), "anchore/imported", then=with_dockerfile)
    assert done.returncode == 0, done.stderr
    assert fake.counted()["POST images"] == 1
    again = world.gate(world.good(), "anchore/imported", then=with_dockerfile)
    assert again.returncode == 0, again.stderr
    assert len(fake.imports) == 1, "what the server has is joined"
    (sent,) = fake.imports.values()
    (digest,) = fake.images
    assert sent["manifest"][0] == digest == world.tag("anchore/imported")
    packages = json.loads(sent["packages"][1])
    assert packages["source"]["target" if fake.api == "v1" else "metadata"]["manifestDigest"] == digest
    world.settings["anchore"] = {"url": fake.url, "staging": f"{world.staging.host}/anchore"}
    for _ in range(2):
        pulled = world.gate(world.good(), "anchore/imported", then=with_dockerfile)
        assert pulled.returncode == 0, pulled.stderr
    assert fake.images[digest].analyses == 2, "an imported image is analysed anew, once"


def test_a_scan_leaves_nothing_on_the_server(world: World, fake: FakeAnchore) -> None:
    (world.directory / "policy.json").write_text(json.dumps(packages_only()))
    assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
    world.settings["anchore"] = {"url": fake.url, "submit": "scan"}
    done = world.run("check", world.good())
    if fake.api == "v1":
        assert done.returncode == 2
        assert "scans nothing that it does not keep" in done.stderr
        return
    assert done.returncode == 0, done.stderr + done.stdout
    assert fake.images == {}


@pytest.mark.parametrize("submit", ["import", "scan"])
def test_rules_that_need_more_than_packages_are_no_pass(world: World, fake: FakeAnchore, submit: str) -> None:
    rule = {"id": "1", "gate": "secret_scans", "trigger": "content_regex_checks", "action": "STOP", "params": []}
    policy = POLICY | {"policies": [{**POLICY["policies"][0], "rules": [rule]}]}
    (world.directory / "policy.json").write_text(json.dumps(policy))
    assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
    world.settings["anchore"] = {"url": fake.url, "submit": submit}
    done = world.run("check", world.good())
    assert done.returncode == 2, done.stdout + done.stderr
    if (submit, fake.api) != ("scan", "v1"):
        assert "secret_scans" in done.stdout + done.stderr


def test_a_policy_is_checked_against_what_the_server_knows(world: World, fake: FakeAnchore) -> None:
    known = world.run("policy", "lint", str(world.directory / "policy.json"), "--server")
    assert "the server" not in known.stdout, known.stdout
    rule = {"id": "1", "gate": "distro", "trigger": "deny", "action": "STOP", "params": []}
    document = POLICY | {"policies": [{**POLICY["policies"][0], "rules": [rule]}]}
    (world.directory / "unknown.json").write_text(json.dumps(document))
    unknown = world.run("policy", "lint", str(world.directory / "unknown.json"), "--server")
    assert unknown.returncode == 1, unknown.stderr
    assert "distro" in unknown.stdout
    both = world.run("policy", "lint", "base-image", "--server", "--spec", "x.json")
    assert both.returncode == 2


def test_a_ca_of_the_sites_own_is_trusted_where_it_is_named(world: World, fake: FakeAnchore) -> None:
    shown = world.pki.issue("anchore")
    with FaultProxy(
        f"http://{fake.host}", ca_file=world.pki.ca_file, certificate=shown.certificate, key=shown.key
    ) as tls:
        world.settings["anchore"]["url"] = tls.url
        unknown = world.run("anchore", "status")
        assert unknown.returncode == 2
        assert "ca_file" in unknown.stderr
        assert not fake.requests, "no login is sent to what is not trusted"
        world.settings["hosts"][tls.host] = {"ca_file": str(world.pki.ca_file)}
        assert world.run("anchore", "status").returncode == 0


def test_a_server_behind_a_proxy_is_asked_through_it(world: World, fake: FakeAnchore) -> None:
    world.settings["anchore"]["url"] = "http://anchore.invalid"
    world.settings["hosts"]["anchore.invalid"] = {"plain_http": True}
    world.logins["http_proxy"] = f"http://{fake.host}"
    done = world.run("anchore", "status")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("anchore.invalid  Anchore 1.1.0")


def test_what_the_server_knows_is_shown(world: World, fake: FakeAnchore) -> None:
    digest = posted(world, fake)
    world.run("check", world.bad())
    assert world.run("anchore", "feeds").stdout.split()[:3] == ["vulnerabilities", "debian:12", "10"]
    events = world.run("anchore", "events", "--type", "user.image").stdout.splitlines()
    assert [line.split()[4] for line in events] == list(fake.images), "page by page"
    assert len(world.run("anchore", "events", "--limit", "1").stdout.splitlines()) == 1
    assert world.run("anchore", "events", "--level", "error").stdout == ""
    content = json.loads(world.run("anchore", "content", digest, "os").stdout)
    assert content["schema"] == "imagegate/anchore-content/1"


def test_a_servers_sbom_is_downloaded(world: World, fake: FakeAnchore) -> None:
    digest = posted(world, fake)
    file = world.directory / "sbom" / "image.json"
    assert world.run("anchore", "sbom", digest, "-o", str(file)).returncode == 0
    assert digest in file.read_text()
    other = world.run("anchore", "sbom", digest, "--form", "spdx", "-o", str(file))
    assert other.returncode == (2 if fake.api == "v1" else 0)
    assert "spdx" in (other.stderr if fake.api == "v1" else file.read_text())


def test_what_the_server_judges_and_what_it_has_analysed_is_in_the_inventory(world: World, fake: FakeAnchore) -> None:
    assert push(world, "--activate", POLICY["id"], "--apply").returncode == 0
    (world.directory / "Dockerfile").write_text("FROM scratch\nUSER app\n")
    files = {"app/node_modules/left-pad/package.json": json.dumps({"name": "left-pad", "version": "1.3.0"})}
    image = world.images.name(world.images.image([DEBIAN, files], config={"User": "app"}), "judged")
    done = world.gate(image, "anchore/judged", then=("--dockerfile", str(world.directory / "Dockerfile")))
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr
    world.settings["inventory"] = {"url": f"sqlite:///{world.directory}/imported.sqlite"}
    done = world.run("inventory", "import", "--anchore")
    assert done.stdout == "1 image recorded, 0 were there, 0 failed\n", done.stderr
    for settings in ({}, world.settings["inventory"]):
        world.settings["inventory"] = settings
        (hit,) = json.loads(world.run("query", "package", "left-pad", "--format", "json").stdout)["hits"]
        assert (hit["version"], hit["image"]) == ("1.3.0", world.tag("anchore/judged"))
