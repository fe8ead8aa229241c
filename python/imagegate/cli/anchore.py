"""`imagegate anchore`: the Anchore server that the settings name."""

from __future__ import annotations

import click

from imagegate.cli.app import App
from imagegate.cli.console import printable


@click.group()
def anchore() -> None:
    """Ask the Anchore server, and give it the policies."""


@anchore.command()
@click.pass_obj
def status(app: App) -> int:
    """Print the server's version and the state of its services. Exits with 2 when one is down."""
    client = app.factory.anchore()
    version, services = client.version(), client.services()
    down = [service for service in services if not service.up]
    if app.as_json:
        app.print_json("anchore-status", {"version": version, "services": services})
        return 2 if down else 0
    click.echo(f"{client.session.host}  Anchore {version.service}, API {version.api}")
    for service in services:
        click.echo(printable(f"  {'up  ' if service.up else 'DOWN'}  {service.name}  {service.message}"))
    return 2 if down else 0


@anchore.command("push-policies")
@click.argument("files", nargs=-1, required=True, metavar="NAME|FILE...")
@click.option("--activate", metavar="ID", default="", help="Make the document with this id the active one.")
@click.option("--apply", "carry_out", is_flag=True, help="Carry the plan out; else it is only shown.")
@click.pass_obj
def push_policies(app: App, files: tuple[str, ...], activate: str, carry_out: bool) -> int:
    """Show what would change on the server so that it has these policy documents, and with --apply change it.

    Documents are checked first, and converted to the server's version. The waivers of the settings go with them, as an
    allowlist. Nothing is deleted. Exits with 1 when there is something to change and it was not changed.
    """
    from imagegate.anchore.policies import Step, apply, for_server, plan
    from imagegate.policy.document import load_bundle
    from imagegate.policy.shipped import find
    from imagegate.policy.waivers import whitelist

    allowlist, untold = whitelist(app.factory.waivers())
    client = app.factory.anchore()
    documents = [for_server(load_bundle(find(file)).document, allowlist, client.api) for file in files]
    changes = plan(client, documents, activate)
    for each in untold:
        app.say(f"note: {each}")
    pending = [change for change in changes if not change.is_nothing]
    if carry_out:
        apply(client, pending)
    if app.as_json:
        told = [{"step": each.step, "id": each.id, "activate": each.activate, "diff": each.diff} for each in changes]
        app.print_json("anchore-policies", {"applied": carry_out, "changes": told})
        return 0 if carry_out or not pending else 1
    for change in changes:
        active = ", made active" if change.activate else ""
        click.echo(printable(f"{change.step.value:<7}{change.id}  {change.name}{active}"))
        for rule in dict.fromkeys(change.left_out):
            app.say(f"note: rules of {rule} are left out: no server knows them")
        if change.step is not Step.KEEP and not carry_out:
            click.echo("\n".join(printable(f"  {line}") for line in change.diff.splitlines()))
    if pending and not carry_out:
        click.echo("next: --apply carries it out.")
    return 0 if carry_out or not pending else 1
