"""What each gate finds, and where it is stricter than the engine."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from imagegate.model import (
    BaseProof,
    BaseStatus,
    CvssScore,
    Digest,
    Distro,
    FeedState,
    FileEntry,
    FileType,
    Package,
    PackageType,
    PasswdEntry,
    Severity,
    Verdict,
)
from tests.unit.policies import (
    LODASH,
    NOW,
    OPENSSL,
    bundle,
    facts,
    messages,
    report,
    rule,
    run,
    vulnerability,
)

FROM = "FROM registry.example.com/base:1\n"


def user_rule(users: str = "root", type_: str = "blacklist") -> Any:
    return bundle(rule("dockerfile", "effective_user", users=users, type=type_))


def port_rule(ports: str = "22", type_: str = "blacklist") -> Any:
    return bundle(rule("dockerfile", "exposed_ports", ports=ports, type=type_))


def instruction(name: str, check: str, **params: str) -> Any:
    return bundle(rule("dockerfile", "instruction", instruction=name, check=check, **params))


@pytest.mark.parametrize(
    "user", ["", "root", "0", "0:0", "root:root", "00", "+0", "toor", "toor:app", ":app", "root:1000"]
)
def test_root_is_root_however_it_is_written(user: str) -> None:
    assert len(messages(user_rule(), facts(user=user))) == 1
    assert len(messages(user_rule("0"), facts(user=user))) == 1
    assert len(messages(user_rule("app", "whitelist"), facts(user=user))) == 1


@pytest.mark.parametrize("user", ["app", "1000", "app:root", "1000:0", "nobody", "65534"])
def test_other_users_are_not_root(user: str) -> None:
    assert messages(user_rule(), facts(user=user)) == []


def test_a_user_that_is_number_0_cannot_borrow_an_allowed_name() -> None:
    passwd = (PasswdEntry("app", "x", "0", "0", "", "/", "/bin/sh"),)
    assert len(messages(user_rule("app", "whitelist"), facts(user="app", passwd=passwd))) == 1
    assert len(messages(user_rule(), facts(user="app", passwd=passwd))) == 1


def test_an_allowed_user_is_allowed_by_name_and_by_number() -> None:
    assert messages(user_rule("app", "whitelist"), facts(user="1000:1000")) == []
    assert messages(user_rule("1000", "whitelist"), facts(user="app")) == []
    assert len(messages(user_rule("app", "whitelist"), facts(user="app", passwd=None))) == 0


def test_the_config_is_what_runs_and_the_dockerfile_says_where() -> None:
    dockerfile = f"{FROM}USER app\nRUN x\nUSER 0\n"
    (finding,) = run(user_rule(), facts(user="0", dockerfile=dockerfile)).findings
    assert (finding.line, finding.message) == (4, "User 0 found as effective user, which is explicity not allowed")
    assert "USER" in finding.fix
    assert messages(user_rule(), facts(user="app", dockerfile=FROM)) == []


def test_a_user_of_a_builder_stage_is_not_where_it_went_wrong() -> None:
    (finding,) = run(user_rule(), facts(dockerfile=f"FROM x AS build\nUSER app\n{FROM}RUN y")).findings
    assert finding.line == 0


def test_the_engine_reads_the_dockerfile_alone() -> None:
    known = facts(user="0", dockerfile=f"{FROM}USER 0")
    assert messages(user_rule(), known, compat="engine") == []
    assert len(messages(user_rule(), facts(user="app", dockerfile=FROM), compat="engine")) == 1


@pytest.mark.parametrize(
    "lines",
    [
        "EXPOSE 22",
        "expose 22/tcp",
        "EXPOSE 80 \\\n  22",
        "EXPOSE 80 \\\n# ssh\n\n22/udp",
        "EXPOSE 20-25",
        "EXPOSE 20-25/tcp 80",
        "ARG P=22\nEXPOSE $P",
        "ENV P=22\nEXPOSE 80 ${P}/tcp",
        "EXPOSE ${NONE:-22}",
        'EXPOSE "22"',
    ],
)
def test_a_port_is_found_however_it_is_written(lines: str) -> None:
    (finding,) = run(port_rule(), facts(dockerfile=FROM + lines)).findings
    assert "(22" in finding.message
    assert finding.line >= 2


@pytest.mark.parametrize(
    "lines", ["EXPOSE 2222", "EXPOSE 80", "RUN <<EOF\nEXPOSE 22\nEOF", "# EXPOSE 22", "EXPOSE 22\nFROM x"]
)
def test_what_the_image_does_not_expose_is_not_found(lines: str) -> None:
    assert messages(port_rule(), facts(dockerfile=FROM + lines)) == []


def test_a_port_of_a_stage_that_the_image_is_from_counts() -> None:
    assert len(messages(port_rule(), facts(dockerfile="FROM a AS base\nEXPOSE 22\nFROM base\nUSER x"))) == 1


def test_a_port_that_only_the_config_exposes_counts() -> None:
    inherited = facts(ports=("22/tcp",), dockerfile=FROM)
    assert messages(port_rule(), inherited) == [
        "Dockerfile exposes port (22/tcp) which is in policy file DENIEDPORTS list"
    ]
    assert messages(port_rule(), inherited, compat="engine") == []


def test_a_port_is_told_once_and_as_the_dockerfile_has_it() -> None:
    known = facts(ports=("22/tcp", "8080/tcp"), dockerfile=f"{FROM}EXPOSE 22 8080")
    assert messages(port_rule("22,8080"), known) == [
        f"Dockerfile exposes port ({port}) which is in policy file DENIEDPORTS list" for port in ("22", "8080")
    ]
    assert messages(port_rule("22", "whitelist"), known) == [
        "Dockerfile exposes port (8080) which is not in policy file ALLOWEDPORTS list"
    ]


def test_a_range_needs_every_port_allowed_and_covers_what_the_config_lists() -> None:
    known = facts(ports=("80/tcp", "81/tcp"), dockerfile=f"{FROM}EXPOSE 80-81")
    assert messages(port_rule("80,81", "whitelist"), known) == []
    assert messages(port_rule("80", "whitelist"), known) == [
        "Dockerfile exposes port (80-81) which is not in policy file ALLOWEDPORTS list"
    ]


def test_port_0_stands_for_any_port() -> None:
    assert "DENIEDPORTS=0" in messages(port_rule("0"), facts(ports=("80/tcp",)))[0]
    assert messages(port_rule("0"), facts()) == []


def test_rules_on_actual_dockerfiles_only_leave_guessed_ones_alone() -> None:
    policy = bundle(rule("dockerfile", "exposed_ports", ports="22", type="blacklist", actual_dockerfile_only="true"))
    assert messages(policy, facts(ports=("22/tcp",))) == []
    assert len(messages(policy, facts(ports=("22/tcp",), dockerfile=FROM))) == 1


@pytest.mark.parametrize(
    ("step", "name", "value"),
    [
        ("/bin/sh -c #(nop)  USER app", "USER", "app"),
        ("/bin/sh -c apt-get update", "RUN", "apt-get update"),
        ("RUN /bin/sh -c apt-get update # buildkit", "RUN", "apt-get update"),
        ("RUN |1 A=b /bin/sh -c make # buildkit", "RUN", "make"),
        ("EXPOSE map[22/tcp:{} 80/tcp:{}]", "EXPOSE", "22/tcp 80/tcp"),
        ("COPY app /app # buildkit", "COPY", "app /app"),
    ],
)
def test_a_dockerfile_is_guessed_from_the_history(step: str, name: str, value: str) -> None:
    assert messages(instruction(name, "=", value=value), facts(history=(step,))) == [
        f"Dockerfile directive '{name}' check '=' matched against '{value}' for line '{value}'"
    ]


def test_what_the_history_lacks_is_guessed_from_the_config() -> None:
    assert messages(instruction("USER", "not_exists"), facts(user="app")) == []
    assert len(messages(instruction("USER", "not_exists"), facts(user="app"), compat="engine")) == 1


def test_a_heredoc_and_a_continued_line_are_part_of_their_instruction() -> None:
    sudo = instruction("RUN", "like", value=".*sudo")
    assert len(messages(sudo, facts(dockerfile=f"{FROM}RUN a && \\\n  sudo b"))) == 1
    assert len(messages(sudo, facts(dockerfile=f"{FROM}RUN <<EOF\na\nsudo b\nEOF"))) == 1
    assert messages(sudo, facts(dockerfile=f"{FROM}RUN a && \\\n  sudo b"), compat="engine") == []


@pytest.mark.parametrize(
    ("dockerfile", "trusted"),
    [
        ("FROM registry.example.com/base", True),
        ("ARG R=registry.example.com\nFROM --platform=linux/amd64 ${R}/base AS x\nFROM x", True),
        ("FROM registry.example.com/base-evil", False),
        ("FROM evil.example.org/x AS build\nFROM registry.example.com/base", False),
        ("FROM registryXexample.com/base", False),
    ],
)
def test_every_image_that_is_built_from_must_be_excused_whole(dockerfile: str, trusted: bool) -> None:
    policy = instruction("FROM", "not_like", value=r"registry\.example\.com/base")
    assert (messages(policy, facts(dockerfile=dockerfile)) == []) is trusted


def test_a_missing_dockerfile_is_told() -> None:
    policy = bundle(rule("dockerfile", "no_dockerfile_provided"))
    assert len(messages(policy, facts())) == 1
    assert messages(policy, facts(dockerfile=FROM)) == []


def packages_rule(**params: str) -> Any:
    return bundle(rule("vulnerabilities", "package", **{"package_type": "all", **params}))


def test_a_finding_says_what_to_do() -> None:
    found = vulnerability(fix="4.17.21")
    (finding,) = run(packages_rule(), facts(report=report(found))).findings
    assert finding.trigger_id == "CVE-2026-1+lodash"
    assert finding.message == (
        "HIGH Vulnerability found in non-os package type (npm) - /app/node_modules/lodash/package.json "
        "(fixed in: 4.17.21)(CVE-2026-1 - https://example.org/x)"
    )
    assert finding.fix == "Update lodash 4.17.10 to 4.17.21: npm install lodash@4.17.21"
    assert (finding.severity, finding.package, finding.vulnerability) == (Severity.HIGH, LODASH, "CVE-2026-1")


@pytest.mark.parametrize(
    ("params", "found", "fires"),
    [
        ({"package_type": "os"}, vulnerability(), False),
        ({"package_type": "os"}, vulnerability(OPENSSL), True),
        ({"package_type": "non-os"}, vulnerability(OPENSSL), False),
        ({}, vulnerability(severity=Severity.UNKNOWN), True),
        ({"severity": "high", "severity_comparison": ">="}, vulnerability(severity=Severity.CRITICAL), True),
        ({"severity": "high"}, vulnerability(severity=Severity.HIGH), False),
        ({"fix_available": "true"}, vulnerability(), False),
        ({"fix_available": "false"}, vulnerability(), True),
        ({}, vulnerability(will_not_fix=True), False),
        ({"vendor_only": "false"}, vulnerability(will_not_fix=True), True),
        ({"package_path_exclude": ".*node_modules.*"}, vulnerability(), False),
        ({"package_path_exclude": ".*"}, vulnerability(OPENSSL), True),
        ({"max_days_since_creation": "7"}, vulnerability(published=NOW - timedelta(days=6)), False),
        ({"max_days_since_creation": "7"}, vulnerability(published=NOW - timedelta(days=7)), True),
        ({"max_days_since_creation": "7"}, vulnerability(), True),
        (
            {"fix_available": "true", "max_days_since_fix": "7"},
            vulnerability(fix="2", fixed_at=NOW - timedelta(days=6)),
            False,
        ),
        ({"fix_available": "true", "max_days_since_fix": "7"}, vulnerability(fix="2"), True),
        ({"max_days_since_fix": "7"}, vulnerability(fix="2", fixed_at=NOW), True),
        ({"cvss_v3_base_score": "7"}, vulnerability(cvss=(CvssScore("3.1", "", 7.0), CvssScore("2.0", "", 9.0))), True),
        (
            {"cvss_v3_base_score": "7.1"},
            vulnerability(cvss=(CvssScore("3.1", "", 7.0), CvssScore("2.0", "", 9.0))),
            False,
        ),
        ({"vendor_cvss_v3_base_score": "7"}, vulnerability(vendor_cvss=(CvssScore("3.0", "", 8.0),)), True),
        ({"cvss_v3_base_score": "0"}, vulnerability(), False),
    ],
)
def test_parameters_of_vulnerabilities(params: dict[str, str], found: Any, fires: bool) -> None:
    assert bool(messages(packages_rule(**params), facts(report=report(found)))) is fires


@pytest.mark.parametrize(
    ("package", "suffix"),
    [
        (Package("Django", "2.2.0", PackageType.PYTHON, "", "/s/Django-2.2.0.dist-info/METADATA"), "django-2.2.0"),
        (Package("rack", "2.0.1", PackageType.GEM, "", "/g/rack-2.0.1.gemspec"), "rack-2.0.1.gemspec"),
        (Package("log4j", "2", PackageType.JAVA, "", "/app/log4j-2.jar"), "log4j-2.jar"),
        (Package("@a/b", "1", PackageType.NPM, "", "/n/@a/b/package.json"), "b"),
        (Package("net", "v1", PackageType.GO, "", "/app/tool"), "net-v1"),
        (OPENSSL, "openssl"),
    ],
)
def test_trigger_ids_are_the_engines(package: Package, suffix: str) -> None:
    (finding,) = run(packages_rule(), facts(report=report(vulnerability(package)))).findings
    assert finding.trigger_id == f"CVE-2026-1+{suffix}"


@pytest.mark.parametrize(
    ("package_type", "missing", "decided"),
    [
        ("all", ("npm",), False),
        ("os", ("npm",), True),
        ("non-os", ("Debian:12",), True),
        ("os", ("Debian:12",), False),
        ("os", ("rpm",), False),
        ("non-os", ("RubyGems",), False),
    ],
)
def test_data_that_is_missing_for_the_packages_asked_about_is_no_pass(
    package_type: str, missing: tuple[str, ...], decided: bool
) -> None:
    policy, known = packages_rule(package_type=package_type), facts(report=report(missing=missing))
    assert run(policy, known).verdict is (Verdict.PASS if decided else Verdict.UNDECIDED)
    assert run(policy, known, missing_advisories="go").verdict is Verdict.PASS


def test_no_report_at_all_is_no_pass() -> None:
    assert run(packages_rule(), facts()).verdict is Verdict.UNDECIDED


def test_old_and_absent_feeds() -> None:
    stale = bundle(rule("vulnerabilities", "stale_feed_data", max_days_since_sync="2"))
    fresh = FeedState("Debian:12", 1, NOW - timedelta(days=2))
    old = FeedState("npm", 1, NOW - timedelta(days=3))
    with_feeds = report().__class__
    assert messages(stale, facts(report=with_feeds((), (fresh,)))) == []
    assert len(messages(stale, facts(report=with_feeds((), (fresh, old))))) == 1
    assert messages(stale, facts(report=with_feeds((), (fresh, old))), compat="engine") == []
    assert len(messages(stale, facts(report=report()))) == 1
    gone = bundle(rule("vulnerabilities", "vulnerability_data_unavailable"))
    assert messages(gone, facts(report=report(missing=("npm",)))) == []
    assert "debian:12" in messages(gone, facts(report=report(missing=("Debian:12",))))[0]
    assert "unknown" in messages(gone, facts(report=report(), distro=None))[0]


def test_denied_vulnerabilities_are_found_by_alias_too() -> None:
    policy = bundle(rule("vulnerabilities", "blacklist", vulnerability_ids="GHSA-x,CVE-1999-1"))
    known = facts(report=report(vulnerability(aliases=("GHSA-x",), fix="5")))
    (finding,) = run(policy, known).findings
    assert finding.message == "Blacklisted vulnerabilities detected: ['GHSA-x']"
    assert "5" in finding.fix


def file(path: str, mode: int = 0o644, type_: FileType = FileType.FILE) -> FileEntry:
    return FileEntry(path, type_, mode, 0, 0, 1, "a" * 64)


def test_files() -> None:
    known = facts(files=(file("/a.pem"), file("/bin/su", 0o4755), file("/d", 0o2755, FileType.DIRECTORY)))
    assert len(messages(bundle(rule("files", "name_match", regex=r".*\.pem$")), known)) == 1
    assert messages(bundle(rule("files", "suid_or_guid_set")), known) == [
        "SUID or SGID found set on file /bin/su. Mode: 0o104755",
        "SUID or SGID found set on file /d. Mode: 0o42755",
    ]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"mode": "00644"}, "filename=/x and mode=0o644 op=equals specified_mode=0o644"),
        ({"mode": "0600", "mode_op": "not_equals"}, "filename=/x and mode=0o644 op=not_equals specified_mode=0o600"),
        ({"mode": "0600"}, ""),
        ({"mode": "0644", "checksum": "b" * 64}, ""),
        ({"checksum": "A" * 64}, f"filename=/x and checksum={'a' * 64} op=equals specified_checksum={'A' * 64}"),
        ({"filename": "/gone", "skip_missing": "false"}, "filename=/gone and skip_missing=False"),
        ({"filename": "/gone", "mode": "0644"}, ""),
    ],
)
def test_file_attributes(params: dict[str, str], message: str) -> None:
    policy = bundle(rule("files", "attribute_match", **{"filename": "/x", **params}))
    assert messages(policy, facts(files=(file("/x"),))) == ([message] if message else [])


def test_every_package_of_a_required_name_must_be_right() -> None:
    old = Package("curl", "7.1", PackageType.DPKG, "")
    new = Package("curl", "8.10", PackageType.DPKG, "")
    policy = bundle(rule("packages", "required_package", name="curl", version="8.2", version_match_type="minimum"))
    assert messages(policy, facts(packages=(new,))) == []
    assert len(messages(policy, facts(packages=(new, old)))) == 1
    assert run(policy, facts(packages=(Package("curl", "1", PackageType.RPM, ""),))).verdict is Verdict.UNDECIDED
    assert (
        messages(bundle(rule("packages", "blacklist", name="curl")), facts(packages=(new, old)))
        == ["Package is blacklisted: curl"] * 2
    )


def test_user_numbers_are_compared_as_numbers() -> None:
    passwd = (PasswdEntry("sneaky", "x", "000", "0", "", "/", "/bin/sh"),)
    policy = bundle(rule("passwd_file", "blacklist_userids", user_ids="0"))
    assert len(messages(policy, facts(passwd=passwd))) == 1
    assert messages(policy, facts(passwd=passwd), compat="engine") == []


def test_an_image_without_passwd_is_told_when_asked_for() -> None:
    assert len(messages(bundle(rule("passwd_file", "content_not_available")), facts(passwd=None))) == 1
    assert messages(bundle(rule("passwd_file", "blacklist_shells", shells="/bin/sh")), facts(passwd=None)) == []


@pytest.mark.parametrize(
    ("attribute", "check", "value", "fires"),
    [
        ("size", ">", "999", True), ("size", ">", "1kb", False), ("layer_count", "=", "1", True),
        ("distro_version", "<", "9", False), ("distro_version", ">=", "9", True), ("distro", "in", "a, debian", True),
        ("distro", "not_like", "deb", True), ("distro", "like", "deb", True), ("like_distro", "=", "debian", True),
        ("architecture", "!=", "amd64", False), ("os_type", "exists", "", True), ("distro", "not_exists", "", False),
    ],
)  # fmt: skip
def test_metadata(attribute: str, check: str, value: str, fires: bool) -> None:
    params = {"attribute": attribute, "check": check} | ({"value": value} if value else {})
    assert bool(messages(bundle(rule("metadata", "attribute", **params)), facts())) is fires


BASE = "registry.example.com/base/python:3.11"


@pytest.mark.parametrize(
    ("proof", "fired"),
    [
        (BaseProof(BaseStatus.PROVED, BASE, Digest("sha256:" + "b" * 64)), []),
        (BaseProof(BaseStatus.UNSIGNED, BASE), ["not_signed"]),
        (BaseProof(BaseStatus.WRONG_LAYERS, BASE), ["not_signed"]),
        (BaseProof(BaseStatus.UNTRUSTED_REGISTRY, BASE), ["not_signed", "not_trusted_registry"]),
        (BaseProof(BaseStatus.NONE), ["not_signed", "not_trusted_registry", "not_allowed"]),
        (BaseProof(BaseStatus.PROVED, "registry.example.com:5000/base/python"), ["not_allowed"]),
        (BaseProof(BaseStatus.PROVED, "registry.example.com/base/python-evil:1"), ["not_allowed"]),
    ],
)
def test_base_images(proof: BaseProof, fired: list[str]) -> None:
    policy = bundle(
        rule("base_image", "not_signed"),
        rule("base_image", "not_trusted_registry"),
        rule("base_image", "not_allowed", allowed=r"registry\.example\.com/base/(python|node), other/.*"),
    )
    assert [finding.trigger for finding in run(policy, facts(base=proof)).findings] == fired


def test_a_base_that_nobody_looked_at_is_no_pass() -> None:
    assert run(bundle(rule("base_image", "not_signed")), facts()).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    "dockerfile",
    [
        f"{FROM}EXPOSE {'9' * 5000}",
        f"{FROM}EXPOSE 1-{'9' * 30}",
        f"{FROM}EXPOSE 4-1",
        FROM + "EXPOSE " + "${A:-" * 3000 + "}" * 3000,
        f"{FROM}ENV A=xx\n" + "ENV A=$A$A\n" * 60 + "EXPOSE $A",
        "ARG A=$A$A\nFROM $A\n" + "FROM ${A\n",
        "",
    ],
)
def test_a_hostile_dockerfile_is_evaluated_or_undecided(dockerfile: str) -> None:
    for policy in (port_rule(), port_rule("80", "whitelist"), user_rule(), instruction("FROM", "exists")):
        for user in ("0" * 5000, "9" * 5000, "\u0660", ":" * 99):
            run(policy, facts(user=user, ports=("9" * 5000,), dockerfile=dockerfile))


def test_root_with_many_zeros_is_root() -> None:
    assert len(messages(user_rule(), facts(user="0" * 5000))) == 1


def test_numbers_without_measure_are_compared_all_the_same() -> None:
    distro = Distro("x", "9" * 5000 + ".a")
    policy = bundle(rule("metadata", "attribute", attribute="distro_version", check=">", value="12"))
    assert len(messages(policy, facts(distro=distro))) == 1
    passwd = (PasswdEntry("x", "x", "0" * 5000, "0", "", "/", "/bin/sh"),)
    assert len(messages(bundle(rule("passwd_file", "blacklist_userids", user_ids="0")), facts(passwd=passwd))) == 1
