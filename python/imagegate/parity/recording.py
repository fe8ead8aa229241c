"""A folder of evaluations that a real Anchore Engine gave, with the images and the feeds that it had.

`cases*.jsonl`, `images/NAME.oci.tar` with `images/Dockerfile.NAME`, `advisories.json`, `analyzer_config.yaml`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from imagegate.analysis.patterns import SECRETS
from imagegate.errors import ConfigError
from imagegate.settings import AnalysisSettings
from imagegate.yamlfile import load_yaml


class Mapping(msgspec.Struct):
    """The mapping rule that matched."""

    name: str = ""


class EngineEvaluation(msgspec.Struct):
    """What the engine said of one image. http: the error that the check itself ended with; then there is nothing else.

    matched_mapping_rule: false, as the engine has it, when none matched.
    """

    rows: list[dict[str, Any]] = []
    final_action: str = ""
    final_action_reason: str = ""
    matched_mapping_rule: Mapping | bool | None = None
    evaluation_problems: list[dict[str, Any]] = []
    status: str = ""
    http: Any = None


class Added(msgspec.Struct):
    """What posting the bundle gave. status: 400 when it was refused."""

    status: int


class EngineCase(msgspec.Struct):
    add: Added
    images: dict[str, EngineEvaluation] = {}


class Case(msgspec.Struct):
    """A bundle, and what the engine did with it."""

    name: str
    bundle: dict[str, Any]
    engine: EngineCase


class Recording:
    """The folder. Raises ConfigError for one that is not of this form."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.cases = [case for file in sorted(directory.glob("cases*.jsonl")) for case in _cases(file)]
        if not self.cases:
            raise ConfigError(f"{directory} holds no recorded cases", hint="It must have a file named cases*.jsonl.")
        self.advisories = _read(directory / "advisories.json")

    @property
    def images(self) -> list[str]:
        """The names of the images that a case is about."""
        return sorted({image for case in self.cases for image in case.engine.images})

    def layout(self, image: str) -> Path:
        """Return an image's OCI layout, as a tar."""
        return self.directory / "images" / f"{image}.oci.tar"

    def dockerfile(self, image: str) -> Path | None:
        """Return the Dockerfile that the engine was given with the image."""
        file = self.directory / "images" / f"Dockerfile.{image}"
        return file if file.exists() else None

    def settings(self) -> AnalysisSettings:
        """Return how the engine analysed, as our settings. (`analyzer_config.yaml`.)"""
        config = load_yaml(self.directory / "analyzer_config.yaml").plain()
        secrets = _patterns(config, "secret_search")
        return AnalysisSettings(
            retrieve=tuple(config.get("retrieve_files", {}).get("file_list", ())),
            retrieve_max_size=int(config.get("retrieve_files", {}).get("max_file_size_kb", 1000)) * 1024,
            secrets={**dict.fromkeys(SECRETS, ""), **secrets},
            contents=_patterns(config, "content_search"),
            search_max_size=_max_size(config),
            verify=True,
        )


def _cases(file: Path) -> list[Case]:
    try:
        return msgspec.json.Decoder(Case).decode_lines(file.read_bytes())
    except msgspec.DecodeError as error:
        raise ConfigError(f"{file} is no file of recorded cases", why=str(error)) from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return dict(msgspec.json.decode(file.read_bytes()))
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read", why=str(error)) from error


def _patterns(config: dict[str, Any], section: str) -> dict[str, str]:
    given = config.get(section, {}).get("regexp_match", ()) or ()
    return {name: regex for name, _, regex in (each.partition("=") for each in given)}


def _max_size(config: dict[str, Any]) -> int:
    """Both searches have one limit here; the engine may be given two, and its default is none."""
    limits = [
        int(value)
        for section in ("secret_search", "content_search")
        for name, _, value in (each.partition("=") for each in config.get(section, {}).get("match_params", ()) or ())
        if name == "MAXFILESIZE"
    ]
    return max(limits, default=1024**3)
