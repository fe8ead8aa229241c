"""Jenkinsfiles from Jinja templates: the shipped ones, or a site's own that extend them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagegate.errors import ConfigError, UsageError
from imagegate.jenkins.catalogue import BY_NAME
from imagegate.jenkins.groovy import GroovySource, comment, key, literal
from imagegate.jenkins.site import RecheckJob
from imagegate.jenkins.teams import Repository, Team

if TYPE_CHECKING:
    from jinja2 import Environment

SHIPPED = Path(__file__).parents[1] / "templates"
_KINDS = {"application": "application.j2", "base": "base-image.j2"}
_CHOICES = ("onStop", "promotion", "promotionJob", "staging")
"""Choices of a repository that are parameters of imagePipeline as they are."""


class Templates:
    """The templates of a site. In them every value goes through `groovy`, `key` or `comment`, or rendering fails."""

    def __init__(self, directory: Path | None = None) -> None:
        """directory: of a site's own; those of the same name hide the shipped, which are found as `shipped/NAME`."""
        self._environment = _environment(directory)

    def render(self, repository: Repository, team: Team, library: str) -> str:
        """Return the Jenkinsfile of a repository, without its stamp. Raises ConfigError."""
        return self._rendered(
            repository.name,
            template_of(repository),
            library=f"imagegate@{library}",
            team=team.name,
            owners=list(team.owners),
            repository=repository.name,
            agent=repository.choices.get("agent", "docker"),
            timeout=_minutes(repository),
            notify=repository.choices.get("notify", []),
            before=[stage for stage in repository.stages if stage.when == "before"],
            test=[stage for stage in repository.stages if stage.when == "test"],
            parameters=parameters(repository),
        )

    def render_recheck(self, recheck: RecheckJob, library: str) -> str:
        """Return the Jenkinsfile of the job that re-checks, without its stamp. Raises ConfigError."""
        return self._rendered(
            recheck.job.name,
            recheck.template,
            library=f"imagegate@{library}",
            parameters=_in_order(recheck.parameters, "recheckImages"),
        )

    def _rendered(self, whose: str, name: str, **values: Any) -> str:
        from jinja2 import TemplateError, TemplateNotFound

        try:
            text = self._environment.get_template(name).render(**values)
        except TemplateNotFound as error:
            raise ConfigError(f"{whose}: there is no template {error.name}", hint=_hint(self._environment)) from error
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            where = f"{name}:{line}" if line else name
            raise ConfigError(f"{whose}: the template {where} fails", why=str(error)) from error
        return f"{text.rstrip()}\n"


def template_of(repository: Repository) -> str:
    """Return the name of a repository's template."""
    return repository.template or _KINDS[repository.kind]


def parameters(repository: Repository) -> dict[str, Any]:
    """Return what imagePipeline is given: one image's parameters, or `images`."""
    shared = {name: repository.choices[name] for name in ("policy", *_CHOICES) if repository.choices.get(name)}
    if repository.kind == "base":
        shared = {"policy": "base-image", "overwriteTag": True, **shared}
    if len(repository.images) == 1:
        return _in_order({**shared, **repository.images[0]})
    return _in_order({**shared, "images": [_in_order(image) for image in repository.images], "inParallel": True})


def _in_order(given: Mapping[str, Any], step: str = "imagePipeline") -> dict[str, Any]:
    """Return parameters in the order of the step's help, whatever order the teams file has them in."""
    order = [parameter.name for parameter in BY_NAME[step].all_parameters]
    return {name: given[name] for name in sorted(given, key=order.index)}


def _minutes(repository: Repository) -> int:
    text = str(repository.choices.get("timeout", "60"))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100_000:
        raise ConfigError(f"{repository.name}: timeout is minutes, not {text!r}")
    return int(text)


def _hint(environment: Environment) -> str:
    return f"Templates: {', '.join(sorted(each for each in environment.list_templates() if '/' not in each))}."


def _environment(directory: Path | None) -> Environment:
    try:
        from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader, StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise UsageError("jinja2 is not installed", hint="pip install 'imagegate[admin]'") from error
    shipped = FileSystemLoader(SHIPPED)
    own = [FileSystemLoader(directory)] if directory else []

    class GroovyEnvironment(ImmutableSandboxedEnvironment):
        """What was put together from source, a block or a macro, is source."""

        concat = staticmethod(lambda parts: GroovySource("".join(parts)))

    environment = GroovyEnvironment(
        loader=ChoiceLoader([*own, shipped, PrefixLoader({"shipped": shipped})]),
        undefined=StrictUndefined,
        finalize=_only_source,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["groovy"] = _literal
    environment.filters["key"] = key
    environment.filters["comment"] = comment
    return environment


def _literal(value: Any) -> GroovySource:
    if type(value).__name__ == "StrictUndefined":
        str(value)  # raises, and says what is undefined
    return literal(value)


def _only_source(value: Any) -> Any:
    """Let only Groovy source into the text: the guard that makes a forgotten filter an error and not an injection."""
    if not isinstance(value, GroovySource):
        raise ConfigError(f"a template writes {str(value)[:60]!r} as it is", hint="Put it through `| groovy`.")
    return value
