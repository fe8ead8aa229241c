"""Logins: where they come from, how challenges are read, and that no secret shows."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate.errors import AuthenticationFailed
from imagegate.http.auth import parse_challenge
from imagegate.http.client import redact
from imagegate.http.credentials import CredentialStore

SECRET = "hunter2-secret"


def config(directory: Path, document: object) -> dict[str, str]:
    (directory / "config.json").write_text(json.dumps(document))
    return {"DOCKER_CONFIG": str(directory), "PATH": os.environ["PATH"]}


def encoded(user: str, secret: str) -> str:
    return base64.b64encode(f"{user}:{secret}".encode()).decode()


@pytest.mark.parametrize("name", ["r.example.com:5000", "https://r.example.com:5000", "https://r.example.com:5000/v2/"])
def test_a_login_of_dockers_config_by_any_of_its_names(tmp_path: Path, name: str) -> None:
    environ = config(tmp_path, {"auths": {name: {"auth": encoded("ann", SECRET)}}})
    login = CredentialStore(environ).login("r.example.com:5000")
    assert login is not None
    assert (login.user, login.secret) == ("ann", SECRET)


def test_a_login_goes_to_its_own_host_only(tmp_path: Path) -> None:
    environ = config(tmp_path, {"auths": {"r.example.com": {"auth": encoded("ann", SECRET)}}})
    store = CredentialStore({**environ, "IMAGEGATE_REGISTRY_HOST": "s.example.com", "IMAGEGATE_REGISTRY_USER": "bob"})
    for host in ("example.com", "r.example.com:5000", "r.example.com.evil.com", "evil.com"):
        assert store.login(host) is None


def test_the_environment_comes_first_and_only_for_the_host_it_names(tmp_path: Path) -> None:
    environ = {
        **config(tmp_path, {"auths": {"r.example.com": {"auth": encoded("ann", "other")}}}),
        "IMAGEGATE_REGISTRY_HOST": "r.example.com",
        "IMAGEGATE_REGISTRY_USER": "robot",
        "IMAGEGATE_REGISTRY_PASSWORD": SECRET,
    }
    login = CredentialStore(environ).login("r.example.com")
    assert login is not None
    assert (login.user, login.secret) == ("robot", SECRET)
    assert CredentialStore(environ).login("s.example.com") is None
    with pytest.raises(AuthenticationFailed, match="IMAGEGATE_REGISTRY_PASSWORD"):
        CredentialStore({**environ, "IMAGEGATE_REGISTRY_PASSWORD": ""}).login("r.example.com")


def test_a_host_named_for_all_steps_needs_no_login_where_none_is_given() -> None:
    assert (
        CredentialStore({"IMAGEGATE_REGISTRY_HOST": "r.example.com", "HOME": "/nonexistent"}).login("r.example.com")
        is None
    )


def test_a_credential_helper_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-lab"
    answer = json.dumps({"ServerURL": "r.example.com", "Username": "ann", "Secret": SECRET})
    missing = "echo credentials not found in native keychain; exit 1"
    helper.write_text(f"#!/bin/sh\nread host\n[ $host = r.example.com ] && echo '{answer}' && exit\n{missing}\n")
    helper.chmod(0o755)
    environ = config(tmp_path, {"credHelpers": {"r.example.com": "lab", "s.example.com": "lab"}})
    monkeypatch.setenv("PATH", f"{tmp_path}:{environ['PATH']}")
    store = CredentialStore(environ)
    login = store.login("r.example.com")
    assert login is not None
    assert (login.user, login.secret) == ("ann", SECRET)
    assert store.login("s.example.com") is None


def test_a_helper_that_is_not_there_is_told(tmp_path: Path) -> None:
    environ = config(tmp_path, {"credsStore": "absent"})
    with pytest.raises(AuthenticationFailed, match="docker-credential-absent"):
        CredentialStore(environ).login("r.example.com")


@pytest.mark.parametrize("document", ["not json", '{"auths": {"r.example.com": {"auth": "%%%"}}}'])
def test_a_broken_config_is_told_without_its_content(tmp_path: Path, document: str) -> None:
    (tmp_path / "config.json").write_text(document)
    with pytest.raises(AuthenticationFailed, match=r"config\.json"):
        CredentialStore({"DOCKER_CONFIG": str(tmp_path)}).login("r.example.com")


def test_secrets_do_not_show(tmp_path: Path) -> None:
    environ = config(tmp_path, {"auths": {"r.example.com": {"auth": encoded("ann", SECRET)}}})
    login = CredentialStore(environ).login("r.example.com")
    assert SECRET not in repr(login)
    assert SECRET not in str(login)
    url = f"https://ann:{SECRET}@r.example.com/v2/a/blobs/uploads/?_state={SECRET}&digest=sha256:1#x"
    assert redact(url) == "https://r.example.com/v2/a/blobs/uploads/?digest=sha256:1"


def test_bearer_is_answered_before_basic() -> None:
    header = 'Basic realm="x", Bearer realm="https://t.example.com/token",service="r, s",scope="repository:a:pull,push"'
    challenge = parse_challenge(header)
    assert challenge is not None
    assert challenge.scheme == "bearer"
    assert challenge.parameters == {
        "realm": "https://t.example.com/token",
        "service": "r, s",
        "scope": "repository:a:pull,push",
    }
    assert parse_challenge("Negotiate abc") is None
    assert parse_challenge("") is None


@given(st.text(max_size=60))
def test_any_challenge_is_read_or_not(text: str) -> None:
    parse_challenge(text)
