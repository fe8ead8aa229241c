"""What a step of the Jenkins library is: its parameters, and the credentials of Jenkins that it may be given."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from imagegate.jenkins.parameter import Kind, Parameter


class Use(StrEnum):
    """Who needs a credential: every job that reads and judges, or only the jobs that sign, record, or tell."""

    READ = "read"
    SIGN = "sign"
    RECORD = "record"
    TELL = "tell"


class Binding(msgspec.Struct, frozen=True):
    """How a credential of Jenkins reaches the command. kind: the class of the Credentials Binding plugin.

    variables: of the command's environment.
    """

    name: str
    kind: str
    variables: tuple[str, ...]
    help: str
    use: Use = Use.READ

    @property
    def default(self) -> str:
        """The global variable of Jenkins that holds the id where a Jenkinsfile names none."""
        snake = "".join(f"_{letter}" if letter.isupper() else letter for letter in self.name).upper()
        return f"IMAGEGATE_{snake.removesuffix('_CREDENTIALS')}_CREDENTIALS"


BINDINGS = (
    Binding(
        "registryCredentials",
        "UsernamePasswordMultiBinding",
        ("IMAGEGATE_REGISTRY_USER", "IMAGEGATE_REGISTRY_PASSWORD"),
        "Login for the registry that `IMAGEGATE_REGISTRY_HOST` names, and its Notary server.",
    ),
    Binding(
        "dockerConfig",
        "ZipFileBinding",
        ("DOCKER_CONFIG",),
        "Zip file with Docker's `config.json`: logins for several registries.",
    ),
    Binding(
        "anchoreCredentials",
        "UsernamePasswordMultiBinding",
        ("IMAGEGATE_ANCHORE_USER", "IMAGEGATE_ANCHORE_PASSWORD"),
        "Login for the Anchore server.",
    ),
    Binding(
        "notaryKeys", "ZipFileBinding", ("IMAGEGATE_NOTARY_KEYS",), "Zip file with the Notary key store.", Use.SIGN
    ),
    Binding(
        "notaryTargetsPassphrase",
        "StringBinding",
        ("NOTARY_TARGETS_PASSPHRASE",),
        "Passphrase of the repository's `targets` key.",
        Use.SIGN,
    ),
    Binding(
        "notaryDelegationPassphrase",
        "StringBinding",
        ("NOTARY_DELEGATION_PASSPHRASE",),
        "Passphrase of the delegation's key.",
        Use.SIGN,
    ),
    Binding(
        "notaryRootPassphrase",
        "StringBinding",
        ("NOTARY_ROOT_PASSPHRASE",),
        "Passphrase of the root key: for the first signature of a repository only.",
        Use.SIGN,
    ),
    Binding(
        "inventoryPassword",
        "StringBinding",
        ("IMAGEGATE_INVENTORY_PASSWORD",),
        "Password of the user in `inventory.url`.",
        Use.RECORD,
    ),
    Binding(
        "notifySecrets",
        "FileBinding",
        ("IMAGEGATE_NOTIFY_SECRETS_FILE",),
        "File with the secrets of the channels, a line each: `IMAGEGATE_NOTIFY_CHAT_WEBHOOK=https://…`.",
        Use.TELL,
    ),
)


class Step(msgspec.Struct, frozen=True):
    """One step. verb: the words of the command that it runs. bindings: names of the credentials that it may need.

    default_bindings: whether the site's default ids count; where anything can be run, only what is named is bound.
    """

    name: str
    summary: str
    verb: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    bindings: tuple[str, ...]
    example: str
    default_bindings: bool = True

    @property
    def credentials(self) -> tuple[Binding, ...]:
        """The credentials that it may need."""
        return tuple(each for each in BINDINGS if each.name in self.bindings)

    @property
    def all_parameters(self) -> tuple[Parameter, ...]:
        """The parameters with those of its credentials and those that every step has."""
        bound = (Parameter(each.name, Kind.CREDENTIALS, _bound(each, self)) for each in self.credentials)
        return (*self.parameters, *bound, *COMMON)


def _bound(binding: Binding, step: Step) -> str:
    return f"{binding.help} Default: `${binding.default}`." if step.default_bindings else binding.help


COMMON = (
    Parameter("config", Kind.TEXT, "Project settings file. Default: `imagegate.yaml`, if there."),
    Parameter("quiet", Kind.FLAG, "No messages, only results and errors.", option="--quiet"),
    Parameter(
        "install",
        Kind.TEXT,
        "Where an agent gets the command from that has none: `index`, a pip requirement, `git+URL`, "
        "or `container:IMAGE`.",
        default="index",
        variable="IMAGEGATE_INSTALL",
    ),
)
"""What every step takes."""
