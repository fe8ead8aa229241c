"""The fragment for Configuration as Code: what it sets, and that no value of it is a secret or a reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from imagegate.cli.main import attempt
from imagegate.errors import UsageError
from imagegate.jenkins.casc import fragment, literal
from imagegate.jenkins.site import JenkinsSite, PipelineJob
from imagegate.jenkins.step import BINDINGS

SITE = JenkinsSite(
    library_url="https://git.example.com/imagegate.git",
    library_credentials="git",
    variables={"IMAGEGATE_STAGING": "staging.example.com", "IMAGEGATE_REGISTRY_HOST": "registry.example.com"},
    credentials={binding.name: f"id-{binding.name}" for binding in BINDINGS},
    promotion=PipelineJob("platform/promote", "https://git.example.com/jobs.git"),
)


def entries(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    (domain,) = document["credentials"]["system"]["domainCredentials"]
    found = {}
    for each in domain["credentials"]:
        ((kind, fields),) = each.items()
        found[fields["id"]] = {"kind": kind, **fields}
    return found


def test_the_library_is_pinned() -> None:
    (library,) = fragment(SITE, "v1.2.3")["unclassified"]["globalLibraries"]["libraries"]
    assert library["defaultVersion"] == "v1.2.3"
    assert library["implicit"] is False
    git = library["retriever"]["modernSCM"]["scm"]["git"]
    assert git == {"remote": "https://git.example.com/imagegate.git", "credentialsId": "git"}


def test_every_credential_of_the_library_is_there_by_reference() -> None:
    found = entries(fragment(SITE, "v1"))
    assert set(found) == {f"id-{binding.name}" for binding in BINDINGS}
    assert found["id-registryCredentials"]["password"] == "${IMAGEGATE_REGISTRY_PASSWORD}"
    assert found["id-notaryTargetsPassphrase"]["secret"] == "${NOTARY_TARGETS_PASSPHRASE}"
    assert found["id-notifySecrets"]["fileName"] == "notifySecrets"
    assert found["id-notifySecrets"]["secretBytes"] == "${readFileBase64:${IMAGEGATE_NOTIFY_SECRETS_FILE}}"
    assert found["id-notaryKeys"]["secretBytes"] == "${readFileBase64:${IMAGEGATE_NOTARY_KEYS_FILE}}"
    for fields in found.values():
        assert all(
            fields[name].startswith("${") for name in fields.keys() & {"username", "password", "secret", "secretBytes"}
        )


def test_the_variables_name_the_ids_and_the_promotion_job() -> None:
    (properties,) = fragment(SITE, "v1")["jenkins"]["globalNodeProperties"]
    variables = {each["key"]: each["value"] for each in properties["envVars"]["env"]}
    assert variables["IMAGEGATE_REGISTRY_CREDENTIALS"] == "id-registryCredentials"
    assert variables["IMAGEGATE_PROMOTION_JOB"] == "/platform/promote"
    assert variables["IMAGEGATE_STAGING"] == "staging.example.com"
    assert list(variables) == sorted(variables)


def test_no_value_of_the_file_is_a_reference() -> None:
    site = JenkinsSite(library_url="https://x/${SECRET}", variables={"A": "${B} ^${C}"})
    text = yaml.safe_dump(fragment(site, "v1"))
    assert "https://x/^${SECRET}" in text
    assert "^${B} ^^${C}" in text
    assert literal("plain $X {y}") == "plain $X {y}"


def test_it_needs_the_library_and_says_so() -> None:
    with pytest.raises(UsageError, match="--library"):
        fragment(JenkinsSite(), "v1")


def test_the_command_prints_yaml_the_same_each_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "teams.yaml"
    team = {"owners": "a", "repositories": [{"name": "a", "images": [{"to": "a"}]}]}
    credentials = {"notaryKeys": "keys", "inventoryPassword": "i"}
    jenkins = {"credentials": credentials, "variables": {"B": "yes", "A": "no\nnewline"}}
    file.write_text(yaml.safe_dump({"library": "v9", "jenkins": jenkins, "teams": {"A": team}}))
    outputs = []
    for _ in range(2):
        assert attempt(["jenkins", "casc", "--teams", str(file), "--library", "https://x/y.git"]).code == 0
        outputs.append(capsys.readouterr())
    assert outputs[0].out == outputs[1].out
    document = yaml.safe_load(outputs[0].out)
    env = document["jenkins"]["globalNodeProperties"][0]["envVars"]["env"]
    assert env[:2] == [{"key": "A", "value": "no\nnewline"}, {"key": "B", "value": "yes"}]
    assert "scriptApproval" not in outputs[0].out
    assert "notaryKeys signs" in outputs[0].err
    assert "inventoryPassword writes the inventory" in outputs[0].err
