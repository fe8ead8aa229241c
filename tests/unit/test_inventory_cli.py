"""The inventory's verbs by the command: whose images, what is unknown, names that are hostile, and what went wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from imagegate.inventory.retention import let_go
from imagegate.inventory.selection import named, numbers
from tests.unit.inventories import LOG4J, deb, npm
from tests.unit.rechecks import Site
from tests.unit.test_inventory import advisory

REGISTRY = "registry.example.com"
TEAMS = """\
library: v0.1.0
teams:
  payments:
    owners: [payments@example.com]
    repositories:
      - name: payments/api
        url: https://git.example.com/payments/api.git
        images: [{to: registry.example.com/payments/api}]
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    site.know(advisory("CVE-2026-0001", "zlib"), advisory("GHSA-0", "npm-none"))
    yield site
    site.inventory.engine.dispose()


def with_teams(site: Site) -> Site:
    file = site.directory / "teams.yaml"
    file.write_text(TEAMS)
    site.settings["notify"] = {"teams": str(file)}
    site.promote("payments/api", npm("a"))
    site.promote("payments/own", npm("a"), team="payments")
    site.promote("shop/web", npm("a"), team="shop")
    return site


def repositories(site: Site, *words: str) -> list[tuple[str, str]]:
    """Return (repository, team) of what a list or a query says."""
    _, document = site.run(*words, "--json")
    if isinstance(document, dict):
        return [(each["repository"].removeprefix(f"{REGISTRY}/"), each["team"]) for each in document["promotions"]]
    return [(each.repository.removeprefix(f"{REGISTRY}/"), each.team) for each in document.hits]


@pytest.mark.parametrize("words", [("inventory", "list"), ("query", "package", "a")])
def test_an_image_whose_record_names_no_team_is_of_whom_the_teams_file_says(site: Site, words: tuple[str, ...]) -> None:
    with_teams(site)
    mine = [("payments/api", "payments"), ("payments/own", "payments")]
    assert repositories(site, *words, "--team", "payments") == mine
    assert repositories(site, *words) == [*mine, ("shop/web", "shop")]
    assert repositories(site, *words, "--team", "shop") == [("shop/web", "shop")]


@pytest.mark.parametrize("words", [("inventory", "list"), ("query", "package", "a"), ("query", "cve", "CVE-2026-0001")])
def test_a_team_that_nobody_knows_is_told(
    site: Site, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with_teams(site)
    assert site.run(*words, "--team", "paymnets")[0] == 0
    assert "note: no image, and no entry of the teams file, is of team paymnets\n" in capsys.readouterr().err
    site.run(*words, "--team", "payments")
    assert "no entry of the teams file" not in capsys.readouterr().err


def test_a_teams_file_that_cannot_be_read_keeps_no_question_from_its_answer(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    with_teams(site)
    site.settings["notify"]["teams"] = str(site.directory / "none.yaml")
    assert site.run("query", "package", "a")[0] == 0
    assert "note: teams are those of the records only" in capsys.readouterr().err
    assert site.run("query", "package", "a", "--team", "payments")[0] == 2


def test_what_there_are_no_advisories_on_is_told_where_nothing_is_found(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.promote("pay", LOG4J)
    site.promote("shop", npm("a"))
    note = "the advisory database has nothing on Maven: no finding is no evidence"
    _, answer = site.run("query", "cve", "CVE-2021-44228")
    assert (answer.images, note in answer.notes) == (0, True)
    assert f"note: {note}\n" in capsys.readouterr().err
    assert note in site.run("query", "image", f"{REGISTRY}/pay")[1].notes
    assert not any("nothing on" in each for each in site.run("query", "image", f"{REGISTRY}/shop")[1].notes)
    site.settings["advisories"]["database"] = str(site.directory / "none.sqlite")
    assert any("no advisory database here" in each for each in site.run("query", "cve", "CVE-2021-44228")[1].notes)
    site.settings["scanner"] = "anchore"
    assert site.run("query", "cve", "CVE-2021-44228")[1].notes == ()


def test_what_left_is_listed_by_its_name(site: Site) -> None:
    site.promote("pay", npm("a"))
    with site.inventory.reading() as connection:
        gone = numbers(connection, named(f"{REGISTRY}/pay"))
    let_go(site.inventory, gone, 1.0)
    assert repositories(site, "inventory", "list", f"{REGISTRY}/pay") == []
    assert repositories(site, "inventory", "list", f"{REGISTRY}/pay", "--retired") == [("pay", "")]


@pytest.mark.parametrize("text", ["pay/api", "pay/api:1.0", "pay/api@sha256:" + "a" * 64])
def test_a_name_without_a_registry_is_of_the_trusted_one(site: Site, text: str) -> None:
    site.settings["trusted"] = {"registry": REGISTRY}
    site.promote("pay/api", npm("a"), digest="sha256:" + "a" * 64)
    assert repositories(site, "inventory", "list", text) == [("pay/api", "")]
    assert site.run("query", "image", text)[0] == 0
    assert site.run("query", "image", f"docker.io/{text}")[0] == 2


@pytest.mark.parametrize(
    "words", [("inventory", "list"), ("query", "package", "a"), ("query", "cve", "CVE-1"), ("inventory", "export")]
)
def test_an_empty_inventory_says_so_once(site: Site, words: tuple[str, ...], tmp_path: Path) -> None:
    to = (str(tmp_path / "out.jsonl"),) if words[-1] == "export" else ()
    told = f"note: the inventory {tmp_path / 'inventory.sqlite'} has no images\n"
    assert site.start(*words, *to).communicate()[1].decode().count(told) == 1
    site.promote("pay", npm("a"))
    assert "has no images" not in site.start(*words, *to).communicate()[1].decode()


def test_a_relative_file_is_refused(site: Site) -> None:
    site.settings["inventory"]["url"] = "sqlite:///rel.sqlite"
    code, words = site.run("inventory", "list")
    assert code == 2
    assert "give an absolute path: sqlite:////" in words


def test_the_documents_have_schemas_of_their_own(site: Site) -> None:
    listed = site.run("inventory", "list", "--json")[1]
    assert listed["schema"] == "imagegate/inventory-list/1"
    (site.directory / "bad.json").write_text("{}")
    code, done = site.run("inventory", "import", f"sbom:{site.directory / 'bad.json'}", "--json")
    assert (code, done["schema"]) == (2, "imagegate/inventory-import/1")
    (failed,) = done["import"].failed
    assert (failed.image, bool(failed.error)) == (f"sbom:{site.directory / 'bad.json'}", True)


def sbom(site: Site, **subject: Any) -> str:
    component = {"type": "library", "name": "left-pad", "version": "1.3.0", "purl": "pkg:npm/left-pad@1.3.0"}
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "metadata": {"component": {"type": "container", **subject}},
        "components": [component],
    }
    file = site.directory / "api.cdx.json"
    file.write_text(json.dumps(document))
    return f"sbom:{file}"


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        ({"name": "payments/api", "version": "1.4"}, f"{REGISTRY}/payments/api:1.4"),
        ({"name": "payments/api:1.3", "version": "1.4"}, f"{REGISTRY}/payments/api:1.3"),
        ({"name": "other.example.com/payments/api", "version": "1.4"}, "other.example.com/payments/api:1.4"),
        ({"name": "docker.io/payments/api", "version": "no tag"}, "docker.io/payments/api:latest"),
        ({"name": "payments/api", "version": "sha256:" + "b" * 64}, f"{REGISTRY}/payments/api:latest"),
    ],
)
def test_an_sbom_is_of_the_image_and_the_version_that_it_names(site: Site, subject: dict[str, str], name: str) -> None:
    site.settings["trusted"] = {"registry": REGISTRY}
    assert site.run("inventory", "import", sbom(site, **subject))[0] == 0
    (found,) = site.run("inventory", "list", "--json")[1]["promotions"]
    assert f"{found['repository']}:{found['tags'][0]}" == name


def test_as_takes_a_tag_and_the_trusted_registry(site: Site) -> None:
    site.settings["trusted"] = {"registry": REGISTRY}
    document = sbom(site, name="payments/api", version="1.4")
    code, words = site.run("inventory", "import", document, "--as", "payments/api")
    assert code == 2
    assert "--as payments/api has no tag" in words
    assert site.run("inventory", "import", document, "--as", "payments/api:9")[0] == 0
    assert repositories(site, "inventory", "list", "payments/api:9") == [("payments/api", "")]


def test_an_import_says_how_many_were_there(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.promote("one", npm("a"))
    file = site.directory / "export.jsonl"
    assert site.run("inventory", "export", str(file))[0] == 0
    capsys.readouterr()
    site.settings["inventory"]["url"] = f"sqlite:///{site.directory / 'other.sqlite'}"
    for told in ("1 image recorded, 0 were there, 0 failed\n", "0 images recorded, 1 was there, 0 failed\n"):
        assert site.run("inventory", "import", f"export:{file}")[0] == 0
        assert capsys.readouterr().out == told


def test_an_image_without_packages_is_there_all_the_same(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.promote("scratch")
    _, answer = site.run("query", "image", f"{REGISTRY}/scratch")
    out = capsys.readouterr()
    assert (answer.images, answer.hits) == (1, ())
    assert out.out == f"1 image for image {REGISTRY}/scratch\n"
    assert "is in the inventory, and no packages of it are known" in out.err


def test_a_line_end_in_a_name_forges_no_line(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    team = "a\n2026-01-01  registry.example.com/forged\u202e"
    site.promote("pay", npm("x\nforged"), deb("zlib"), team=team)
    for words in (("inventory", "list"), ("query", "package", "x\nforged"), ("query", "image", f"{REGISTRY}/pay")):
        assert site.run(*words)[0] == 0
        out = capsys.readouterr().out
        assert "\\x0a2026-01-01  registry.example.com/forged\\u202e" in out
        assert not any(each.startswith(("2026-01-01", "forged")) for each in out.splitlines())


def test_prune_without_a_rule_names_its_options(site: Site) -> None:
    code, words = site.run("inventory", "prune")
    assert code == 2
    assert all(each in words for each in ("--keep", "--untagged-days", "--news-days"))


@pytest.mark.parametrize("text", ["Not/An/Image", "docker-daemon:x", "oci:x", "./x.tar", "/tmp"])
def test_what_an_import_refuses_it_does_not_offer(site: Site, text: str) -> None:
    code, words = site.run("inventory", "import", text)
    assert code == 2
    hint = words.rpartition(". ")[2]
    assert "registry/repo" in hint
    assert not any(each in hint for each in ("docker-daemon:", "oci:", "docker-archive:"))


def test_an_import_of_advisories_that_finds_none_is_an_error(site: Site, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    site.settings["advisories"]["database"] = str(tmp_path / "new.sqlite")
    code, words = site.run("db", "import", str(tmp_path / "empty"))
    assert code == 2
    assert "no advisory found in" in words
    assert not (tmp_path / "new.sqlite").exists()


def test_an_import_of_old_advisories_warns(site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = {**advisory("GHSA-9", "npm-old"), "modified": "2024-10-10T00:00:00Z"}
    (tmp_path / "old.json").write_text(json.dumps([old]))
    site.settings["advisories"] = {"database": str(tmp_path / "new.sqlite"), "max_age_days": 30}
    assert site.run("db", "import", str(tmp_path / "old.json"))[0] == 0
    assert "warning: the newest record of npm is of 2024-10-10: " in capsys.readouterr().err
    site.settings["advisories"]["max_age_days"] = 0
    assert site.run("db", "import", str(tmp_path / "old.json"))[0] == 0
    assert "warning" not in capsys.readouterr().err
