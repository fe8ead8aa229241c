"""The gate over an Anchore server of either version: submit, wait, verdict, and what goes wrong on the way."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from imagegate.anchore.client import AnchoreClient, connect
from imagegate.anchore.login import AnchoreLogin
from imagegate.anchore.server import Submission
from imagegate.anchore.session import LONGEST, Session, in_words
from imagegate.errors import AnchoreError, AuthenticationFailed
from imagegate.http.client import HttpClient
from imagegate.model import Action, Digest, PlatformImage, RegistryRef, Repository, Severity, Verdict
from imagegate.policy.convert import convert
from imagegate.policy.facts import Facts
from imagegate.progress import NoProgress
from imagegate.server_judge import ServerJudge
from imagegate.settings import Anchore, Host, Http, PolicySettings
from tests.fakes.anchore import API_KEY, PASSWORD, USER, FakeAnchore, Faults
from tests.fakes.contract import DEVIATIONS, DOCUMENTS, general
from tests.layers import file, image, tar
from tests.unit.policies import LODASH, document, facts, report, rule, vulnerability

pytestmark = pytest.mark.skipif(not DOCUMENTS.is_dir(), reason="Anchore's OpenAPI documents are not here")

ROOT = Path(__file__).parents[2]
NAME = "registry.example.com/team/app:1.0"
ENVIRON = {"IMAGEGATE_ANCHORE_USER": USER, "IMAGEGATE_ANCHORE_PASSWORD": PASSWORD}
MAPPING = {
    "id": "m",
    "name": "all",
    "registry": "*",
    "repository": "*",
    "image": {"type": "tag", "value": "*"},
    "policy_ids": ["p"],
    "whitelist_ids": [],
}
STOPS = document(
    {**rule("vulnerabilities", "package", package_type="all"), "id": "v"},
    {**rule("dockerfile", "effective_user", "WARN", users="root", type="blacklist"), "id": "u"},
    mappings=[MAPPING],
)


class Source:
    """An image that lies in a registry."""

    ref = RegistryRef(Repository("staging.test", "team/app"), "1.0")


def made(number: int) -> PlatformImage:
    built, _ = image(tar(file("number", str(number))))
    return built


class World:
    """A fake server, what its images hold, and judges over it."""

    def __init__(self, api: str, **options: Any) -> None:
        self.facts: dict[Digest, Facts] = {}
        self.fake = FakeAnchore(api, self.facts.get, **options)
        self.fake.add_policy(self.policy(STOPS))
        self.said: list[str] = []

    def policy(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a policy document in the version that the server keeps."""
        return document if self.fake.api == "v1" else convert(document, "2")

    def image(self, number: int = 0, *, bad: bool = False) -> PlatformImage:
        """Put an image into the registry; a bad one has a vulnerability."""
        built = made(number)
        found = facts(packages=(LODASH,), report=report(*([vulnerability()] if bad else [])))
        self.facts[built.digest] = msgspec.structs.replace(
            found, analysis=msgspec.structs.replace(found.analysis, digest=built.digest)
        )
        return built

    def client(self, environ: dict[str, str] | None = None, **settings: Any) -> AnchoreClient:
        return client_of(self.fake.url, environ, **settings)

    def judge(self, *, dockerfile: str = "", timeout: float = 30.0, **policy: Any) -> ServerJudge:
        return judge_over(self.client(), self.said.append, dockerfile=dockerfile, timeout=timeout, **policy)


def client_of(url: str, environ: dict[str, str] | None = None, **settings: Any) -> AnchoreClient:
    """Return a client that faults are survived with."""
    http = Http(budget=20, retries=8, connect_timeout=2, read_timeout=5)
    hosts = {urlsplit(url).netloc: Host(plain_http=True)}

    def session(base_url: str) -> Session:
        def login(fetch: Any) -> AnchoreLogin:
            return AnchoreLogin(environ or ENVIRON, fetch, base_url, oauth=settings.get("oauth", False))

        return Session(HttpClient(http, hosts, login=login, tell=in_words, longest=LONGEST), base_url)

    return connect(url, "auto", session)


def judge_over(
    client: AnchoreClient, say: Callable[[str], None], *, dockerfile: str = "", timeout: float = 30.0, **policy: Any
) -> ServerJudge:
    """Return a judge of images that lie in a registry."""
    return ServerJudge(
        server=client,
        settings=Anchore(timeout=timeout),
        policy=PolicySettings(**policy),
        dockerfile=dockerfile,
        destination=_no_staging,
        sbom=lambda *_: {},
        progress=NoProgress(),
        say=say,
        clock=lambda: datetime.now(UTC),
    )


def _no_staging(_: Repository) -> Any:
    raise AssertionError("nothing is to be staged")


MakeWorld = Callable[..., World]


@pytest.fixture(params=["v1", "v2"])
def make(request: pytest.FixtureRequest) -> Iterator[MakeWorld]:
    worlds: list[World] = []

    def start(**options: Any) -> World:
        world = World(request.param, **options)
        world.fake.__enter__()
        worlds.append(world)
        return world

    yield start
    for world in worlds:
        world.fake.__exit__()
        assert sorted({general(each) for each in world.fake.violations} - DEVIATIONS) == []


def verdict(world: World, built: PlatformImage, **options: Any) -> Verdict:
    return world.judge(**options)(built, Source(), NAME).evaluation.verdict  # type: ignore[arg-type]


def test_an_image_is_submitted_awaited_and_judged(make: MakeWorld) -> None:
    world = make(seconds=0.3)
    judgement = world.judge()(world.image(bad=True), Source(), NAME)  # type: ignore[arg-type]
    found = judgement.evaluation
    assert (found.verdict, found.final_action, found.mapping, found.tag) == (Verdict.STOP, Action.STOP, "all", NAME)
    stop = next(each for each in found.findings if each.action is Action.STOP)
    assert (stop.trigger_id, stop.vulnerability, stop.severity) == ("CVE-2026-1+lodash", "CVE-2026-1", Severity.HIGH)
    assert {each.action for each in found.findings} == {Action.STOP, Action.WARN}
    assert found.policy_id == "b"
    assert verdict(world, world.image(1)) is Verdict.PASS
    assert world.fake.counted()["POST images"] == 2


def test_what_the_server_has_is_joined_and_not_posted_again(make: MakeWorld) -> None:
    world = make(seconds=0.5)
    built = world.image()
    first, second = world.judge(), world.judge()
    first.announce(built, Source(), NAME)  # type: ignore[arg-type]
    assert second(built, Source(), NAME).evaluation.verdict is Verdict.PASS  # type: ignore[arg-type]
    assert verdict(world, built) is Verdict.PASS
    assert world.fake.counted()["POST images"] == 1
    assert world.fake.images[built.digest].analyses == 1


def test_a_failed_analysis_ends_the_wait_and_is_begun_anew_by_the_next_run(make: MakeWorld) -> None:
    world = make(seconds=0.2)
    built = world.image()
    world.fake.failing.add(built.digest)
    with pytest.raises(AnchoreError, match="failed to analyse"):
        verdict(world, built)
    assert verdict(world, built) is Verdict.PASS
    assert world.fake.images[built.digest].analyses == 2


def test_an_answer_about_another_image_is_no_verdict(make: MakeWorld) -> None:
    world = make()
    built, other = world.image(1), world.image(2)
    assert verdict(world, built) is Verdict.PASS
    world.fake.images[built.digest].digest = other.digest
    with pytest.raises(AnchoreError, match=f"answered about {other.digest}"):
        verdict(world, built)


def test_the_wait_has_an_end(make: MakeWorld) -> None:
    world = make(seconds=60)
    with pytest.raises(AnchoreError, match="is not analysed after 1 seconds") as caught:
        verdict(world, world.image(), timeout=1)
    assert "joins" in caught.value.hint


def test_an_image_that_no_mapping_is_about_is_undecided(make: MakeWorld) -> None:
    world = make()
    mapping = {**MAPPING, "registry": "other.test"}
    world.fake.add_policy(world.policy({**STOPS, "id": "narrow", "mappings": [mapping]}))
    built = world.image()
    assert verdict(world, built) is Verdict.UNDECIDED
    assert verdict(world, built, unmapped="go") is Verdict.PASS


def test_what_the_server_refuses_is_told_in_its_words(make: MakeWorld) -> None:
    world = make()
    with pytest.raises(AnchoreError, match="REGISTRY_IMAGE_NOT_FOUND") as caught:
        verdict(world, made(9))
    assert "push it first" in caught.value.hint
    client, built = world.client(), world.image()
    client.add(RegistryRef(Source.ref.repository, "", built.digest), NAME, Submission())
    with pytest.raises(AnchoreError, match="Policy bundle none not found"):
        client.check(built.digest, NAME, "none")


def test_a_dockerfile_that_came_too_late_is_told(make: MakeWorld) -> None:
    world = make()
    built = world.image()
    assert verdict(world, built) is Verdict.PASS
    problems = world.judge(dockerfile="FROM scratch\n")(built, Source(), NAME).evaluation.problems  # type: ignore[arg-type]
    assert [problem.type for problem in problems] == ["dockerfile"]


@pytest.mark.parametrize(
    "environ",
    [{"IMAGEGATE_ANCHORE_API_KEY": API_KEY}, ENVIRON],
)
def test_logins(make: MakeWorld, environ: dict[str, str]) -> None:
    world = make()
    assert world.client(environ).version().service == "1.1.0"
    assert all(service.up for service in world.client(environ).services())


def test_wrong_and_missing_logins_are_errors(make: MakeWorld) -> None:
    world = make()
    with pytest.raises(AuthenticationFailed, match="IMAGEGATE_ANCHORE_USER was refused"):
        world.client({**ENVIRON, "IMAGEGATE_ANCHORE_PASSWORD": "x"}).version()
    with pytest.raises(AuthenticationFailed, match="no login for the Anchore server"):
        world.client({"HOME": "/"}).version()


def test_a_server_that_refuses_a_good_login_for_a_moment_is_asked_again(make: MakeWorld) -> None:
    world = make()
    world.fake.next_faults = ["401"]
    client = world.client()
    assert client.version().service == "1.1.0", "with the first request"
    world.fake.next_faults = ["401"] * 3
    assert client.version().service == "1.1.0", "and longer, once it took the login"


def test_a_token_that_ends_is_asked_for_anew(make: MakeWorld) -> None:
    world = make()
    client = world.client(oauth=True)
    assert client.version().service == "1.1.0"
    world.fake.refused_tokens |= world.fake.tokens
    assert client.version().service == "1.1.0"
    assert world.fake.counted()["POST oauth/token"] == 2


def test_policies_are_added_read_activated_and_deleted(make: MakeWorld) -> None:
    world = make()
    client = world.client()
    other = world.policy({**STOPS, "id": "other", "name": "other"})
    added = client.add_policy(other)
    assert (added.id, added.active) == ("other", False)
    found = client.policy("other")
    assert found
    assert found.document == other
    assert client.update_policy(found, {**other, "name": "new"}, active=True).active
    assert {policy.id: policy.active for policy in client.policies()} == {"b": False, "other": True}
    client.delete_policy("b")
    assert client.policy("b") is None
    with pytest.raises(AnchoreError, match="failed validation"):
        client.add_policy(
            world.policy(
                {**STOPS, "policies": [{"id": "p", "name": "p", "version": "1_0", "rules": [rule("no", "such")]}]}
            )
        )


def test_images_are_listed_and_deleted(make: MakeWorld) -> None:
    world = make()
    built = world.image()
    verdict(world, built)
    client = world.client()
    assert [found.digest for found in client.images()] == [built.digest]
    with pytest.raises(AnchoreError, match="latest of its tags"):
        client.delete_image(built.digest)
    client.delete_image(built.digest, force=True)
    assert client.image(built.digest) is None


def test_two_hundred_images_of_one_call_are_each_analysed_once_and_judged_right(make: MakeWorld) -> None:
    world = make(seconds=1.0, faults=Faults(share=0.05))
    images = [world.image(number, bad=number % 3 == 0) for number in range(200)]
    one = world.judge(timeout=120)
    for each in images:
        one.announce(each, Source(), NAME)  # type: ignore[arg-type]
    expected = [Verdict.STOP if number % 3 == 0 else Verdict.PASS for number in range(200)]
    assert [one(each, Source(), NAME).evaluation.verdict for each in images] == expected  # type: ignore[arg-type]
    assert {each.analyses for each in world.fake.images.values()} == {1}


def test_two_hundred_images_of_twenty_processes_are_each_analysed_once_and_judged_right(make: MakeWorld) -> None:
    """Every image is two processes' own."""
    world = make(seconds=1.0, faults=Faults(share=0.05))
    for number in range(200):
        world.image(number, bad=number % 3 == 0)
    share = [sys.executable, "-m", "tests.integration.test_anchore_judge", world.fake.url]
    running = [subprocess.Popen([*share, str(number)], stdout=subprocess.PIPE, cwd=ROOT) for number in range(20)]
    found = [process.communicate(timeout=200)[0].decode().split() for process in running]
    assert [process.returncode for process in running] == [0] * 20
    assert found == [["stop" if each % 3 == 0 else "pass" for each in _share(number)] for number in range(20)]
    assert len(world.fake.images) == 200
    assert {each.analyses for each in world.fake.images.values()} == {1}


def _share(number: int) -> list[int]:
    return [*range(number, 200, 20), *range((number + 1) % 20, 200, 20)]


def test_twenty_at_once_analyse_an_image_once(make: MakeWorld) -> None:
    world = make(seconds=0.5, faults=Faults(share=0.05, seed=3))
    built = world.image(bad=True)
    with ThreadPoolExecutor(20) as threads:
        found = list(threads.map(lambda _: verdict(world, built, timeout=60), range(20)))
    assert found == [Verdict.STOP] * 20
    assert world.fake.images[built.digest].analyses == 1


def test_the_end_of_an_analysis_is_seen_soon(make: MakeWorld) -> None:
    world = make(seconds=5)
    started = time.monotonic()
    assert verdict(world, world.image()) is Verdict.PASS
    assert time.monotonic() - started < 5 + 2


def _judge_a_share(url: str, number: int) -> None:
    """Print the verdicts on a share of the images: what one of twenty processes does."""
    images = [made(each) for each in _share(number)]
    judge = judge_over(client_of(url), lambda _: None, timeout=120)
    for each in images:
        judge.announce(each, Source(), NAME)  # type: ignore[arg-type]
    print(*(judge(each, Source(), NAME).evaluation.verdict.value for each in images))  # type: ignore[arg-type]


if __name__ == "__main__":
    _judge_a_share(sys.argv[1], int(sys.argv[2]))
