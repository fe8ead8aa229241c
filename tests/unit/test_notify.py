"""Telling the teams: once, on change, by mail, Slack and webhooks that fail."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from imagegate.errors import ConfigError
from imagegate.inventory import outbox, tables
from imagegate.model.news import Message
from imagegate.notify.secret import ALL, Secret, find
from imagegate.notify.webhook import signature, slack_blocks
from lab.pki import Pki
from tests.fakes.inbox import PostOffice, Webhook, post_office, webhook
from tests.unit.rechecks import HIGH, LOW, TEXT, Site
from tests.unit.test_inventory import advisory, deb

TEAMS = """
teams:
  payments:
    owners: [ann@example.com, bob, carl@example.com]
    repositories: [{name: api, images: [{to: payments/api}]}]
  search:
    owners: [dora]
    repositories: [{name: web, images: [{to: search/web}]}]
"""
NEWS: dict[str, Any] = {"message": Message("a", "imagegate: <b> & more", "## title\n\ntext", "<p>", "{}")}


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as served:
        yield served


@pytest.fixture
def office() -> Iterator[PostOffice]:
    with post_office() as served:
        yield served


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    site.know(advisory("CVE-2026-0001", "zlib"))
    for team in ("payments", "search"):
        for number in range(2):
            digest = f"sha256:{team}{number}"
            site.promote(f"{team}/{number}", deb("zlib"), deb("openssl"), digest=digest, team=team, policy=TEXT)
    (tmp_path / "teams.yaml").write_text(TEAMS)
    site.settings["http"] = {"retries": 2, "budget": 2.0, "read_timeout": 1.0, "connect_timeout": 1.0}
    yield site
    site.inventory.engine.dispose()


def by_webhook(site: Site, hook: Webhook, **more: Any) -> None:
    site.settings["hosts"] = {hook.host: {"plain_http": True}}
    site.settings["notify"] = {"channels": {"chat": {"kind": "webhook", "url": hook.url, **more}}}


def by_mail(site: Site, office: PostOffice, **more: Any) -> None:
    channel = {"kind": "email", "server": office.host, "tls": "none", "sender": "gate@example.com", **more}
    site.settings["notify"] = {"teams": str(site.directory / "teams.yaml"), "channels": {"mail": channel}}


def learn(site: Site, number: int = 2, **fields: Any) -> None:
    site.know(advisory(f"CVE-2026-{number:04}", "openssl", f"{number}.0-1", **(fields or HIGH)))


def states(site: Site) -> list[tuple[str, int]]:
    with site.inventory.reading() as connection:
        rows = connection.execute(select(tables.notice.c.state, tables.notice.c.attempts).order_by(tables.notice.c.id))
        return [(state, attempts) for state, attempts in rows]


def test_one_message_a_team_and_nothing_without_a_change(site: Site, hook: Webhook) -> None:
    by_webhook(site, hook)
    site.run("recheck")
    assert hook.posts == []
    learn(site)
    learn(site, 3)
    assert site.run("recheck")[0] == 1
    assert [post.document["team"] for post in hook.posts] == ["payments", "search"]
    news = hook.posts[0].document["news"]
    assert {each["vulnerability"] for each in news["changes"]} == {"CVE-2026-0002", "CVE-2026-0003"}
    assert [image["repository"].split("/")[1] for image in news["images"]] == ["payments", "payments"]
    assert news["upgrades"][0]["to"] == "3.0-1"
    site.run("recheck")
    site.run("recheck", "notify")
    assert len(hook.posts) == 2


def test_a_finding_that_changed_is_told_again(site: Site, hook: Webhook) -> None:
    by_webhook(site, hook, teams=["payments"])
    learn(site, **HIGH)
    site.run("recheck")
    site.know(advisory("CVE-2026-0002", "openssl", "2.0-1", day=5, database_specific={"severity": "CRITICAL"}))
    site.run("recheck")
    kinds = [[each["kind"] for each in post.document["news"]["changes"]] for post in hook.posts]
    assert kinds == [["new"], ["severity"]]


def test_what_is_below_the_threshold_is_not_told(site: Site, hook: Webhook) -> None:
    by_webhook(site, hook)
    learn(site, **LOW)
    site.run("recheck")
    assert hook.posts == []
    site.settings["notify"]["threshold"] = ["low"]
    site.run("recheck", "notify")
    assert hook.posts == []
    learn(site, 3, **LOW)
    site.run("recheck")
    assert len(hook.posts) == 2


def test_a_digest_gathers_what_runs_find_in_a_day(site: Site, hook: Webhook) -> None:
    by_webhook(site, hook, teams=["payments"])
    site.settings["notify"]["digest"] = "daily"
    learn(site)
    site.run("recheck")
    learn(site, 3)
    assert site.run("recheck")[0] == 1
    learn(site, 4)
    site.run("recheck")
    assert len(hook.posts) == 1
    with site.inventory.transaction() as connection:
        connection.execute(update(tables.batch).values(at=tables.batch.c.at - 86400))
    site.run("recheck")
    found = {each["vulnerability"] for each in hook.posts[1].document["news"]["changes"]}
    assert found == {"CVE-2026-0003", "CVE-2026-0004"}


def test_a_dry_run_sends_and_notes_nothing(site: Site, hook: Webhook, capsys: pytest.CaptureFixture[str]) -> None:
    by_webhook(site, hook)
    learn(site)
    site.run("recheck", "--shard", "1/1")
    code, _ = site.run("recheck", "notify", "--dry-run")
    told = capsys.readouterr().out
    assert (code, hook.posts, states(site)) == (0, [], [])
    assert "--- chat: payments" in told
    assert "CVE-2026-0002" in told
    site.run("recheck", "notify")
    assert len(hook.posts) == 2


@pytest.mark.parametrize("fault", ["503", "reset", "429"])
def test_a_webhook_that_fails_is_tried_again_with_the_same_key(site: Site, hook: Webhook, fault: str) -> None:
    by_webhook(site, hook, teams=["payments"])
    hook.faults = [fault]
    learn(site)
    assert site.run("recheck")[0] == 1
    assert len(hook.posts) == 2
    assert len({post.key for post in hook.posts}) == 1
    assert states(site) == [("sent", 1)]


def test_a_slow_webhook_keeps_nobody_for_long(site: Site, hook: Webhook) -> None:
    by_webhook(site, hook, teams=["payments"])
    site.settings["http"] |= {"retries": 0, "read_timeout": 0.3}
    hook.faults, hook.seconds = ["slow"], 1.0
    learn(site)
    assert site.run("recheck")[0] == 2
    assert states(site) == [("pending", 1)]


def test_what_could_not_be_sent_is_sent_by_the_next_run(site: Site, hook: Webhook) -> None:
    by_webhook(site, hook)
    hook.faults = ["404"]
    learn(site)
    assert site.run("recheck")[0] == 2
    assert states(site) == [("pending", 1), ("sent", 1)]
    assert site.run("recheck")[0] == 0
    assert states(site) == [("sent", 2), ("sent", 1)]
    assert hook.posts[0].key == hook.posts[2].key != hook.posts[1].key


def test_who_cannot_be_told_is_given_up_and_can_be_tried_again(site: Site, hook: Webhook) -> None:
    by_webhook(site, hook, teams=["payments"])
    learn(site)
    hook.faults = ["400"] * outbox.MOST
    site.run("recheck")
    for _ in range(outbox.MOST - 1):
        assert site.run("recheck", "notify")[0] == 2
    assert states(site) == [("failed", outbox.MOST)]
    code, told = site.run("recheck", "notify", "--json")
    assert (code, told["given_up"]) == (0, 1)
    hook.faults = []
    assert site.run("recheck", "notify", "--again")[0] == 0
    assert states(site) == [("sent", 1)]


def test_the_body_is_signed_with_the_channels_secret(site: Site, hook: Webhook) -> None:
    by_webhook(site, hook)
    learn(site)
    site.run("recheck", IMAGEGATE_NOTIFY_CHAT_SECRET="s3cret")
    post = hook.posts[0]
    signed = post.headers["Imagegate-Timestamp"].encode() + b"." + post.body
    expected = "v1=" + hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
    assert (
        post.headers["Imagegate-Signature"] == expected == signature(Secret("s3cret"), signed[:10].decode(), post.body)
    )


def test_slacks_url_is_a_secret_that_no_error_tells(site: Site, hook: Webhook) -> None:
    by_webhook(site, hook)
    site.settings["notify"]["channels"] = {"my-chat": {"kind": "slack"}}
    learn(site)
    code, _ = site.run("recheck", IMAGEGATE_NOTIFY_MY_CHAT_WEBHOOK=f"http://{hook.host}/T0/s3cret")
    assert code == 1
    assert hook.posts[0].path == "/T0/s3cret"
    assert "CVE-2026-0002" in json.dumps(hook.posts[0].document["blocks"])
    hook.faults = ["500"] * 20
    learn(site, 3)
    site.run("recheck", "--shard", "1/1")
    code, told = site.run(
        "recheck", "notify", "--json", IMAGEGATE_NOTIFY_MY_CHAT_WEBHOOK=f"http://{hook.host}/T0/s3cret"
    )
    assert code == 2
    assert "s3cret" not in json.dumps(told)


def test_slack_is_given_text_that_is_no_markup() -> None:
    blocks = json.loads(slack_blocks(NEWS["message"]))
    assert blocks["text"] == "imagegate: &lt;b&gt; &amp; more"
    assert {each["text"]["type"] for each in blocks["blocks"]} == {"plain_text"}
    long = Message("a", "s", "## t\n" + "a line\n" * 2000, "", "")
    assert all(len(each["text"]["text"]) <= 3000 for each in json.loads(slack_blocks(long))["blocks"])


@pytest.mark.parametrize(
    "channel",
    [{"kind": "slack"}, {"kind": "webhook", "url": "http://example.com/x"}, {"kind": "email", "server": "x:25"}],
)
def test_a_channel_that_cannot_work_is_an_error_keeps_no_other_from_it_and_what_it_has_to_tell_waits(
    site: Site, hook: Webhook, channel: dict[str, Any]
) -> None:
    by_webhook(site, hook)
    site.settings["notify"]["channels"]["broken"] = channel
    learn(site)
    assert site.run("recheck")[0] == 2
    assert len(hook.posts) == 2
    assert sorted(states(site)) == [("pending", 0), ("pending", 0), ("sent", 1), ("sent", 1)]
    assert site.run("recheck", "notify", "--dry-run")[0] == 2
    site.settings["notify"]["channels"]["broken"] = {"kind": "webhook", "url": hook.url}
    assert site.run("recheck", "notify")[0] == 0
    assert len(hook.posts) == 4


def test_messages_of_a_channel_that_is_no_more_are_given_up_at_once(
    site: Site, hook: Webhook, capsys: pytest.CaptureFixture[str]
) -> None:
    by_webhook(site, hook)
    hook.faults = ["400"] * 2
    learn(site)
    assert site.run("recheck")[0] == 2
    site.settings["notify"] = {"channels": {}}
    assert site.run("recheck", "notify")[0] == 0
    assert "2 messages are given up" in capsys.readouterr().err
    assert states(site) == [("failed", 1), ("failed", 1)]


def test_a_dry_run_shows_nothing_that_a_digest_would_hold_back(site: Site, hook: Webhook) -> None:
    by_webhook(site, hook)
    site.settings["notify"]["digest"] = "daily"
    learn(site)
    site.run("recheck")
    learn(site, 3)
    site.run("recheck")
    assert site.run("recheck", "notify", "--dry-run")[1]["waiting"] == []
    assert site.run("recheck", "notify")[1]["sent"] == 0


def test_a_team_cannot_write_lines_of_its_own(site: Site, hook: Webhook, capsys: pytest.CaptureFixture[str]) -> None:
    site.promote("evil", deb("bash"), team="a\nX-Evil: 1", policy=TEXT)
    by_webhook(site, hook)
    hook.faults = ["400"]
    site.know(advisory("CVE-2026-0002", "bash", **HIGH))
    assert site.run("recheck")[0] == 2
    assert not any(text.startswith("X-Evil") for text in capsys.readouterr().err.splitlines())


def test_a_mail_goes_to_the_teams_owners_or_to_the_channels_own(site: Site, office: PostOffice) -> None:
    by_mail(site, office, to=["platform@example.com"])
    learn(site)
    assert site.run("recheck")[0] == 1
    assert office.recipients == [["ann@example.com", "carl@example.com"], ["platform@example.com"]]
    mail = office.mails[0]
    assert (
        mail["Subject"] == "imagegate: payments: 1 new or changed vulnerability in 2 images; 2 would be stopped today"
    )
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]  # type: ignore[attr-defined]
    assert "CVE-2026-0002" in mail.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
    with site.inventory.reading() as connection:
        keys = list(connection.execute(select(tables.notice.c.key).order_by(tables.notice.c.id)).scalars())
    assert [each["Message-ID"] for each in office.mails] == [f"<{key}@example.com>" for key in keys]


@pytest.mark.parametrize("starttls", [True, False])
def test_a_mail_goes_encrypted_and_with_a_login(site: Site, tmp_path: Path, starttls: bool) -> None:
    pki = Pki(tmp_path / "pki")
    with post_office(pki.issue("mail"), starttls=starttls, login=("gate", "a secret")) as office:
        by_mail(site, office, teams=["payments"], user="gate", tls="starttls" if starttls else "tls")
        site.settings["hosts"] = {office.host: {"ca_file": str(pki.ca_file)}}
        learn(site)
        assert site.run("recheck", IMAGEGATE_NOTIFY_MAIL_PASSWORD="a secret")[0] == 1
        assert office.recipients == [["ann@example.com", "carl@example.com"]]
        assert office.came == ["gate"]


def test_a_login_that_is_refused_is_told_without_the_password_and_sent_later(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pki = Pki(tmp_path / "pki")
    with post_office(pki.issue("mail"), login=("gate", "a secret")) as office:
        by_mail(site, office, teams=["payments"], user="gate", tls="starttls")
        site.settings["hosts"] = {office.host: {"ca_file": str(pki.ca_file)}}
        learn(site)
        assert site.run("recheck", IMAGEGATE_NOTIFY_MAIL_PASSWORD="a slip")[0] == 2
        said = capsys.readouterr()
        assert "535" in said.err
        assert "a slip" not in said.out + said.err
        assert office.mails == []
        assert site.run("recheck", "notify", IMAGEGATE_NOTIFY_MAIL_PASSWORD="a secret")[0] == 0
        assert len(office.mails) == 1


def test_a_mail_server_whose_certificate_nobody_vouches_for_gets_neither_login_nor_mail(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with post_office(Pki(tmp_path / "pki").issue("mail"), login=("gate", "a secret")) as office:
        by_mail(site, office, teams=["payments"], user="gate", tls="starttls")
        learn(site)
        assert site.run("recheck", IMAGEGATE_NOTIFY_MAIL_PASSWORD="a secret")[0] == 2
        assert "certificate" in capsys.readouterr().err
        assert office.mails == []


def test_an_image_whose_record_names_no_team_is_its_whom_the_teams_file_says(site: Site, office: PostOffice) -> None:
    by_mail(site, office)
    site.settings["trusted"] = {"registry": "registry.example.com"}
    site.promote("payments/api", deb("bash"), digest="sha256:api", policy=TEXT)
    site.know(advisory("CVE-2026-0002", "bash", **HIGH))
    code, news = site.run("recheck", "--full")
    assert code == 1
    assert [image.team for image in news.images] == ["payments"]
    assert {each.team: each.images for each in news.standing.teams} == {"payments": 3, "search": 2}
    assert office.recipients == [["ann@example.com", "carl@example.com"]]


def test_a_teams_name_writes_no_header_and_no_body(site: Site, office: PostOffice) -> None:
    by_mail(site, office, to=["all@example.com"], owners=False)
    words = "=?utf-8?q?x=0aFrom:_ceo@example.com=0aBcc:_all@example.org=0aContent-Type:_text/html=0a=0a<a>log_in</a>?="
    site.promote("evil", deb("bash"), team=words, policy=TEXT)
    site.know(advisory("CVE-2026-0002", "bash", **HIGH))
    assert site.run("recheck")[0] == 1
    mail = office.mails[0]
    assert mail["From"] == "gate@example.com"
    assert mail["Bcc"] is None
    assert mail.get_content_type() == "multipart/alternative"
    assert mail["Subject"].startswith("imagegate: = ?utf-8?q?x=0aFrom")


def test_a_team_that_nobody_answers_for_is_told_as_an_error(site: Site, office: PostOffice) -> None:
    by_mail(site, office)
    learn(site)
    assert site.run("recheck")[0] == 2
    assert states(site) == [("sent", 1), ("pending", 1)]


def test_a_mail_server_that_refuses_is_asked_again_by_the_next_run(site: Site, office: PostOffice) -> None:
    by_mail(site, office, teams=["payments"], owners=False, to=["gone@example.com"])
    office.refuses = {"gone@example.com"}
    learn(site)
    assert site.run("recheck")[0] == 2
    office.refuses = set()
    assert site.run("recheck", "notify")[0] == 0
    assert len(office.mails) == 1


def test_a_password_is_not_sent_readable(site: Site, office: PostOffice, capsys: pytest.CaptureFixture[str]) -> None:
    by_mail(site, office, user="gate", to=["x@example.com"])
    learn(site)
    assert site.run("recheck", IMAGEGATE_NOTIFY_MAIL_PASSWORD="s3cret")[0] == 2
    assert "readable" in capsys.readouterr().err
    assert office.mails == []


def test_two_that_tell_at_once_tell_different_things(site: Site) -> None:
    learn(site)
    site.run("recheck", "--shard", "1/1")
    message = Message("a", "s", "m", "h", "{}")
    with site.inventory.transaction() as connection:
        batch = outbox.take(connection, 1.0)
        assert batch is not None
        outbox.write(connection, batch, [("one", message), ("one", message)], 1.0)
    with site.inventory.transaction() as connection:
        assert outbox.take(connection, 2.0) is None
    first = outbox.next_notice(site.inventory, 3.0, 60.0, (), ("one",))
    second = outbox.next_notice(site.inventory, 3.0, 60.0, (), ("one",))
    assert first
    assert second
    assert first.key != second.key
    assert outbox.next_notice(site.inventory, 3.0, 60.0, (), ("one",)) is None


def test_a_notice_whose_sender_died_is_sent_again_under_its_key_and_no_sooner(site: Site) -> None:
    learn(site)
    site.run("recheck", "--shard", "1/1")
    with site.inventory.transaction() as connection:
        batch = outbox.take(connection, 1.0)
        assert batch is not None
        outbox.write(connection, batch, [("one", Message("a", "s", "m", "h", "{}"))], 1.0)
    dead = outbox.next_notice(site.inventory, 10.0, 60.0, (), ("one",))
    assert dead
    assert outbox.next_notice(site.inventory, 69.0, 60.0, (), ("one",)) is None
    again = outbox.next_notice(site.inventory, 71.0, 60.0, (), ("one",))
    assert again
    assert again.key == dead.key
    outbox.sent(site.inventory, again, 72.0)
    outbox.not_sent(site.inventory, dead, 73.0, "was slow")
    assert states(site) == [("sent", 2)]


def test_secrets_of_all_channels_can_be_in_one_file(tmp_path: Path) -> None:
    file = tmp_path / "secrets"
    file.write_text("# a comment\n\nIMAGEGATE_NOTIFY_CHAT_WEBHOOK=https://x/y?a=b\r\nIMAGEGATE_NOTIFY_A_SECRET = s\n")
    environ = {ALL: str(file), "IMAGEGATE_NOTIFY_A_PASSWORD": "own"}
    assert find("chat", "WEBHOOK", environ).reveal() == "https://x/y?a=b"
    assert find("a", "SECRET", environ).reveal() == "s"
    assert find("a", "PASSWORD", environ).reveal() == "own"
    assert not find("b", "SECRET", environ)
    with pytest.raises(ConfigError, match=f"the file that {ALL} names cannot be read"):
        find("chat", "WEBHOOK", {ALL: str(tmp_path / "none")})
