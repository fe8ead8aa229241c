"""The step `recheckImages`: advisories brought up to date, packages matched again, one report of what was found.

One call does it all, or, with shards, makes the plan of the calls that do (`imagegate.jenkins.recheck_plan`).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from imagegate.cli.app import App
from imagegate.errors import AdvisoryError, ConfigError, NotTrusted, UsageError
from imagegate.jenkins.recheck_plan import REPORT, check, fan_out, shard_of, undecided
from imagegate.jenkins.request import Handed, Invocation, command_line

if TYPE_CHECKING:
    from imagegate.cli.main import End
    from imagegate.jenkins.result import Reports, StepResult

SNAPSHOT, COPY = "advisories.snapshot", "advisories.sqlite"
_FORMATS = ("junit", "html", "json")
_EVERYWHERE = ("config", "quiet")


def recheck_images(invocation: Invocation, handed: Handed, directory: Path) -> StepResult:
    """Run one call of the step. directory: its own; what other calls leave, and are left, is there."""
    check(invocation)
    _check_report(invocation)
    return _Call(invocation, handed, directory).run()


def _check_report(invocation: Invocation) -> None:
    """Raise UsageError for what the report would be refused for, when all else is done."""
    import click

    from imagegate.cli.recheck import MOMENT
    from imagegate.report.news import check_format

    for name in invocation.values.get("outputs") or {}:
        check_format(name)
    if since := invocation.text("since"):
        try:
            MOMENT.convert(since, None, None)
        except click.BadParameter as error:
            raise UsageError("recheckImages: `since` must be a day or a time in UTC", why=error.message) from None


class _Call:
    """One call of the step."""

    def __init__(self, invocation: Invocation, handed: Handed, directory: Path) -> None:
        self._invocation, self._handed, self._directory = invocation, handed, directory
        self._problems = list(handed.problems)
        self._advisories: Path | None = None

    def run(self) -> StepResult:
        only = self._invocation.text("only")
        if only:
            self._is_the_same_inventory()
            self._take_advisories()
            return self._report() if only == REPORT else self._shard(only)
        shards = self._invocation.number("shards")
        if shards > 1:
            self._is_no_file()
        if self._invocation.flag("update") and self._is_by_advisories():
            end, app = self._attempt(("db", "update"), ())
            if end.code:
                self._problems.append(f"advisories are as they were: {end.words or _failed_sources(app.document)}")
        if shards > 1:
            return self._fan_out()
        end, app = self._attempt(("recheck", "--shard=1/1"), ("full",))
        self._problems += _problems(app.document, end)
        return self._report()

    def _fan_out(self) -> StepResult:
        """Make the plan, and leave the advisories, in a file that the library hands to the other agents."""
        inventory = self._app().settings.inventory.url
        handed = Handed(inventory=inventory, problems=tuple(self._problems))
        if self._is_by_advisories():
            handed = self._with_advisories(handed)
        plan = fan_out(self._invocation, handed)
        return self._result(0, message=f"{len(plan.shards)} shards are to be done", fan_out=plan, stash=handed.stash)

    def _with_advisories(self, handed: Handed) -> Handed:
        """Return what tells other agents which advisories are meant, having written these where they are to be sent."""
        from imagegate.vulnerability.database import AdvisoryDatabase
        from imagegate.vulnerability.update.origin import digest
        from imagegate.vulnerability.update.snapshot_export import export

        app = self._app()
        database, snapshot = app.factory.database_file, self._directory / SNAPSHOT
        if not self._invocation.flag("stashAdvisories"):
            with AdvisoryDatabase(database) as opened:
                return msgspec.structs.replace(handed, lineage=opened.lineage)
        manifest = export(database, snapshot, None, now=datetime.now(UTC), progress=app.progress)
        packed, content = digest(snapshot), manifest.database.sha256
        stash = f"imagegate-advisories-{packed[:16]}"
        return msgspec.structs.replace(handed, stash=stash, snapshot=packed, database=content)

    def _shard(self, only: str) -> StepResult:
        if shard_of(only)[1] > 1:
            self._is_no_file()
        end, app = self._attempt(("recheck", f"--shard={only}"), ("full",))
        done, problems = _is_done(app.document), _problems(app.document, end)
        told = app.document if done else {}
        counted = (
            [f"shard {only}: {told['packages']} packages matched again, {told['changes']} changes"] if done else []
        )
        return self._result(end.code, message="; ".join([*counted, *problems]), done=done, problems=problems)

    def _report(self) -> StepResult:
        """Report what was found, tell the teams, and say what kept anything from being decided."""
        from imagegate.cli.step_recheck_result import told
        from imagegate.jenkins.result import FILES
        from imagegate.model.news import News

        self._problems += undecided(self._handed)
        reports = self._reports()
        folder = self._directory / "reports"
        outputs = [f"--output={name}={folder / reports.folder / FILES[name]}" for name in _FORMATS] if reports else []
        end, app = self._attempt(("recheck", "report"), ("full", "since", "outputs"), *outputs)
        news = app.document if isinstance(app.document, News) else None
        # The report has those that it was told of, and its own.
        self._problems = list(news.problems) if news else [*self._problems, end.words or "there is no report"]
        sending, notices = self._attempt(("recheck", "notify"), ())
        answer = notices.document if isinstance(notices.document, Mapping) else {}
        self._problems += answer.get("failures", ()) or ((sending.words,) if sending.code else ())
        code = 2 if self._problems or end.code not in (0, 1) else end.code
        there = reports if reports and (folder / reports.html).exists() else None
        if there:
            _set_styles_apart(folder / there.html)
        facts = told(code, news, self._problems, int(answer.get("sent", 0)))
        return self._result(code, **facts, reports=there, publish=there is not None)

    def _reports(self) -> Reports | None:
        from imagegate.jenkins.result import named_reports

        wanted = self._invocation.flag("publish")
        return named_reports(self._invocation.text("reportName"), issues=False) if wanted else None

    def _result(self, code: int, *, message: str, **facts: Any) -> StepResult:
        from imagegate.cli.step_result import OUTCOMES, printable
        from imagegate.jenkins.result import StepResult
        from imagegate.jenkins.wording import in_parameters
        from imagegate.model import Verdict

        return StepResult(
            step=self._invocation.step.name,
            outcome=OUTCOMES.get(code, Verdict.UNDECIDED),
            exit_code=code,
            message=printable(in_parameters(message, self._invocation.step)),
            on_stop=self._invocation.text("onStop"),
            **facts,
        )

    def _attempt(self, verb: tuple[str, ...], parameters: tuple[str, ...], *more: str) -> tuple[End, App]:
        """Run a verb with those of the parameters that it takes."""
        from imagegate.cli.main import attempt

        kept = {name: value for name, value in self._invocation.values.items() if name in (*parameters, *_EVERYWHERE)}
        step = msgspec.structs.replace(self._invocation.step, verb=verb)
        words = command_line(msgspec.structs.replace(self._invocation, step=step, values=kept))
        app = self._app()
        return attempt([*words[:-1], *more], app), app

    def _app(self) -> App:
        app = App()
        app.config_file = self._invocation.values.get("config")
        app.advisories, app.problems = self._advisories, tuple(self._problems)
        return app

    def _is_by_advisories(self) -> bool:
        """Whether packages are matched here. Else the Anchore server is asked, which has advisories of its own."""
        return self._app().settings.scanner != "anchore"

    def _is_no_file(self) -> None:
        """Raise UsageError where several agents would each have an inventory of their own."""
        if not self._app().settings.inventory.url.startswith("postgresql"):
            raise UsageError(
                "recheckImages: shards are for an inventory in PostgreSQL",
                why="this one is a file, which other agents do not see",
                hint="Set inventory.url to postgresql://USER@HOST/NAME in the site's settings, or leave `shards` out.",
            )

    def _is_the_same_inventory(self) -> None:
        own, first = self._app().settings.inventory.url, self._handed.inventory
        if first and own != first:
            raise ConfigError(
                "the settings of this agent name another inventory than those of the first",
                why=f"inventory.url is {own or 'a file'} here, {first} there",
                hint="Give all agents the same site settings.",
            )

    def _take_advisories(self) -> None:
        """See to it that this agent goes by the first one's advisories: by its own if they are the same, else a copy.

        The copy needs no signature: the library, on the controller, says what its digest is.
        """
        from imagegate.vulnerability.update.origin import digest
        from imagegate.vulnerability.update.snapshot_import import take

        app, handed = self._app(), self._handed
        database, snapshot = app.factory.database_file, self._directory / SNAPSHOT
        if not handed.stash:
            return self._is_of_one_origin(database)
        with suppress(OSError):
            if digest(database) == handed.database:
                return None
        if digest(snapshot) != handed.snapshot:
            raise NotTrusted("the advisories that Jenkins handed to this agent are not those of the first agent")
        copy = self._directory / COPY
        now = datetime.now(UTC)
        take(snapshot, copy, keys=(), unsigned=True, older=True, now=now, progress=app.progress)
        self._advisories = copy
        return None

    def _is_of_one_origin(self, database: Path) -> None:
        if not self._handed.lineage:
            return
        from imagegate.vulnerability.database import AdvisoryDatabase

        with AdvisoryDatabase(database) as opened:
            if opened.lineage != self._handed.lineage:
                raise AdvisoryError(
                    "the advisories of this agent are of another origin than those of the first",
                    hint="Leave `stashAdvisories` out, or have all agents share the file or import one snapshot.",
                )


def _is_done(document: Any) -> bool:
    return isinstance(document, Mapping) and document.get("schema") == "imagegate/shard/1"


def _problems(document: Any, end: End) -> tuple[str, ...]:
    """Return what a shard could not decide."""
    return tuple(document["problems"]) if _is_done(document) else (end.words or "the command ended early",)


def _set_styles_apart(page: Path) -> None:
    from imagegate.report.news_html import beside

    style = page.with_suffix(".css")
    text, styles = beside(page.read_text(), style.name)
    page.write_text(text)
    style.write_text(styles)


def _failed_sources(document: Any) -> str:
    """Return what an update says of the sources that failed."""
    sources = document.get("sources", ()) if isinstance(document, Mapping) else ()
    return "; ".join(f"{each.name}: {each.why}" for each in sources if each.outcome == "failed")
