"""What every verb gets: global options, the settings, and where its results go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from imagegate.cli import console

if TYPE_CHECKING:
    from pathlib import Path

    from imagegate.cli.factory import Factory
    from imagegate.config import Configuration
    from imagegate.progress import Progress
    from imagegate.settings import Settings


class App:
    """One run of the command. Settings are read when a verb first asks for them."""

    def __init__(self) -> None:
        self.config_file: str | None = None
        self.as_json = self.quiet = self.debug = False
        self.flags: dict[str, Any] = {}
        self.advisories: Path | None = None
        """A copy of the advisories to go by, in place of the file that the settings name."""
        self.problems: tuple[str, ...] = ()
        """What earlier parts of the work could not decide: its report tells of it."""
        self.document: Any = None
        """What the verb answered, as a value."""

    def set_flags(self, flags: Mapping[str, Any]) -> None:
        """Take a verb's options that are settings: key to value, None for an option that was not given."""
        self.flags.update({key: value for key, value in flags.items() if value is not None})

    @cached_property
    def configuration(self) -> Configuration:
        """The settings with their origins. Raises ConfigError."""
        from imagegate import config

        return config.load(flags=self.flags, environ=config.environment(), project_file=self.config_file)

    @property
    def settings(self) -> Settings:
        return self.configuration.settings

    @cached_property
    def progress(self) -> Progress:
        return console.progress(self.quiet or self.as_json)

    @cached_property
    def factory(self) -> Factory:
        """The one place that names the concrete classes behind the interfaces."""
        from imagegate.cli.factory import Factory

        return Factory(self.settings, self.progress, self.say, advisories=self.advisories)

    def say(self, text: str) -> None:
        """Print a message for a person on standard error, unless asked to be quiet."""
        if not self.quiet:
            console.say(text)

    def answer(self, document: Any, text: Callable[[], str]) -> None:
        """Tell the result of a verb: as the one JSON document of this run, or in words. document: of the model."""
        if self.as_json:
            self.print_document(document)
        else:
            self.document = document
            click.echo(text())

    def print_json(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Print the one JSON document of this run: `schema` and the fields."""
        self.print_document(titled(kind, fields))

    def print_document(self, document: Any) -> None:
        """Print a value of the model as JSON."""
        import msgspec

        self.document = document
        click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def titled(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as a document of this kind."""
    return {"schema": f"imagegate/{kind}/1", **fields}
