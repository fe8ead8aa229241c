"""What the Jenkins library asks of the command: the request of a step, and the command line that it becomes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from imagegate import __version__
from imagegate.errors import UsageError
from imagegate.jenkins.catalogue import BY_NAME
from imagegate.jenkins.parameter import Kind, Parameter, read
from imagegate.jenkins.step import Step

NO_OVERWRITE = "overwriteTag cannot be asked for where another job promotes: its admins say what may move"


class Ended(msgspec.Struct, frozen=True):
    """How a shard ended. done: whether it came to its end. problems: what it could not decide."""

    done: bool = False
    message: str = ""
    problems: tuple[str, ...] = ()


class Handed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the library hands from one call of a step to the others that it plans.

    bindings: the row of the library's table of credentials, the step's own where it is empty. stash: Jenkins's, with
    the snapshot of the first agent's advisories, empty: each agent has them. snapshot, database: the SHA-256 of that
    file, and of the database in it. lineage: of that database. inventory: the URL that the first agent goes by.
    problems: of the first call. shards: all of them; ended: how each did.
    """

    bindings: str = ""
    stash: str = ""
    snapshot: str = ""
    database: str = ""
    lineage: str = ""
    inventory: str = ""
    problems: tuple[str, ...] = ()
    shards: tuple[str, ...] = ()
    ended: dict[str, Ended] = {}


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`request.json` as the library writes it. version: the library's, which must be the command's.

    keyless: whether another job signs, as the library saw it when it chose what to bind. handed: of a call that another
    call of the step planned.
    """

    step: str
    version: str
    parameters: dict[str, Any]
    keyless: bool = False
    handed: Handed = Handed()


class Invocation(msgspec.Struct, frozen=True):
    """A step that is ready to run. values: the parameters that were given, or that a variable gives."""

    step: Step
    values: dict[str, Any]

    def text(self, name: str) -> str:
        """Return a text parameter, its default where it was not given."""
        return str(self.values.get(name, self._parameter(name).default))

    def flag(self, name: str) -> bool:
        """Return a flag, its default where it was not given."""
        return bool(self.values.get(name, self._parameter(name).default == "true"))

    def number(self, name: str) -> int:
        """Return a number, its default where it was not given."""
        return int(self.values.get(name, self._parameter(name).default))

    def _parameter(self, name: str) -> Parameter:
        return next(each for each in self.step.all_parameters if each.name == name)


def decode(text: bytes) -> Request:
    """Return the request. Raises UsageError for what no library of this version writes."""
    try:
        request = msgspec.json.decode(text, type=Request)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError("the request of the Jenkins library cannot be read", why=str(error)) from error
    if request.version != __version__:
        raise UsageError(
            f"the library is of version {request.version}, this command of {__version__}",
            hint="Set the step's `install`, or put the library's version on the agent.",
        )
    return request


def read_request(request: Request, environ: Mapping[str, str]) -> Invocation:
    """Check the parameters by name and kind. Raises UsageError with every mistake, a line each."""
    step = BY_NAME.get(request.step)
    if step is None:
        raise UsageError(f"there is no step {request.step!r}")
    parameters = step.all_parameters
    given = dict(request.parameters)
    for parameter in parameters:
        if parameter.variable and given.get(parameter.name) is None and environ.get(parameter.variable):
            given[parameter.name] = environ[parameter.variable]
    values, problems = read(step.name, parameters, given)
    if values.get("promotion") == "delegated":
        problems += (
            f"{step.name}: {name} is missing, which `promotion: delegated` needs"
            for name in ("staging", "promotionJob")
            if not values.get(name)
        )
        if values.get("overwriteTag"):
            problems.append(f"{step.name}: {NO_OVERWRITE}")
    promotes = any(parameter.name == "promotion" for parameter in parameters)
    if promotes and request.keyless != (values.get("promotion") == "delegated"):
        problems.append(
            "IMAGEGATE_PROMOTION is a variable of the agent only, so that keys were bound before it was seen; "
            "set it in Jenkins: globally, for the folder, or in the pipeline's environment"
        )
    if problems:
        raise UsageError("\n  ".join(problems))
    return Invocation(step, values)


def command_line(invocation: Invocation) -> list[str]:
    """Return the arguments for the command. Every value is one argument, whatever is in it."""
    values = invocation.values
    options = [f"--config={values['config']}"] if values.get("config") else []
    if not invocation.step.verb:
        return [*options, *(["--quiet"] if values.get("quiet") else []), *values["args"]]
    options += invocation.step.verb
    positional: list[str] = []
    for parameter in invocation.step.all_parameters:
        if parameter.name not in values:
            continue
        if parameter.positional:
            positional += _texts(values[parameter.name])
        elif parameter.option:
            options += _option(parameter, values[parameter.name])
    options += (f"--output={name}={file}" for name, file in values.get("outputs", {}).items())
    if values.get("promotion") == "delegated":
        options.append(f"--staging={values.get('staging', '')}")
    return [*options, "--", *positional]


def has_borrowed_keys(invocation: Invocation, environ: Mapping[str, str]) -> bool:
    """Whether the key store is one that Jenkins unpacks for this step, and removes after it."""
    binding = next((each for each in invocation.step.credentials if each.name == "notaryKeys"), None)
    default = environ.get(binding.default) if binding and invocation.step.default_bindings else None
    return bool(invocation.values.get("notaryKeys") or default)


def _option(parameter: Parameter, value: Any) -> Iterator[str]:
    if parameter.kind is Kind.FLAG:
        if value:
            yield parameter.option
    elif parameter.kind is Kind.MAP:
        for name, each in value.items():
            if not name or "=" in name:
                raise UsageError(f"{parameter.name}: {name!r} is no name")
            yield f"{parameter.option}={name}={each}"
    else:
        yield from (f"{parameter.option}={each}" for each in _texts(value))


def _texts(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
