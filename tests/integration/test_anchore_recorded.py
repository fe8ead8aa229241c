"""What a real Anchore Engine said, as it was recorded: read by the client, held against the contract."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from imagegate.anchore import wire
from imagegate.anchore.client import AnchoreClient
from imagegate.anchore.server import ImageState, ServerRegistry
from imagegate.anchore.session import in_words
from imagegate.errors import AnchoreError
from imagegate.model import Action, Digest, Evaluation, Reason
from imagegate.report.anchore_report import render
from imagegate.report.context import Context
from tests.fakes.contract import DEVIATIONS, DOCUMENTS, Contract, general

EXCHANGES = DOCUMENTS / "exchanges"
pytestmark = pytest.mark.skipif(not EXCHANGES.is_dir(), reason="the recorded exchanges are not here")

ROOT = Digest("sha256:6db6ae1ad3709da5039c03cbf9f66044200e1c462df4237ccf5f3742cda12398")
TAG = "127.0.0.1:15301/team/debian-root:1.0"


def exchange(number: str) -> dict[str, Any]:
    (file,) = EXCHANGES.glob(f"{number}-*.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def body(number: str) -> Any:
    return exchange(number)["response"]["body"]


def test_the_recordings_keep_to_the_document_but_where_it_is_known() -> None:
    contract = Contract("v1")
    found = set()
    for file in sorted(EXCHANGES.glob("*.json")):
        recorded = json.loads(file.read_text())
        asked, said = recorded["request"], recorded["response"]
        found |= {
            general(each)
            for each in contract.violations(asked["method"], asked["path"], asked["body"], said["status"], said["body"])
        }
    assert found == DEVIATIONS


@pytest.mark.parametrize(
    ("number", "state"),
    [
        ("003", ImageState.NOT_ANALYZED), ("006", ImageState.ANALYZING), ("007", ImageState.ANALYZED),
        ("071", ImageState.ANALYZED),
    ],
)  # fmt: skip
def test_images_are_read(number: str, state: ImageState) -> None:
    image = wire.image(body(number))
    assert (image.digest, image.state, image.tags, image.dockerfile) == (ROOT, state, (TAG,), True)
    assert image.image_id == "ef8bc0eba4dbfd2759420c52c01274588343b5ad24b0fc1725e919d6c3273b5f"


def test_a_verdict_is_read() -> None:
    check = wire.check_v1(body("008"), ROOT, TAG)
    assert (check.final_action, check.reason, check.mapping) == (Action.STOP, Reason.POLICY, "default")
    assert check.mapped
    assert check.policy_id == "2c53a13c-1765-11e8-82ef-23527761d060"
    result = body("008")[0][ROOT][TAG][0]["detail"]["result"]
    rows = result["result"][result["image_id"]]
    assert [[each.trigger_id, each.gate, each.trigger, each.message, each.action.value] for each in check.findings] == [
        row[2:7] for row in rows["result"]["rows"]
    ]
    assert check.document
    assert check.evaluated_at


@pytest.mark.parametrize("number", ["043", "044", "075"])
def test_every_recorded_verdict_is_read(number: str) -> None:
    answer = body(number)
    ((digest, by_tag),) = answer[0].items()
    ((tag, (about,)),) = by_tag.items()
    check = wire.check_v1(answer, Digest(digest), tag)
    assert ("fail" if check.final_action is Action.STOP else "pass") == about["status"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda about: about.update(status="pass"), "is none"),
        (lambda about: about.update(status="error"), "is none"),
        (lambda about: about["detail"]["result"].update(final_action="go"), "is none"),
        (lambda about: about["detail"].clear(), "cannot be read"),
        (lambda about: about["detail"]["result"].update(result={}), "cannot be read"),
        (lambda about: about["detail"]["result"].update(final_action_reason="mood"), "reason that is not known"),
    ],
)
def test_a_verdict_that_is_none_is_no_pass(change: Any, words: str) -> None:
    answer = body("008")
    change(answer[0][ROOT][TAG][0])
    with pytest.raises(AnchoreError, match=words):
        wire.check_v1(answer, ROOT, TAG)
    with pytest.raises(AnchoreError):
        wire.check_v1([], ROOT, TAG)


def test_a_pass_with_a_finding_that_stops_is_none() -> None:
    answer = body("008")
    about = answer[0][ROOT][TAG][0]
    about["status"] = "pass"
    about["detail"]["result"]["final_action"] = "warn"
    with pytest.raises(AnchoreError, match="with a finding that stops it"):
        wire.check_v1(answer, ROOT, TAG)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("002", "image data not found in DB"),
        ("005", "image is not analyzed - analysis_status: not_analyzed"),
        ("052", "Rule validation error (gate=dockerfile,trigger=effective_user"),
        ("053", "REGISTRY_IMAGE_NOT_FOUND"),
        ("055", "analysis_status: analysis_failed"),
        ("072", "'not base64!' does not match"),
        ("070", "Unauthorized"),
    ],
)
def test_errors_are_told_in_the_servers_words(number: str, words: str) -> None:
    assert words in in_words(json.dumps(body(number)).encode())


class Replay:
    """A session that answers from the recordings."""

    host = "replay"

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def get(self, path: str, query: dict[str, Any] | None = None) -> Any:
        return self.send("GET", path, query)

    def send(self, method: str, path: str, query: dict[str, Any] | None = None, body: Any = None) -> Any:
        self.sent.append((method, path))
        for file in sorted(EXCHANGES.glob("*.json"), reverse=True):
            recorded = json.loads(file.read_text())
            asked = recorded["request"]["path"].partition("?")[0]
            if (recorded["request"]["method"], asked) == (method, f"/v1{path}") and recorded["response"][
                "status"
            ] == 200:
                return recorded["response"]["body"]
        raise AssertionError(f"{method} {path} is not recorded")


def test_the_client_reads_all_that_was_recorded() -> None:
    client = AnchoreClient(Replay(), "v1")  # type: ignore[arg-type]
    assert client.version().service == "1.1.0"
    assert all(service.up for service in client.services())
    assert len(client.images()) == 4
    assert {package["package"] for package in client.content(ROOT, "python")} >= {"django", "requests"}
    assert all(each.id for each in client.vulnerabilities(ROOT).vulnerabilities)
    assert [policy.active for policy in client.policies()] == [True]
    found = client.policy("2c53a13c-1765-11e8-82ef-23527761d060")
    assert found
    assert found.document["version"] == "1_0"
    assert ("debian:12", 10) in [(feed.group, feed.records) for feed in client.feeds()]
    assert all(feed.synced_at for feed in client.feeds())
    assert client.registries() == (ServerRegistry("127.0.0.1:15301", "x", verify=False),)
    assert {each.kind for each in client.subscriptions()} == {"policy_eval"}
    events = list(client.events())
    assert len(events) == 5, "the recording was cut"
    assert all(event.at and event.kind for event in events)
    assert client.archived() == ()


def test_an_unfinished_image_is_no_verdict() -> None:
    assert exchange("005")["response"]["status"] == 404


def test_vulnerabilities_are_read() -> None:
    (found,) = map(wire.vulnerability, body("037")["vulnerabilities"])
    assert (found.id, found.package.name, found.package.version, found.fix) == (
        "CVE-2023-0286", "libcrypto3", "3.0.7-r0", "3.0.8-r0",
    )  # fmt: skip
    assert (found.severity.value, found.package.type.value, found.package.path) == ("High", "APKG", "")


def test_the_report_has_the_shape_of_the_engines_own_table() -> None:
    recorded = body("008")[0][ROOT][TAG][0]["detail"]["result"]
    check = wire.check_v1(body("008"), ROOT, TAG)
    evaluation = Evaluation(
        digest=ROOT, tag=TAG, policy_id="p", policy_digest=ROOT, final_action=check.final_action, reason=check.reason,
        mapping="default", findings=check.findings, evaluated_at=datetime.now(UTC),
    )  # fmt: skip
    image_id = recorded["image_id"]
    context = Context(image_ids={ROOT: Digest(f"sha256:{image_id}")}, anchore_api="v1")
    document = json.loads(render([evaluation], context)["anchore_gates.json"])
    assert document == {image_id: recorded["result"][image_id]}
