"""`imagegate config show`: the settings in force and where each came from."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from imagegate.cli.app import App


@click.group()
def config() -> None:
    """Show the settings in force."""


@config.command()
@click.option("--origin", is_flag=True, help="Print with each value the place that it came from.")
@click.pass_obj
def show(app: App, origin: bool) -> None:
    """Print every setting. None of them is a secret: those come from the environment and from files only."""
    configuration = app.configuration
    rows = list(_rows(msgspec.to_builtins(configuration.settings)))
    origins = {key: str(place) for key, place in configuration.origins.items()}
    if app.as_json:
        settings = {
            key: {"value": value, "origin": origins.get(key, "default"), "locked": _locked(key, configuration.locked)}
            for key, value in rows
        }
        app.print_json("config", {"settings": settings})
        return
    for key, value in rows:
        text = msgspec.json.encode(value).decode()
        note = f"  # {origins.get(key, 'default')}" if origin else ""
        lock = ", locked" if note and _locked(key, configuration.locked) else ""
        click.echo(f"{key}: {text}{note}{lock}")


def _locked(key: str, locked: tuple[str, ...]) -> bool:
    return any(key == lock or key.startswith(f"{lock}.") for lock in locked)


def _rows(node: dict[str, Any], prefix: str = "") -> Any:
    for name, value in node.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and value:
            yield from _rows(value, f"{key}.")
        else:
            yield key, value
