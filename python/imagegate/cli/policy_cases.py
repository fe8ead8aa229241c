"""`imagegate policy test` and `diff`: policies over images and over saved analyses."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from imagegate.cli.app import App

if TYPE_CHECKING:
    from imagegate.model import Analysis, Evaluation
    from imagegate.policy.cases import Case, Suite
    from imagegate.policy.model import PolicyBundle

_FILE = click.Path(path_type=Path)
_NAME = "registry.example.com/team/app:latest"


@click.command()
@click.argument("file", type=_FILE, metavar="TESTS.yaml")
@click.pass_obj
def test(app: App, file: Path) -> int:
    """Run a policy's tests: cases of images or saved analyses with the findings that are expected.

    Exits with 1 when a case fails.
    """
    from imagegate.cli.console import printable
    from imagegate.policy.cases import failures
    from imagegate.policy.document import load_bundle
    from imagegate.policy.shipped import find

    suite = _suite(file)
    beside = file.parent / suite.policy
    bundle = load_bundle(beside if beside.exists() else find(suite.policy))
    results = []
    for number, case in enumerate(suite.cases, 1):
        wrong = list(failures(_case(app, bundle, case, file.parent), case.expect))
        results.append({"case": case.name or f"case {number}", "failures": wrong})
        if not app.as_json:
            click.echo(printable(f"{'FAIL' if wrong else 'ok  '}  {results[-1]['case']}"))
            for line in wrong:
                click.echo(printable(f"      {line}"))
    failed = sum(bool(result["failures"]) for result in results)
    if app.as_json:
        app.print_json("policy-test", {"failed": failed, "cases": results})
    else:
        click.echo(f"{len(results) - failed} of {len(results)} cases as expected")
    return 1 if failed else 0


@click.command()
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.argument("analyses", nargs=-1, required=True, type=_FILE, metavar="ANALYSIS...")
@click.option("--as", "name", default=_NAME, show_default=True, metavar="NAME", help="The name that mappings see.")
@click.pass_obj
def diff(app: App, old: str, new: str, analyses: tuple[Path, ...], name: str) -> int:
    """Say which images newly stop, and which newly pass, and why.

    ANALYSIS is a file that `imagegate analyze --json` wrote. Exits with 1 when anything changes.
    """
    from imagegate.cli.console import printable
    from imagegate.policy.cases import compare
    from imagegate.policy.document import load_bundle
    from imagegate.policy.shipped import find

    before, after = load_bundle(find(old)), load_bundle(find(new))
    changes = []
    for file in analyses:
        analysis = _analysis(file)
        sides = [_evaluate(app, bundle, analysis, name, None) for bundle in (before, after)]
        changes.append(compare(str(file), *sides))
    if app.as_json:
        app.print_json("policy-diff", {"changes": [change for change in changes if change]})
        return 1 if any(changes) else 0
    for change in changes:
        if change:
            click.echo(printable(f"{change.image}: {change.before.value} -> {change.after.value}"))
            for sign, findings in (("-", change.gone), ("+", change.new)):
                for finding in findings:
                    click.echo(printable(f"  {sign} {finding}"))
    click.echo(f"{sum(map(bool, changes))} of {len(changes)} images change")
    return 1 if any(changes) else 0


def _suite(file: Path) -> Suite:
    import msgspec

    from imagegate.errors import PolicyError
    from imagegate.policy.cases import Suite
    from imagegate.yamlfile import load_yaml

    try:
        return msgspec.convert(load_yaml(file).plain(), Suite)
    except msgspec.ValidationError as error:
        raise PolicyError(f"{file} is no file of policy tests", why=str(error), hint="See docs/policies.md.") from error


def _case(app: App, bundle: PolicyBundle, case: Case, directory: Path) -> Evaluation:
    from imagegate.errors import PolicyError
    from imagegate.image.reference import parse
    from imagegate.policy.demands import settings_for

    if bool(case.image) == bool(case.analysis):
        raise PolicyError(f"the case {case.name!r} must have either `image` or `analysis`")
    if case.analysis:
        analysis = _analysis(directory / case.analysis)
    else:
        with app.factory.open(parse(case.image)) as source:
            (image,) = app.factory.resolve(source).images
            engine = app.settings.policy.compat == "engine"
            analysis = app.factory.analyze(image, source, settings_for(bundle, app.settings.analysis, engine=engine))
    dockerfile = directory / case.dockerfile if case.dockerfile else None
    return _evaluate(app, bundle, analysis, case.name_as or _NAME, dockerfile, case.base)


def _analysis(file: Path) -> Analysis:
    import msgspec

    from imagegate.errors import PolicyError
    from imagegate.model import Analysis

    try:
        return msgspec.json.decode(file.read_bytes(), type=Analysis)
    except (OSError, msgspec.DecodeError) as error:
        raise PolicyError(
            f"{file} is no saved analysis", why=str(error), hint="`imagegate analyze IMAGE --json` writes one."
        ) from error


def _evaluate(
    app: App, bundle: PolicyBundle, analysis: Analysis, name: str, dockerfile: Path | None, base: str = ""
) -> Evaluation:
    from imagegate.model import BaseProof, BaseStatus
    from imagegate.policy.evaluate import evaluate
    from imagegate.policy.facts import Facts

    listed = bundle.uses_gate("npms") or bundle.uses_gate("ruby_gems")
    facts = Facts(
        analysis=analysis,
        dockerfile=app.factory.dockerfile(dockerfile) if dockerfile else None,
        vulnerabilities=app.factory.match(analysis) if bundle.uses_gate("vulnerabilities") else None,
        listing=app.factory.listing() if listed else None,
        base=BaseProof(BaseStatus.PROVED, reference=base) if base else None,
    )
    return evaluate(bundle, facts, tag=name, settings=app.settings.policy, now=datetime.now(UTC))
