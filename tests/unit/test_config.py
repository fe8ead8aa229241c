"""Settings: precedence, locks, all mistakes at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagegate.config import Configuration, load
from imagegate.errors import ConfigError
from imagegate.settings import Host


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    (tmp_path / "project").mkdir()
    return tmp_path


def read(
    files: Path, site: str = "", project: str = "", flags: dict[str, object] | None = None, **env: str
) -> Configuration:
    (files / "site" / "site.yaml").write_text(site)
    (files / "project" / "imagegate.yaml").write_text(project)
    environ = {"IMAGEGATE_SITE_CONFIG": str(files / "site" / "site.yaml"), **env}
    return load(flags=flags or {}, environ=environ, directory=files / "project")


def test_the_later_layer_wins(files: Path) -> None:
    site, project = "platform: linux/s390x", "platform: linux/arm64"
    assert read(files).settings.platform == "linux/amd64"
    assert read(files, site).settings.platform == "linux/s390x"
    assert read(files, site, project).settings.platform == "linux/arm64"
    assert read(files, site, project, IMAGEGATE_PLATFORM="linux/arm").settings.platform == "linux/arm"
    flags = {"platform": "linux/386"}
    assert read(files, site, project, flags, IMAGEGATE_PLATFORM="linux/arm").settings.platform == "linux/386"


def test_each_value_knows_its_origin(files: Path) -> None:
    read_back = read(files, "notary:\n  server: https://notary.example.com", IMAGEGATE_HTTP_RETRIES="2")
    assert str(read_back.origins["notary.server"]).endswith("site.yaml:2)")
    assert str(read_back.origins["http.retries"]) == "environment (IMAGEGATE_HTTP_RETRIES)"


def test_tables_are_merged_entry_by_entry(files: Path) -> None:
    site = "hosts: {'registry.example.com:5000': {ca_file: /ca.pem}}\nnotary: {pins: {'r.example.com/*': [k1]}}"
    project = "hosts: {other.example.com: {ca_file: own.pem}}"
    settings = read(files, site, project).settings
    assert settings.hosts["registry.example.com:5000"] == Host(ca_file="/ca.pem")
    assert settings.hosts["other.example.com"] == Host(ca_file=str(files / "project" / "own.pem"))
    assert settings.notary.pins == {"r.example.com/*": ("k1",)}


def test_all_mistakes_are_told_at_once_with_the_nearest_right_name(files: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(
            files,
            "notary: {servr: x}\nlock: [policy.unmaped]",
            "limits: {layers: many}\nplatfrom: x",
            IMAGEGATE_NOTARY_SERVR="y",
        )
    text = str(caught.value)
    assert "site.yaml:1: 'notary.servr' is no setting; did you mean 'notary.server'?" in text
    assert "site.yaml:2: lock names 'policy.unmaped', which is no setting; did you mean 'policy.unmapped'?" in text
    assert "imagegate.yaml:1: limits.layers: Expected `int`, got `str`" in text
    assert "imagegate.yaml:2: 'platfrom' is no setting; did you mean 'platform'?" in text
    assert "IMAGEGATE_NOTARY_SERVR is no setting; did you mean 'IMAGEGATE_NOTARY_SERVER'?" in text


@pytest.mark.parametrize("lock", ["trusted", "trusted.registry"])
def test_a_locked_key_is_refused_everywhere_else_and_both_places_are_named(files: Path, lock: str) -> None:
    site = f"trusted: {{registry: good.example.com}}\nlock: [{lock}]"
    for arguments in (
        {"project": "trusted: {registry: evil.example.com}"},
        {"flags": {"trusted.registry": "evil.example.com"}},
        {"IMAGEGATE_TRUSTED_REGISTRY": "evil.example.com"},
    ):
        with pytest.raises(ConfigError, match=r"sets trusted\.registry, which .*site\.yaml:2 locks"):
            read(files, site, **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "loose",
    [
        "policy: {unmapped: go}",
        "policy: {missing_advisories: go}",
        "policy: {compat: engine}",
        "analysis: {catalogers: native}",
        "notary: {trust_on_first_use: true}",
        "hosts: {'r.example.com:5000': {insecure: true}}",
        "hosts: {r.example.com: {plain_http: true}}",
        "vulnerabilities: {grype: ./mine}",
    ],
)
def test_what_loosens_the_gate_is_for_the_site_not_for_a_project(files: Path, loose: str) -> None:
    read(files, site=loose)
    with pytest.raises(ConfigError, match="loosens the gate"):
        read(files, project=loose)


@pytest.mark.parametrize(
    ("site", "project"),
    [
        ("advisories: {max_age_days: 3}", "advisories: {max_age_days: 0}"),
        ("advisories: {database: /site.sqlite}", "advisories: {max_age_days: 9}"),
        ("advisories: {max_age_days: 3}", "vulnerabilities: {provider: grype}"),
        ("vulnerabilities: {provider: grype}", "vulnerabilities: {provider: database}"),
        ("vulnerabilities: {provider: grype}", "advisories: {max_age_days: 9}"),
        ("trusted: {registry: r.example.com}", "trusted: {base_roles: [targets/anybody]}"),
        ("notary: {pins: {'r/*': [one]}}", "notary: {pins: {'*': [two]}}"),
        ("notary: {server: 'https://n'}", "notary: {server: 'https://mine'}"),
        ("hosts: {'r:5000': {ca_file: /ca}}", "hosts: {'r:5000': {ca_file: /mine}}"),
    ],
)
def test_what_the_site_trusts_a_project_does_not_change(files: Path, site: str, project: str) -> None:
    read(files, project=project)
    with pytest.raises(ConfigError, match="is the site's to say"):
        read(files, site=site, project=project)


def test_a_project_may_set_what_the_site_leaves_open(files: Path) -> None:
    site = "hosts: {'r:5000': {ca_file: /ca}}\nnotary: {server: 'https://n'}"
    settings = read(files, site=site, project="hosts: {'s:5000': {ca_file: /mine}}\nnotary: {signer: me}").settings
    assert settings.hosts["s:5000"].ca_file == "/mine"
    assert settings.notary.signer == "me"


def test_a_project_names_waivers_where_the_site_lets_it(files: Path) -> None:
    mine = "policy: {waivers: [mine.yaml]}"
    with pytest.raises(ConfigError, match="loosens the gate"):
        read(files, project=mine)
    with pytest.raises(ConfigError, match="loosens the gate"):
        read(files, project="policy: {project_waivers: true, waivers: [mine.yaml]}")
    settings = read(files, site="policy: {project_waivers: true}", project=mine).settings
    assert [Path(each).name for each in settings.policy.waivers] == ["mine.yaml"]


def test_a_key_of_every_host_can_be_locked(files: Path) -> None:
    with pytest.raises(ConfigError, match=r"sets hosts\.r:5000\.ca_file, which .* locks"):
        read(files, site="lock: ['hosts.*.ca_file']", project="hosts: {'r:5000': {ca_file: /mine}}")


@pytest.mark.parametrize("text", ["a: 1\na: 2", "- list", "a: !!python/object/apply:os.system [x]", "a: [", "1: x"])
def test_a_file_that_is_no_settings_file_is_an_error(files: Path, text: str) -> None:
    with pytest.raises(ConfigError):
        read(files, project=text)


def test_aliases_that_grow_without_bound_are_refused(files: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ConfigError, match="more than 1,000,000 values"):
        read(files, project="\n".join(lines))


def test_files_that_were_named_must_exist(files: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such settings file"):
        load(flags={}, environ={}, project_file=str(files / "none.yaml"))
    with pytest.raises(ConfigError, match="IMAGEGATE_SITE_CONFIG names"):
        load(flags={}, environ={"IMAGEGATE_SITE_CONFIG": str(files / "none.yaml")}, directory=files)


def test_secrets_in_variables_are_no_settings(files: Path) -> None:
    read(files, IMAGEGATE_REGISTRY_PASSWORD="x", IMAGEGATE_NOTARY_ROOT_PASSPHRASE_FILE="/run/secret")
