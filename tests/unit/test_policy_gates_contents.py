"""Gates on contents, licences, lists of packages, malware and altered files: findings, and where the engine errs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from imagegate.errors import PolicyError
from imagegate.model import (
    AlteredFile,
    ContentMatch,
    FileEntry,
    FileType,
    MalwareFinding,
    MalwareScan,
    Package,
    PackageType,
    SearchKind,
    Verdict,
)
from imagegate.policy.demands import settings_for
from imagegate.policy.facts import Facts
from imagegate.policy.listing import parse_listing
from imagegate.settings import AnalysisSettings
from tests.unit.policies import LODASH, OPENSSL, bundle, facts, messages, rule, run

KEY = ContentMatch(SearchKind.SECRET, "/app/key", "PRIV_KEY", "-+BEGIN", (3,))
TOKEN = ContentMatch(SearchKind.SECRET, "/app/.env", "MY_TOKEN", "token=.*", (1, 2), anchored=False)
PASSWORD = ContentMatch(SearchKind.CONTENT, "/app/config", "PASSWORD", "password:", (1,))


def known(*, listing: bytes = b"", packages: tuple[Package, ...] = (), **analysis: Any) -> Facts:
    links = tuple(
        FileEntry(path, FileType.SYMLINK, 0o777, 0, 0, 0, "", link)
        for path, link in (("/link", "app/key"), ("/app/chain", "/link"))
    )
    files = (FileEntry("/app/key", FileType.FILE, 0o600, 0, 0, 9), *links)
    found = facts(files=files, packages=packages)
    return msgspec.structs.replace(
        found,
        analysis=msgspec.structs.replace(found.analysis, **analysis),
        listing=parse_listing(listing, "list.json") if listing else None,
    )


def paths(gate: str, trigger: str, about: Facts, compat: str = "strict", **params: str) -> list[str]:
    return [finding.path for finding in run(bundle(rule(gate, trigger, **params)), about, compat=compat).findings]


SECRETS = known(matches=(KEY, TOKEN, PASSWORD))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["/app/key", "/app/.env"]),
        ({"content_regex_name": "PRIV_KEY"}, ["/app/key"]),
        ({"content_regex_name": "-+BEGIN"}, ["/app/key"]),
        ({"content_regex_name": "PRIV"}, []),
        ({"content_regex_name": "PRIV_KEY_AND_MORE"}, []),
        ({"filename_regex": r"/app/\.e"}, ["/app/.env"]),
        ({"filename_regex": "key"}, []),
        ({"match_type": "found", "content_regex_name": "MY_TOKEN"}, ["/app/.env"]),
    ],
)
def test_secrets_by_pattern_and_file(params: dict[str, str], expected: list[str]) -> None:
    assert paths("secret_scans", "content_regex_checks", SECRETS, **params) == expected


def test_a_secret_that_must_be_there() -> None:
    params = {"match_type": "notfound", "content_regex_name": "API_KEY"}
    (message,) = messages(bundle(rule("secret_scans", "content_regex_checks", **params)), SECRETS)
    assert message.endswith("did not find regexp match in container: filename_regex=* content_regex_name=API_KEY")
    found = {"match_type": "notfound", "content_regex_name": "PRIV_KEY"}
    assert messages(bundle(rule("secret_scans", "content_regex_checks", **found)), SECRETS) == []


def test_the_engine_sees_beginnings_of_lines_and_links_and_parts_of_names() -> None:
    assert paths("secret_scans", "content_regex_checks", SECRETS, "engine") == ["/app/key", "/link", "/app/chain"]
    longer = {"content_regex_name": "PRIV_KEY_AND_MORE"}
    assert len(paths("secret_scans", "content_regex_checks", SECRETS, "engine", **longer)) == 3


def test_contents_are_no_secrets() -> None:
    assert paths("files", "content_regex_match", SECRETS) == ["/app/config"]
    assert paths("files", "content_regex_match", SECRETS, regex_name="PASSWORD") == ["/app/config"]
    assert paths("files", "content_regex_match", SECRETS, regex_name="PASS") == []


LICENSED = (
    Package("Flask_X", "1", PackageType.PYTHON, "", licenses=("BSD 3-Clause",)),
    Package("a", "1", PackageType.NPM, "", licenses=("(MIT OR GPL-2.0-only)", "Zlib")),
    OPENSSL,
)


@pytest.mark.parametrize(
    ("trigger", "wanted", "strict", "engine"),
    [
        ("blacklist_exact_match", "GPL-2.0-only", "a(GPL-2.0-only)", ""),
        ("blacklist_exact_match", "BSD 3-Clause", "flask-x(BSD 3-Clause)", ""),
        ("blacklist_exact_match", "BSD,Zlib", "flask-x(BSD), a(Zlib)", "flask-x(BSD), a(Zlib)"),
        ("blacklist_exact_match", "Unknown", "", "openssl(Unknown)"),
        ("blacklist_exact_match", "OR", "", "a(OR)"),
        ("blacklist_partial_match", "Zl", "a(Zlib)", "a(Zlib)"),
        ("blacklist_partial_match", "Apache", "", ""),
    ],
)
def test_licences(trigger: str, wanted: str, strict: str, engine: str) -> None:
    about = facts(packages=LICENSED)
    for compat, expected in (("strict", strict), ("engine", engine)):
        found = messages(bundle(rule("licenses", trigger, licenses=wanted)), about, compat=compat)
        assert [message.partition("licenses: ")[2] for message in found] == ([expected] if expected else [])


LISTING = b'{"npm": {"lodash": {"latest": "4.17.21", "versions": ["4.17.21"]}}}'
RACK = Package("rack", "2.0.1", PackageType.GEM, "")
MINE = Package("mine", "1.0.0", PackageType.NPM, "")


@pytest.mark.parametrize(
    ("trigger", "message"),
    [
        (
            "newer_version_in_feed",
            "NPMNOTLATEST Package (lodash) version (4.17.10) installed but is not the latest version (4.17.21)",
        ),
        ("unknown_in_feeds", "NPMNOTOFFICIAL Package (mine) in container but not in official NPM feed."),
        (
            "version_not_in_feeds",
            "NPMBADVERSION Package (lodash) version (4.17.10) installed but version is not in the official feed for "
            "this package (['4.17.21'])",
        ),
    ],
)
def test_packages_against_a_list(trigger: str, message: str) -> None:
    policy = bundle(rule("npms", trigger))
    assert messages(policy, known(listing=LISTING, packages=(LODASH, MINE, RACK))) == [message]
    unlisted = run(policy, known(packages=(LODASH,)))
    assert unlisted.verdict is Verdict.UNDECIDED
    assert "feed data unavailable" in unlisted.problems[0].details
    assert run(policy, known(packages=(LODASH,)), compat="engine").verdict is Verdict.PASS
    assert run(policy, known(packages=(RACK,))).verdict is Verdict.PASS, "no npm package, nothing to be asked"


def test_a_type_that_the_list_leaves_out_is_unlisted() -> None:
    about = known(listing=LISTING, packages=(RACK,))
    assert run(bundle(rule("ruby_gems", "not_found_in_feed")), about).verdict is Verdict.UNDECIDED
    assert len(messages(bundle(rule("ruby_gems", "feed_data_unavailable")), about)) == 1
    assert messages(bundle(rule("npms", "feed_data_unavailable")), about) == []


@pytest.mark.parametrize(("version", "count"), [("", 1), ("4.17.10", 1), ("9", 0)])
def test_a_denied_npm_package_needs_no_list(version: str, count: int) -> None:
    params = {"name": "lodash", **({"version": version} if version else {})}
    assert len(messages(bundle(rule("npms", "blacklisted_name_version", **params)), facts(packages=(LODASH,)))) == count
    assert messages(bundle(rule("ruby_gems", "blacklist", **params)), facts(packages=(LODASH,))) == []


def test_a_list_that_is_none_is_refused() -> None:
    for raw in (b"[]", b'{"pypi": {}}', b'{"npm": {"a": {"versions": "1"}}}', b"\xff"):
        with pytest.raises(PolicyError, match=r"list\.json is no list of packages"):
            parse_listing(raw, "list.json")


def test_a_scan_that_nobody_ran_is_not_a_clean_one() -> None:
    policy = bundle(rule("malware", "scans"))
    assert run(policy, known()).verdict is Verdict.UNDECIDED
    assert run(policy, known(), compat="engine").verdict is Verdict.PASS
    assert messages(bundle(rule("malware", "scan_not_run")), known()) == ["No malware scans found for image"]


def test_what_a_scan_found() -> None:
    about = known(malware=MalwareScan("clamav", (MalwareFinding("/app/x", "Eicar-Test"),)))
    (finding,) = run(bundle(rule("malware", "scans")), about).findings
    assert finding.trigger_id == "clamav+Eicar-Test+ce240ee6d10ca34623fbf2a18e8a4118"
    assert finding.message == "Malware scan finding: scanner=clamav file=/app/x signature=Eicar-Test"
    assert messages(bundle(rule("malware", "scan_not_run")), about) == []


CONFIG = {"/etc/app.conf": b"Port 22\nPermitRootLogin yes\n"}


@pytest.mark.parametrize(
    ("check", "regex", "strict", "engine"),
    [
        ("match", "PermitRootLogin yes", 1, 0),
        ("match", "Permit", 1, 1),
        ("match", "yes", 0, 1),
        ("no_match", "PermitRootLogin no", 1, 1),
        ("no_match", "Port", 0, 0),
    ],
)
def test_lines_of_a_retrieved_file(check: str, regex: str, strict: int, engine: int) -> None:
    policy = bundle(rule("retrieved_files", "content_regex", path="/etc/app.conf", check=check, regex=regex))
    for compat, count in (("strict", strict), ("engine", engine)):
        findings = run(policy, known(retrieved=CONFIG), compat=compat).findings
        assert [finding.trigger_id for finding in findings] == ["r1+file:///etc/app.conf"] * count


def test_a_file_that_must_be_there() -> None:
    policy = bundle(rule("retrieved_files", "content_not_available", path="/etc/other"))
    assert messages(policy, known(retrieved=CONFIG)) == ["Cannot locate file in the image analysis"]
    assert len(messages(policy, known(), compat="engine")) == 2, "the engine says so twice when it has no file at all"


ALTERED = (
    AlteredFile("openssl", "/usr/bin/openssl", "changed", "changed"),
    AlteredFile("openssl", "/bin/c_rehash", "", "missing"),
    AlteredFile("openssl", "/etc/ssl/x", "missing", "missing"),
    AlteredFile("gone", "/usr/bin/gone", "missing", "missing"),
)


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, ["/usr/bin/openssl", "/etc/ssl/x"]),
        ({"check": "missing"}, ["/etc/ssl/x"]),
        ({"only_directories": "/usr,/opt"}, ["/usr/bin/openssl"]),
        ({"only_packages": "curl"}, []),
    ],
)
def test_altered_files_of_installed_packages(params: dict[str, str], expected: list[str]) -> None:
    about = known(altered=ALTERED, packages=(OPENSSL,))
    assert paths("packages", "verify", about, **params) == expected


def test_files_that_nobody_compared_are_not_unaltered() -> None:
    policy = bundle(rule("packages", "verify"))
    assert run(policy, known()).verdict is Verdict.UNDECIDED
    rpm = Package("bash", "1", PackageType.RPM, "")
    assert run(policy, known(altered=(), packages=(rpm,))).verdict is Verdict.UNDECIDED


def test_a_policy_says_what_must_be_analysed() -> None:
    asked = bundle(rule("packages", "verify"), rule("retrieved_files", "content_not_available", path="/etc/x"))
    settings = settings_for(asked, AnalysisSettings(), engine=False)
    assert (settings.verify, settings.retrieve) == (True, ("/etc/passwd", "/etc/x"))
    assert settings_for(asked, AnalysisSettings(), engine=True).retrieve == ("/etc/passwd",)
    assert settings_for(bundle(rule("always", "always")), AnalysisSettings(), engine=False) == AnalysisSettings()
