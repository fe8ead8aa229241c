"""The steps of the Jenkins library: the one source of their parameters, for the command, the help and the Groovy.

`imagegate.jenkins.render` writes from it what stands under `vars/`, `resources/` and in `docs/jenkins.md`.
"""

from __future__ import annotations

import msgspec

from imagegate.jenkins.parameter import Kind, Parameter

TEXT, TEXTS, FLAG, MAP, CREDENTIALS = Kind.TEXT, Kind.TEXTS, Kind.FLAG, Kind.MAP, Kind.CREDENTIALS


class Binding(msgspec.Struct, frozen=True):
    """How a credential of Jenkins reaches the command. kind: the class of the Credentials Binding plugin.

    variables: of the command's environment. signs: whether it is needed only to sign.
    """

    name: str
    kind: str
    variables: tuple[str, ...]
    help: str
    signs: bool = False

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
        "notaryKeys", "ZipFileBinding", ("IMAGEGATE_NOTARY_KEYS",), "Zip file with the Notary key store.", signs=True
    ),
    Binding(
        "notaryTargetsPassphrase",
        "StringBinding",
        ("NOTARY_TARGETS_PASSPHRASE",),
        "Passphrase of the repository's `targets` key.",
        signs=True,
    ),
    Binding(
        "notaryDelegationPassphrase",
        "StringBinding",
        ("NOTARY_DELEGATION_PASSPHRASE",),
        "Passphrase of the delegation's key.",
        signs=True,
    ),
    Binding(
        "notaryRootPassphrase",
        "StringBinding",
        ("NOTARY_ROOT_PASSPHRASE",),
        "Passphrase of the root key: for the first signature of a repository only.",
        signs=True,
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
        bound = (Parameter(each.name, CREDENTIALS, _bound(each, self)) for each in self.credentials)
        return (*self.parameters, *bound, *COMMON)


def _bound(binding: Binding, step: Step) -> str:
    return f"{binding.help} Default: `${binding.default}`." if step.default_bindings else binding.help


COMMON = (
    Parameter("config", TEXT, "Project settings file. Default: `imagegate.yaml`, if there."),
    Parameter("quiet", FLAG, "No messages, only results and errors.", option="--quiet"),
    Parameter(
        "install",
        TEXT,
        "Where an agent gets the command from that has none: `index`, a pip requirement, `git+URL`, "
        "or `container:IMAGE`.",
        default="index",
        variable="IMAGEGATE_INSTALL",
    ),
)
"""What every step takes."""

_REPORTING = (
    Parameter(
        "onStop",
        TEXT,
        "What the build becomes when the policy, or trust, says stop.",
        default="FAILURE",
        choices=("FAILURE", "UNSTABLE"),
    ),
    Parameter("publish", FLAG, "Publish the reports in Jenkins.", default="true"),
    Parameter("reportName", TEXT, "Name of the reports in Jenkins. Default: from the repository's name."),
    Parameter("outputs", MAP, "More reports to write: format to file, such as `[sarif: 'gate.sarif']`."),
)
_DOCKERFILE = Parameter("dockerfile", TEXT, "The Dockerfile that the image was built from.", option="--dockerfile")
_PLATFORM = Parameter("platform", TEXT, "Platform of an index, such as `linux/arm64`.", option="--platform")
_POLICY = (
    Parameter("policy", TEXT, "Policy document: a file, or a shipped one's name.", option="--policy"),
    Parameter("waivers", TEXTS, "Files of waivers.", option="--waivers"),
    Parameter("vex", TEXTS, "VEX documents: what does not affect the image is let through.", option="--vex"),
    _DOCKERFILE,
    _PLATFORM,
    Parameter("allPlatforms", FLAG, "Take every platform of an index; all must pass.", option="--all-platforms"),
)
_TAGS = Parameter("tags", TEXTS, "Tags to give. Default: the image's own.", option="--tag", words=True)
_OVERWRITE = Parameter(
    "overwriteTag", FLAG, "Let a released tag move to this image.", option="--overwrite-tag", default="false"
)
_BUILD_ARGS = Parameter("buildArgs", MAP, "Build arguments, by name.", option="--build-arg")
_TARGET = Parameter("target", TEXT, "The stage to build up to. Default: the last.", option="--target")
_DELEGATION = (
    Parameter(
        "promotion",
        TEXT,
        "`direct`: this job signs. `delegated`: another job evaluates again and signs; this one needs no key.",
        default="direct",
        variable="IMAGEGATE_PROMOTION",
        choices=("direct", "delegated"),
    ),
    Parameter(
        "staging",
        TEXT,
        "Delegated: the registry, and a prefix if any, that the image waits in.",
        variable="IMAGEGATE_STAGING",
    ),
    Parameter("promotionJob", TEXT, "Delegated: full name of the promotion job.", variable="IMAGEGATE_PROMOTION_JOB"),
)
_BUILDING = (
    Parameter("context", TEXT, "Directory of the build context.", default=".", positional=True),
    Parameter("dockerfile", TEXT, "The Dockerfile. Default: `Dockerfile` in the context.", option="--file"),
    _BUILD_ARGS,
    Parameter("labels", MAP, "Labels, by name.", option="--label"),
    _TARGET,
    Parameter("network", TEXT, "Network of RUN instructions.", option="--network"),
    Parameter("noCache", FLAG, "Run every instruction again.", option="--no-cache", default="false"),
)
_READ = ("registryCredentials", "dockerConfig")
_JUDGE = (*_READ, "anchoreCredentials")
_SIGN = (*_READ, *(each.name for each in BINDINGS if each.signs))
_GATE = tuple(each.name for each in BINDINGS)

_PIPELINE_ONE = (
    Parameter("to", TEXT, "The repository to promote into: `team/app`, or with the trusted registry before it."),
    Parameter(
        "tags",
        TEXTS,
        "Tags to give. Default: the name of the tag that is built, else the branch and the build's number.",
        words=True,
    ),
    *(parameter for parameter in _BUILDING),
    *(parameter for parameter in _POLICY if parameter.name in ("policy", "waivers", "vex", "platform")),
    _OVERWRITE,
    Parameter("reportName", TEXT, "Name of the reports in Jenkins. Default: from the repository's name."),
)
IMAGE_PARAMETERS = _PIPELINE_ONE
"""What each map of `images` may have."""

STEPS = (
    Step(
        "imagePipeline",
        "Checks out, builds, tests and gates an image, or several: a whole Jenkinsfile in one step.",
        ("build",),
        (
            *_PIPELINE_ONE,
            Parameter("images", Kind.IMAGES, "Several images: a map each, with any of the parameters above."),
            Parameter(
                "inParallel",
                FLAG,
                "Build and gate several images at once. In order, the first that fails the build is the last.",
                default="false",
            ),
            Parameter("agent", TEXT, "Label of the agent to take, where the step does not run on one already."),
            Parameter("checkout", FLAG, "Whether to check out `scm`. Default: when the step takes the agent itself."),
            Parameter("before", Kind.CLOSURE, "Runs after the checkout."),
            Parameter("test", Kind.CLOSURE, "Runs after each build, before the gate; is given the image as a map."),
            Parameter(
                "after",
                Kind.CLOSURE,
                "Runs at the end, whatever it was; is given the results so far, by `reportName`.",
            ),
            Parameter(
                "pullRequests",
                TEXT,
                "What is done with a pull request's image.",
                default="check",
                choices=("check", "gate"),
            ),
            *_DELEGATION,
            *(parameter for parameter in _REPORTING if parameter.name in ("onStop", "publish")),
        ),
        _GATE,
        "imagePipeline to: 'team/app', policy: 'application', test: { image -> sh 'make test' }",
    ),
    Step(
        "buildImage",
        "Builds an image on base images that are signed in the trusted registry, pinned by digest.",
        ("build",),
        (
            *_BUILDING,
            Parameter(
                "names", TEXTS, "Names for the image in the Docker engine.", option="--tag", required=True, words=True
            ),
            _PLATFORM,
            _REPORTING[0],
        ),
        _READ,
        "def image = buildImage(names: 'app:dev', context: 'app')",
    ),
    Step(
        "checkImage",
        "Evaluates a policy on images and changes nothing.",
        ("check",),
        (
            Parameter("image", TEXTS, "The image, or a list of them.", positional=True, required=True),
            Parameter("as", TEXT, "Evaluate under this name, which mappings see.", option="--as"),
            *_POLICY,
            *_REPORTING,
        ),
        _JUDGE,
        "checkImage image: 'docker-daemon:app:dev', policy: 'application', dockerfile: 'Dockerfile'",
    ),
    Step(
        "gateImage",
        "Evaluates an image; if it passes, copies it by digest into the trusted registry, signs, verifies and tags it.",
        ("gate",),
        (
            Parameter("image", TEXT, "The image.", positional=True, required=True),
            Parameter(
                "to",
                TEXT,
                "The repository to promote into: `team/app`, or with the trusted registry before it.",
                option="--to",
                required=True,
            ),
            _TAGS,
            *_POLICY,
            _OVERWRITE,
            Parameter("dryRun", FLAG, "Stop after the verdict.", option="--dry-run", default="false"),
            *_DELEGATION,
            *_REPORTING,
        ),
        _GATE,
        "def result = gateImage(image: 'docker-daemon:app:dev', to: 'team/app', tags: env.BUILD_NUMBER)",
    ),
    Step(
        "promoteImage",
        "Gates an image that is named by its digest: for the job that holds the signing key.",
        ("promote",),
        (
            Parameter("image", TEXT, "`registry/repo@sha256:…`.", positional=True, required=True),
            Parameter(
                "to",
                TEXT,
                "The repository to promote into. Default: the same path in the trusted registry.",
                option="--to",
            ),
            Parameter(
                "from",
                TEXT,
                "The staging registry, and the path if any: an image from elsewhere is refused.",
                option="--from",
                required=True,
                variable="IMAGEGATE_STAGING",
            ),
            Parameter("tags", TEXTS, "Tags to give.", option="--tag", required=True, words=True),
            *_POLICY,
            _OVERWRITE,
            *_REPORTING,
        ),
        _GATE,
        "promoteImage image: params.IMAGE, tags: params.TAGS, onStop: 'UNSTABLE'",
    ),
    Step(
        "signImage",
        "Signs what is in the trusted registry already. No policy is evaluated.",
        ("sign",),
        (
            Parameter("image", TEXT, "`registry/repo:tag[@sha256:…]`.", positional=True, required=True),
            Parameter("tags", TEXTS, "Tags to sign it as. Default: the image's own.", option="--tag", words=True),
            _OVERWRITE,
            _REPORTING[0],
        ),
        _SIGN,
        "signImage image: 'registry.example.com/team/app:1.0'",
    ),
    Step(
        "verifyImage",
        "Verifies a tag's signature as a consumer would, and that the tag is what was signed.",
        ("verify",),
        (
            Parameter("image", TEXT, "`registry/repo:tag[@sha256:…]`.", positional=True, required=True),
            Parameter("roles", TEXTS, "Roles whose word counts.", option="--role", words=True),
            _REPORTING[0],
        ),
        _READ,
        "verifyImage image: 'registry.example.com/team/app:1.0'",
    ),
    Step(
        "verifyBaseImages",
        "Resolves every image that a Dockerfile takes in to the digest that is signed for it in the trusted registry.",
        ("base", "verify"),
        (
            Parameter("dockerfile", TEXT, "The Dockerfile.", option="--file", default="Dockerfile"),
            _BUILD_ARGS,
            _TARGET,
            _PLATFORM,
            Parameter("writePinned", TEXT, "Write the Dockerfile pinned by digest here.", option="--write-pinned"),
            _REPORTING[0],
        ),
        _READ,
        "verifyBaseImages dockerfile: 'app/Dockerfile'",
    ),
    Step(
        "imagegate",
        "Runs any command of imagegate.",
        (),
        (
            Parameter("args", TEXTS, "The words of the command, a text each.", positional=True, required=True),
            _REPORTING[0],
        ),
        _GATE,
        "imagegate args: ['policy', 'lint', 'policy.yaml']",
        default_bindings=False,
    ),
)

BY_NAME = {step.name: step for step in STEPS}
