"""`imagegate version`."""

from __future__ import annotations

import click

from imagegate import __version__
from imagegate.cli.app import App


@click.command()
@click.pass_obj
def version(app: App) -> None:
    """Print the version."""
    if app.as_json:
        app.print_json("version", {"version": __version__})
    else:
        click.echo(f"imagegate {__version__}")
