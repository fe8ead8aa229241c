"""The root command: global options, and verbs that are imported only when they are called."""

from __future__ import annotations

import importlib
from copy import copy
from typing import Any

import click

from imagegate import __version__
from imagegate.cli.app import App

VERBS: dict[str, tuple[str, str]] = {
    "build": ("build:build", "Build an image on verified base images, pinned by digest."),
    "analyze": ("analyze:analyze", "List what an image holds: packages, files, users, configuration."),
    "check": ("check:check", "Evaluate a policy on images, and change nothing."),
    "explain": ("explain:explain", "Explain findings: rule, place, owner, fix, waiver."),
    "gate": ("gate:gate", "Evaluate an image; if it passes, copy, sign, verify and tag it."),
    "promote": ("gate:promote", "Gate an image that is named by its digest."),
    "sign": ("trust:sign", "Sign what is in the trusted registry already."),
    "verify": ("trust:verify", "Verify a tag's signature as a consumer would."),
    "base": ("base:base", "Verify the base images of a Dockerfile."),
    "db": ("db:db", "Fill and inspect the advisory database."),
    "inventory": ("inventory:inventory", "Keep the promoted images and their packages."),
    "query": ("query:query", "Ask which promoted images have a package, vulnerability or file."),
    "recheck": ("recheck:recheck", "Say which promoted images new and changed advisories hit, and tell their teams."),
    "policy": ("policy:policy", "Lint, convert, show, test and compare policies."),
    "anchore": ("anchore:anchore", "Ask the Anchore server, and give it the policies."),
    "parity": ("parity:parity", "Compare the embedded evaluator with a real engine."),
    "config": ("config:config", "Show the settings in force."),
    "new": ("new:new", "Write a new repository that builds and passes the gate."),
    "generate": ("generate:generate", "Write a Jenkinsfile for each repository of a teams file."),
    "jenkins": ("jenkins:jenkins", "Keep the jobs of a teams file on a Jenkins."),
    "step": ("step:step", "Run one step of the Jenkins library."),
    "version": ("version:version", "Print the version."),
}
"""Verb to where it is, and its line in `--help`, which imports none of them."""


GLOBAL = (
    click.Option(
        ["--config", "config_file"], metavar="FILE", help="Project settings (default: imagegate.yaml, if there)."
    ),
    click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document on standard output."),
    click.Option(["--quiet", "-q"], is_flag=True, help="No progress and no messages, only results and errors."),
    click.Option(["--debug"], is_flag=True, help="Show the traceback of an error."),
)
"""What may stand before a verb and after it."""


def _set(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        setattr(ctx.ensure_object(App), str(param.name), value)


def _take_globals(command: click.Command) -> None:
    """Let a verb, and the verbs in it, take the global options too: who appends `--json` means the same by it."""
    for each in GLOBAL:
        again = copy(each)
        again.expose_value, again.hidden, again.callback = False, True, _set
        command.params.append(again)
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _take_globals(inner)


class Verbs(click.Group):
    """A group that imports a verb when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        module, _, name = VERBS[cmd_name][0].partition(":")
        found: click.Command = getattr(importlib.import_module(f"imagegate.cli.{module}"), name)
        if GLOBAL[0].name not in {param.name for param in found.params}:
            _take_globals(found)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in VERBS:
            from difflib import get_close_matches

            near = get_close_matches(args[0], list(VERBS), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"There is no verb {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, summary) for verb, (_, summary) in VERBS.items()])


@click.group(
    cls=Verbs,
    subcommand_metavar="VERB [ARGS]...",
    params=[*GLOBAL],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="imagegate", message="%(prog)s %(version)s")
@click.pass_context
def root(ctx: click.Context, config_file: str | None, as_json: bool, quiet: bool, debug: bool) -> None:
    """A gate between "an image was built" and "an image may be pulled".

    Images are evaluated against Anchore policies and, only if they pass, copied by digest into a trusted registry,
    signed with Notary, verified there and tagged.

    Exit codes: 0 pass, 1 stopped by policy or by trust, 2 could not decide.
    """
    app = ctx.ensure_object(App)
    app.config_file, app.as_json, app.quiet, app.debug = config_file, as_json, quiet, debug
