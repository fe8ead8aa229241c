"""`imagegate anchore`: the Anchore server that the settings name."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imagegate.cli.app import App
from imagegate.cli.console import printable
from imagegate.errors import ConfigError
from imagegate.model import Digest

if TYPE_CHECKING:
    from imagegate.anchore.client import SbomForm


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


_KINDS = ("tag_update", "policy_eval", "vuln_update", "analysis_update", "repo_update", "alerts")


def _digest(text: str) -> Digest:
    if not re.fullmatch("sha256:[0-9a-f]{64}", text):
        raise click.BadParameter(f"{text!r} is no digest: sha256: and 64 hexadecimal digits")
    return Digest(text)


@anchore.command()
@click.pass_obj
def images(app: App) -> int:
    """List the images that the server knows: digest, state and tags."""
    known = app.factory.anchore().images()
    if app.as_json:
        app.print_json("anchore-images", {"images": known})
        return 0
    for image in known:
        click.echo(printable(f"{image.digest}  {image.state.value:<15}  {' '.join(image.tags)}"))
    return 0


@anchore.command()
@click.argument("digest", type=_digest, metavar="DIGEST")
@click.pass_obj
def ancestors(app: App, digest: Digest) -> int:
    """List an image's analysed ancestors; * is the one that the server compares with. Enterprise only."""
    found = app.factory.anchore().ancestors(digest)
    if app.as_json:
        app.print_json("anchore-ancestors", {"ancestors": found})
        return 0
    for each in found:
        click.echo(printable(f"{'*' if each.chosen else ' '} {each.digest}  {' '.join(each.tags)}"))
    return 0


@anchore.command()
@click.argument("digest", type=_digest, metavar="DIGEST")
@click.argument("kind", metavar="TYPE")
@click.pass_obj
def content(app: App, digest: Digest, kind: str) -> int:
    """Print what the server found in an image, as it says it. TYPE: os, files, npm, gem, python, java, malware ..."""
    app.print_json("anchore-content", {"content": app.factory.anchore().content(digest, kind)})
    return 0


@anchore.command()
@click.argument("digest", type=_digest, metavar="DIGEST")
@click.option("--force", is_flag=True, help="Also when the image is its tag's latest, or has subscriptions.")
@click.pass_obj
def delete(app: App, digest: Digest, force: bool) -> int:
    """Delete an image's analysis on the server; no registry is touched."""
    app.factory.anchore().delete_image(digest, force=force)
    return 0


@anchore.command()
@click.argument("digest", type=_digest, metavar="[DIGEST]", required=False)
@click.option("--restore", is_flag=True, help="Take it out of the archive again.")
@click.pass_obj
def archive(app: App, digest: Digest | None, restore: bool) -> int:
    """Put an image's analysis into the server's archive, or list the archive."""
    client = app.factory.anchore()
    if digest:
        client.restore(digest) if restore else client.archive(digest)
        return 0
    if restore:
        raise ConfigError("--restore needs the digest of what is to be restored")
    return _listed(app, "anchore-archive", client.archived(), "status", "digest")


@anchore.command()
@click.argument("key", required=False, metavar="[TAG|REPOSITORY]")
@click.option("--on", "switched_on", type=click.Choice(_KINDS), help="Switch a kind on.")
@click.option("--off", "switched_off", type=click.Choice(_KINDS), help="Switch a kind off.")
@click.pass_obj
def subscriptions(app: App, key: str | None, switched_on: str | None, switched_off: str | None) -> int:
    """List what the server watches, or change it for a `registry/repo:tag` or a repository."""
    client = app.factory.anchore()
    if (switched_on or switched_off) and not key:
        raise ConfigError("--on and --off need the tag or repository that they are about")
    for kind, active in ((switched_on, True), (switched_off, False)):
        if kind and key:
            client.subscribe(key, kind, active=active)
    return _listed(app, "anchore-subscriptions", client.subscriptions(key or ""), "active", "kind", "key")


@anchore.command()
@click.argument("registry", required=False)
@click.option("--user", metavar="NAME", help="Login for it; the password is read from IMAGEGATE_REGISTRY_PASSWORD.")
@click.option("--insecure", is_flag=True, help="The server does not verify the registry's certificate.")
@click.option("--delete", "forget", is_flag=True, help="Have the server forget the login.")
@click.pass_obj
def registries(app: App, registry: str | None, user: str | None, insecure: bool, forget: bool) -> int:
    """List the registries that the server has logins for, or give it one."""
    client = app.factory.anchore()
    if (user or forget) and not registry:
        raise ConfigError("--user and --delete need the registry that they are about")
    if registry and forget:
        client.delete_registry(registry)
    elif registry and user:
        password = os.environ.get("IMAGEGATE_REGISTRY_PASSWORD", "")
        if not password:
            raise ConfigError(
                f"no password for {user} at {registry}", hint="Set IMAGEGATE_REGISTRY_PASSWORD in the environment."
            )
        client.set_registry(registry, user, password, verify=not insecure)
    found = [each for each in client.registries() if registry in (None, each.registry)]
    return _listed(app, "anchore-registries", found, "registry", "user")


@anchore.command()
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="Events at the most.")
@click.option("--level", type=click.Choice(["info", "error"]), help="Of this level only.")
@click.option("--type", "kind", metavar="PREFIX", help="Of this type: user.image.analysis ...")
@click.pass_obj
def events(app: App, limit: int, level: str | None, kind: str | None) -> int:
    """List the server's events, newest first."""
    from itertools import islice

    query = {name: value for name, value in (("level", level), ("event_type", kind)) if value}
    found = list(islice(app.factory.anchore().events(**query), limit))
    return _listed(app, "anchore-events", found, "at", "level", "kind", "resource", "message")


@anchore.command()
@click.pass_obj
def feeds(app: App) -> int:
    """List the server's feeds of vulnerabilities, and when each was fetched."""
    return _listed(app, "anchore-feeds", app.factory.anchore().feeds(), "feed", "group", "records", "synced_at")


@anchore.command()
@click.argument("digest", type=_digest, metavar="DIGEST")
@click.option(
    "--form",
    type=click.Choice(["native", "spdx", "cyclonedx"]),
    default="native",
    show_default=True,
    help="spdx and cyclonedx: Enterprise only.",
)
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Where to.")
@click.pass_obj
def sbom(app: App, digest: Digest, form: SbomForm, output: Path) -> int:
    """Download the server's list of an image's packages. Engine's is a gzipped one, as it keeps it."""
    from imagegate.report import write_bytes

    write_bytes(output, app.factory.anchore().sbom(digest, form))
    return 0


def _listed(app: App, kind: str, found: Sequence[Any], *names: str) -> int:
    """Print records: whole as JSON, else the named fields."""
    if app.as_json:
        app.print_json(kind, {kind.removeprefix("anchore-"): found})
        return 0
    for each in found:
        click.echo(printable("  ".join(str(getattr(each, name)) for name in names)))
    return 0
