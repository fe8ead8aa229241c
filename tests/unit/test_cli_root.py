"""The command line as it is typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from imagegate.cli.main import run


@pytest.mark.parametrize(
    "words",
    [["--json", "config", "show"], ["config", "--json", "show"], ["config", "show", "--json"]],
)
def test_global_options_may_stand_anywhere(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 0
    assert json.loads(capsys.readouterr().out)["schema"] == "imagegate/config/1"


def test_settings_named_after_the_verb_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "team.yaml").write_text("sigin: {}\n")
    assert run(["config", "show", "--config", str(tmp_path / "team.yaml")]) == 2
    assert "'sigin' is no setting" in capsys.readouterr().err


def test_a_verb_that_is_not_there_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["gaet"]) == 2
    assert "Did you mean 'gate'" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_verdict() -> None:
    command = [sys.executable, "-m", "imagegate.cli.main", "config", "show", "--origin"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 2
