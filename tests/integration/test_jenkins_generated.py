"""Generated Jenkinsfiles, run by Groovy itself: whatever a teams file says is a value there, or an error here."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from imagegate.errors import ConfigError
from imagegate.jenkins.groovy import literal
from imagegate.jenkins.rendering import Templates, parameters
from imagegate.jenkins.teams import read_teams
from imagegate.yamlfile import Located, load_yaml
from lab.harness import harness

RECORDER = Path(__file__).parents[1] / "data" / "jenkins" / "record.groovy"

PIECES = (
    *(
        "'",
        '"',
        "'''",
        '"""',
        "\\",
        "\\\\",
        "$",
        "${1+1}",
        "${System.exit(3)}",
        "\n",
        "\r\n",
        "\t",
        "/",
        "//",
        "*/",
        "/*",
    ),
    *("\\u0027", "\\\\u0027", "\\u000a", "\u0085", "\u2028", "ü", "✓", "\U0001f600", "\u202e", "\x01", "\x7f"),
    *(
        "'); new File('executed').text = 'x'; ('",
        "' + \"${'touch executed'.execute()}\" + '",
        "]\n)\n}",
        "{{ 7*7 }}",
        "{% raw %}",
    ),
    *("$/", "/$", "~", "#", "!!python/object", "&a", "*a", "null", "it's", " ", "x"),
)
"""What has a meaning to Groovy, to Jinja, to YAML or to an editor."""


def groovy(script: Path, *arguments: str, cwd: Path) -> Any:
    """Run a script by the Groovy that Jenkins has; return the JSON that it prints."""
    command = [*harness()[:-1], "groovy.ui.GroovyMain", str(script), *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def texts(count: int, seed: int) -> list[str]:
    """Return texts put together from pieces, each piece alone among them."""
    chance = random.Random(seed)
    mixed = ["".join(chance.choices(PIECES, k=chance.randint(1, 6))) for _ in range(count)]
    return [*PIECES, *mixed]


def test_a_literal_is_the_value_in_groovy(tmp_path: Path) -> None:
    values = texts(2000, seed=1)
    # Groovy's methods are limited in size, as Java's are: a script of several hundred statements is cut into scripts.
    found = []
    for at in range(0, len(values), 200):
        (tmp_path / "some.groovy").write_text(
            "List values = []\n"
            + "".join(f"values << {literal(value)}\n" for value in values[at : at + 200])
            + "println groovy.json.JsonOutput.toJson(values)\n"
        )
        found += groovy(tmp_path / "some.groovy", cwd=tmp_path)
    assert found == values
    assert not list(tmp_path.glob("executed"))


def hostile(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a teams file whose every value is hostile, where a value may be anything."""

    def text() -> str:
        return "".join(chance.choices(PIECES, k=chance.randint(1, 5)))

    image = {
        "to": text(),
        "context": text(),
        "buildArgs": {text(): text()},
        "labels": {text(): text()},
        "tags": [text()],
    }
    repository = {
        "name": f"team/r{number}",
        "images": [image, {"to": text()}] if number % 2 else [image],
        "stages": [{"name": text(), "run": text()}, {"name": text(), "run": text(), "when": "before"}],
        "agent": text(),
        "policy": text(),
        "notify": [text()],
    }
    return {"teams": {"Team": {"owners": [text(), text()], "repositories": [repository]}}}


def located(value: Any) -> Located:
    if isinstance(value, dict):
        return Located({key: located(each) for key, each in value.items()}, "teams.yaml:1")
    if isinstance(value, list):
        return Located([located(each) for each in value], "teams.yaml:1")
    return Located(value, "teams.yaml:1")


def without_closures(calls: list[dict[str, Any]], name: str) -> list[Any]:
    return [each for call in calls if call["name"] == name for each in call["arguments"]]


def test_a_hundred_hostile_teams_files_are_errors_or_inert_text(tmp_path: Path) -> None:
    chance = random.Random(2)
    folder = tmp_path / "files"
    folder.mkdir()
    wanted: dict[str, dict[str, Any]] = {}
    for number in range(100):
        document = hostile(number, chance)
        teams = read_teams(located(document))
        (repository,) = teams.repositories
        text = Templates().render(repository, teams.teams[0], "v0.1.0")
        name = f"{number:03}"
        (folder / name).write_text(text)
        assert text.isascii()
        wanted[name] = {
            "imagePipeline": [json.loads(json.dumps(parameters(repository)))],
            "sh": [stage.run for stage in sorted(repository.stages, key=lambda each: each.when != "before")],
            "label": [repository.choices["agent"]],
        }
    recorded = groovy(RECORDER, str(folder), cwd=tmp_path)
    assert len(recorded) == 100
    for name, calls in recorded.items():
        assert isinstance(calls, list), calls
        for step, arguments in wanted[name].items():
            assert without_closures(calls, step) == arguments
        known = {
            "library",
            "pipeline",
            "agent",
            "label",
            "options",
            "timeout",
            "stages",
            "stage",
            "steps",
            "script",
            "sh",
        }
        assert {call["name"] for call in calls} <= known | {"imagePipeline", "post", "unsuccessful", "mail"}
    assert not list(tmp_path.rglob("executed"))


@pytest.mark.parametrize("value", ["\0", "a\0b", object(), 1.5, {1, 2}])
def test_what_has_no_literal_is_an_error(value: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be written into a Jenkinsfile"):
        literal(value)


def test_tags_of_yaml_make_nothing(tmp_path: Path) -> None:
    for tag in ("!!python/object/apply:os.system ['touch executed']", "!!python/name:os.system", "!ruby/object:X {}"):
        file = tmp_path / "teams.yaml"
        file.write_text(f"teams: {{a: {{owners: x, repositories: [{{name: n, images: [{{to: {tag}}}]}}]}}}}\n")
        with pytest.raises(ConfigError):
            read_teams(load_yaml(file))
    assert not list(tmp_path.glob("executed"))
