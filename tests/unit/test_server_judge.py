"""Waiting for a server: how soon the end is seen, at how many requests, and where images are put for it."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import pytest

from imagegate.anchore.server import ImageState, ServerCheck, ServerImage, Submission
from imagegate.errors import AnchoreError, NetworkError
from imagegate.model import Action, Digest, LayoutRef, PlatformImage, Reason, RegistryRef, Repository, Verdict
from imagegate.progress import NoProgress
from imagegate.server_judge import ServerJudge
from imagegate.settings import Anchore, PolicySettings
from tests.layers import file, image, tar

NAME = "registry.example.com/team/app:1.0"
PASSED = ServerCheck("p", Action.GO, Reason.POLICY, "m", (), (), mapped=True)


class Source:
    def __init__(self, ref: Any = None) -> None:
        self.ref = ref or RegistryRef(Repository("staging.test", "team/app"), "1.0")


class Clock:
    """Time that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Server:
    """A server in memory whose analyses take `seconds`, after `queue` of them."""

    def __init__(self, clock: Clock, seconds: float, queue: float = 0.0) -> None:
        self.clock, self.seconds, self.queue = clock, seconds, queue
        self.requests, self.added, self.broken = 0, {}, 0  # type: ignore[var-annotated]
        self.pulled: list[RegistryRef] = []

    def add(self, image: RegistryRef, tag: str, about: Submission, *, force: bool = False) -> ServerImage:
        self.requests += 1
        assert image.digest
        self.pulled.append(image)
        self.added.setdefault(image.digest, (self.clock.now, tag))
        return self._image(image.digest)

    def image(self, digest: Digest) -> ServerImage | None:
        self.requests += 1
        if self.broken and digest in self.added:
            self.broken -= 1
            raise NetworkError("the server is away")
        return self._image(digest) if digest in self.added else None

    def _image(self, digest: Digest) -> ServerImage:
        since, tag = self.added[digest]
        lasted = self.clock.now - since
        state = ImageState.NOT_ANALYZED if lasted < self.queue else ImageState.ANALYZING
        return ServerImage(digest, ImageState.ANALYZED if lasted >= self.queue + self.seconds else state, (tag,))

    def check(self, digest: Digest, tag: str, policy_id: str = "", base: Digest | None = None) -> ServerCheck:
        self.requests += 1
        return PASSED


def judge(server: Server, *, staging: str = "", timeout: float = 3600, copied: list[Any] | None = None) -> ServerJudge:
    class Destination:
        def __init__(self, repository: Repository) -> None:
            self.repository = repository

        def copy(self, source: Any, image: Any, progress: Any) -> None:
            assert copied is not None
            copied.append((str(self.repository), image.digest))

    return ServerJudge(
        server=server,  # type: ignore[arg-type]
        settings=Anchore(staging=staging, timeout=timeout),
        policy=PolicySettings(),
        dockerfile="",
        destination=Destination,  # type: ignore[arg-type]
        sbom=lambda *_: {},
        progress=NoProgress(),
        say=lambda _: None,
        clock=lambda: datetime.now(UTC),
        monotonic=server.clock,
        sleep=server.clock.sleep,
    )


def built() -> PlatformImage:
    return image(tar(file("a", "x")))[0]


@pytest.mark.parametrize("seconds", [5, 7, 19, 20, 33, 60, 120, 300, 450, 600])
def test_the_end_is_seen_within_a_tenth_or_two_seconds_at_no_more_than_seventy_requests(seconds: float) -> None:
    for seed in range(20):
        random.seed(seed)
        clock = Clock()
        server = Server(clock, seconds)
        assert judge(server)(built(), Source(), NAME).evaluation.verdict is Verdict.PASS  # type: ignore[arg-type]
        late = clock.now - 1000 - seconds
        assert late <= max(2.0, seconds / 10)
        assert server.requests <= 70


def test_time_in_the_queue_does_not_make_the_end_late() -> None:
    clock = Clock()
    server = Server(clock, 30, queue=900)
    judge(server)(built(), Source(), NAME)  # type: ignore[arg-type]
    assert clock.now - 1000 - 930 <= 3.0


def test_a_server_that_is_away_for_a_while_is_waited_for() -> None:
    server = Server(Clock(), 30)
    server.broken = 3
    assert judge(server)(built(), Source(), NAME).evaluation.verdict is Verdict.PASS  # type: ignore[arg-type]
    server = Server(Clock(), 30)
    server.broken = 10_000
    with pytest.raises(AnchoreError, match="not analysed after 60 seconds"):
        judge(server, timeout=60)(built(), Source(), NAME)  # type: ignore[arg-type]


def test_images_from_no_registry_are_put_where_the_server_can_pull_them() -> None:
    server, copied = Server(Clock(), 0), []  # type: ignore[var-annotated]
    one = built()
    layout = Source(LayoutRef("dir", "app"))
    judge(server, staging="staging.test/gate", copied=copied)(one, layout, NAME)  # type: ignore[arg-type]
    assert copied == [("staging.test/gate/team/app", one.digest)]
    assert [str(each) for each in server.pulled] == [f"staging.test/gate/team/app@{one.digest}"]
    with pytest.raises(AnchoreError, match="cannot pull oci:dir:app"):
        judge(server)(built(), layout, NAME)  # type: ignore[arg-type]


def test_images_in_a_registry_are_pulled_from_there() -> None:
    server = Server(Clock(), 0)
    one = built()
    judge(server)(one, Source(), NAME)  # type: ignore[arg-type]
    assert [str(each) for each in server.pulled] == [f"staging.test/team/app@{one.digest}"]
