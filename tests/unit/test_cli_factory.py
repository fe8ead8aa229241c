"""Where things are kept by default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from imagegate.cli.factory import Factory
from imagegate.progress import NoProgress
from imagegate.settings import Settings


def test_a_home_that_cannot_be_written_to_costs_the_cache_and_not_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cache() -> Path:
        return Factory(Settings(), NoProgress(), print).cache_directory

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WORKSPACE_TMP", "/work@tmp")
    assert cache() == tmp_path / ".cache" / "imagegate"
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    assert cache() == Path("/work@tmp/imagegate-cache")
    monkeypatch.delenv("WORKSPACE_TMP")
    assert cache() == tmp_path / ".cache" / "imagegate"
