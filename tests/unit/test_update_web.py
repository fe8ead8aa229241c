"""Fetching one file, from servers that are busy, cut connections, moved, or give what was not asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagegate.errors import (
    AdvisoryError,
    AuthenticationFailed,
    ConfigError,
    ImagegateError,
    LimitExceeded,
    NetworkError,
)
from imagegate.http.client import HttpClient
from imagegate.progress import NoProgress
from imagegate.settings import Advisories, Host, Http
from imagegate.vulnerability.update.catalogue import SOURCES
from imagegate.vulnerability.update.login import MirrorCredentials
from imagegate.vulnerability.update.origin import Folder, NotThere, local
from imagegate.vulnerability.update.place import origins
from imagegate.vulnerability.update.web import Web
from tests.fakes.mirror import Fault, Mirror, body, cut, redirect, serve, slow, status

DATA = bytes(range(256)) * 4000
PLAIN = Host(plain_http=True)
QUICK = Http(connect_timeout=2, read_timeout=2, budget=4, retries=2)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with serve() as mirror:
        mirror.files["folder/data file.bin"] = DATA
        yield mirror


def web(mirror: Mirror, *, budget: float = 30) -> Web:
    http = HttpClient(QUICK, {mirror.host: PLAIN}, MirrorCredentials({"HOME": "/nowhere"}))
    return Web(f"{mirror.url}folder/", http, PLAIN, budget=budget, progress=NoProgress())


def fetch(mirror: Mirror, place: Path, *, limit: int = 10**8) -> bytes:
    copy = web(mirror).fetch("data file.bin", place, None, limit=limit)
    assert copy
    assert copy.stamp.sha256 == hashlib.sha256(copy.path.read_bytes()).hexdigest()
    return copy.path.read_bytes()


def test_what_is_known_is_not_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    copy = web(mirror).fetch("data file.bin", tmp_path / "a" / "x", None, limit=10**8)
    assert copy
    assert web(mirror).fetch("data file.bin", tmp_path / "b" / "x", copy.stamp, limit=10**8) is None
    assert [seen.status for seen in mirror.requests] == [200, 304]


def test_the_same_content_without_validators_is_no_news(mirror: Mirror, tmp_path: Path) -> None:
    mirror.validators = False
    copy = web(mirror).fetch("data file.bin", tmp_path / "x", None, limit=10**8)
    assert copy
    assert web(mirror).fetch("data file.bin", tmp_path / "y", copy.stamp, limit=10**8) is None


def test_a_copy_that_was_never_merged_is_used_without_fetching_it_again(mirror: Mirror, tmp_path: Path) -> None:
    assert fetch(mirror, tmp_path / "x") == DATA
    assert fetch(mirror, tmp_path / "x") == DATA
    assert [seen.status for seen in mirror.requests] == [200, 304]


def test_a_copy_that_was_damaged_on_disk_is_fetched_again(mirror: Mirror, tmp_path: Path) -> None:
    fetch(mirror, tmp_path / "x")
    (tmp_path / "x").write_bytes(b"damaged")
    assert fetch(mirror, tmp_path / "x") == DATA


def test_a_download_that_breaks_off_continues_where_it_was(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail("folder/data file.bin", cut(300_000), cut(300_000))
    assert fetch(mirror, tmp_path / "x") == DATA
    asked = [seen.headers.get("Range") for seen in mirror.requests]
    assert asked[0] is None
    assert all(each and each > "bytes=0" for each in asked[1:])
    assert [seen.status for seen in mirror.requests] == [200, 206, 206]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x", "x.stamp"]


def test_the_next_run_continues_too(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail("folder/data file.bin", cut(600_000))
    with pytest.raises(NetworkError, match="broke off"):
        web(mirror, budget=0).fetch("data file.bin", tmp_path / "x", None, limit=10**8)
    assert fetch(mirror, tmp_path / "x") == DATA
    assert [seen.status for seen in mirror.requests] == [200, 206]


def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail("folder/data file.bin", cut(600_000))
    with pytest.raises(NetworkError):
        web(mirror, budget=0).fetch("data file.bin", tmp_path / "x", None, limit=10**8)
    mirror.files["folder/data file.bin"] = DATA[::-1]
    assert fetch(mirror, tmp_path / "x") == DATA[::-1]


def test_without_validators_nothing_is_continued(mirror: Mirror, tmp_path: Path) -> None:
    mirror.validators = False
    mirror.fail("folder/data file.bin", cut(600_000))
    assert fetch(mirror, tmp_path / "x") == DATA
    assert [seen.headers.get("Range") for seen in mirror.requests] == [None, None]


def test_a_server_without_ranges_is_given_time_but_not_without_end(mirror: Mirror, tmp_path: Path) -> None:
    mirror.validators = False
    mirror.fail("folder/data file.bin", *[cut(1000)] * 50)
    with pytest.raises(NetworkError, match="broke off"):
        web(mirror, budget=3).fetch("data file.bin", tmp_path / "x", None, limit=10**8)
    assert len(mirror.requests) < 12


def test_a_file_takes_no_more_than_its_time(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail("folder/data file.bin", *[slow(0.2)] * 9)
    with pytest.raises(NetworkError, match="time for one file is over"):
        web(mirror, budget=0.5).fetch("data file.bin", tmp_path / "x", None, limit=10**8)


def test_busy_servers_are_asked_again(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail("folder/data file.bin", status(503, Retry_After="0"), status(429, Retry_After="0"))
    assert fetch(mirror, tmp_path / "x") == DATA


def test_redirects_are_followed(mirror: Mirror, tmp_path: Path) -> None:
    mirror.fail("folder/data file.bin", redirect("/elsewhere"))
    mirror.files["elsewhere"] = b"moved"
    assert fetch(mirror, tmp_path / "x") == b"moved"


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        (status(404), NotThere, "has no /folder/data%20file.bin"),
        (status(403), AuthenticationFailed, "403"),
        (status(500), NetworkError, "500"),
        (status(418), AdvisoryError, "418"),
        (status(304), AdvisoryError, "304"),
        (status(416), AdvisoryError, "416"),
        (body(b"x", Content_Encoding="gzip"), AdvisoryError, "encoded"),
        (body(b"x", Content_Length="200000000"), LimitExceeded, "200000000 bytes"),
    ],
)
def test_what_goes_wrong_is_told(
    mirror: Mirror, tmp_path: Path, fault: Fault, error: type[ImagegateError], words: str
) -> None:
    mirror.fail("folder/data file.bin", *[fault] * 9)
    with pytest.raises(error, match=words.replace("%", "%")):
        fetch(mirror, tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_more_than_the_limit_is_not_written(mirror: Mirror, tmp_path: Path) -> None:
    def endless(handler: object, data: bytes) -> None:
        handler.head(200, {"Connection": "close"})  # type: ignore[attr-defined]
        for _ in range(100):
            handler.wfile.write(data)  # type: ignore[attr-defined]
        handler.close_connection = True  # type: ignore[attr-defined]

    mirror.fail("folder/data file.bin", endless)
    with pytest.raises(LimitExceeded):
        fetch(mirror, tmp_path / "x", limit=2_000_000)
    assert list(tmp_path.iterdir()) == []


def test_a_mirror_with_a_login_is_given_that_of_netrc(mirror: Mirror, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login reader password secret-of-the-test\n")
    netrc.chmod(0o600)
    http = HttpClient(QUICK, {mirror.host: PLAIN}, MirrorCredentials({"NETRC": str(netrc)}))
    mirror.fail("folder/data file.bin", status(401, WWW_Authenticate='Basic realm="mirror"'))
    folder = Web(f"{mirror.url}folder/", http, PLAIN, budget=9, progress=NoProgress())
    assert folder.fetch("data file.bin", tmp_path / "x", None, limit=10**8)
    assert [seen.headers.get("Authorization", "")[:5] for seen in mirror.requests] == ["", "Basic"]


def test_a_netrc_that_cannot_be_read_does_not_show_what_is_in_it(tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine example.com lgin reader password secret-of-the-test\n")
    with pytest.raises(AuthenticationFailed) as caught:
        MirrorCredentials({"NETRC": str(netrc)}).login("example.com")
    assert "secret-of-the-test" not in str(caught.value)


def test_folders_are_the_links_of_a_page(mirror: Mirror) -> None:
    page = (
        b'<a href="/">up</a><a href="../">..</a><a href="v3.20/">b</a><A HREF=edge>e</A><a href="/folder/v3.9/">z</a>'
    )
    mirror.files["folder/"] = page + b'<a href="http://other.example/v1/">o</a><a href="v3.20/main.json">deep</a>'
    assert {"edge", "v3.20", "v3.9"} <= set(web(mirror).folders())
    assert "main.json" not in web(mirror).folders()


def test_a_directory_tells_by_size_and_time_and_then_by_content(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"one")
    folder = Folder(tmp_path, "")
    copy = folder.fetch("x", tmp_path, None, limit=9)
    assert copy
    assert folder.fetch("x", tmp_path, copy.stamp, limit=9) is None
    (tmp_path / "x").touch()
    assert folder.fetch("x", tmp_path, copy.stamp, limit=9) is None
    (tmp_path / "x").write_bytes(b"two")
    assert folder.fetch("x", tmp_path, copy.stamp, limit=9)
    with pytest.raises(LimitExceeded):
        folder.fetch("x", tmp_path, None, limit=2)
    with pytest.raises(NotThere):
        folder.fetch("y", tmp_path, None, limit=9)


def test_a_place_is_a_url_or_an_absolute_path(tmp_path: Path) -> None:
    assert local("https://mirror.example/osv", "key") is None
    assert local(f"file://{tmp_path}", "key") == tmp_path
    for wrong in ("mirror/osv", "ftp://mirror.example/", "https://user:secret@mirror.example/"):
        with pytest.raises(ConfigError) as caught:
            local(wrong, "advisories.urls.osv")
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("https://m.example/kev/", "https://m.example/kev/known_exploited_vulnerabilities.json"),
        ("https://m.example/k", ""),
    ],
)
def test_a_mirror_is_a_folder_or_the_file(place: str, expected: str) -> None:
    settings = Advisories(urls={"kev": place})
    assert origins(settings, {}, HttpClient(QUICK, {}), NoProgress())(SOURCES["kev"]).url == (expected or place)


@pytest.mark.parametrize("urls", [{"kev": "http://m.example/kev/"}, {"osv/PyPI": "https://m.example/"}])
def test_wrong_mirrors_are_refused(urls: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        origins(Advisories(urls=urls), {}, HttpClient(QUICK, {}), NoProgress())(SOURCES["kev"])
