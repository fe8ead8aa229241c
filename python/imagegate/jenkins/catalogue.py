"""The steps of the Jenkins library: the one source of their parameters, for the command, the help and the Groovy.

`imagegate.jenkins.render` writes from it what stands under `vars/`, `resources/` and in `docs/jenkins.md`.
"""

from __future__ import annotations

from imagegate.jenkins.parameter import Kind, Parameter
from imagegate.jenkins.step import BINDINGS, Step, Use

TEXT, TEXTS, FLAG, MAP = Kind.TEXT, Kind.TEXTS, Kind.FLAG, Kind.MAP


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
_AGENT = Parameter("agent", TEXT, "Label of the agent to take, where the step does not run on one already.")
_READ = ("registryCredentials", "dockerConfig")
_JUDGE = (*_READ, "anchoreCredentials")
_SIGN = (*_READ, *(each.name for each in BINDINGS if each.use is Use.SIGN))
_GATE = tuple(each.name for each in BINDINGS if each.use is not Use.TELL)
_RECHECK = (*_JUDGE, *(each.name for each in BINDINGS if each.use in (Use.RECORD, Use.TELL)))
_ANY = tuple(each.name for each in BINDINGS)

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
            _AGENT,
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
        "recheckImages",
        "Says which promoted images new and changed advisories hit, and tells their teams: for a scheduled job.",
        ("recheck",),
        (
            Parameter(
                "shards",
                Kind.NUMBER,
                "On how many agents at once. More than one needs an inventory in PostgreSQL.",
                default="1",
            ),
            _AGENT,
            Parameter("update", FLAG, "Bring the advisories up to date first, on the first agent.", default="true"),
            Parameter(
                "stashAdvisories",
                FLAG,
                "With shards: give each agent the first one's advisories. `false`: they share the file, or a snapshot.",
                default="true",
            ),
            Parameter(
                "full",
                FLAG,
                "Match every package again, evaluate every image, and tell how all of them stand.",
                option="--full",
                default="false",
            ),
            Parameter("since", TEXT, "Tell all that was found since then (UTC), told before or not.", option="--since"),
            Parameter(
                "only",
                TEXT,
                "One part, on the present agent: a shard, such as `2/4`, which tells nothing, or `report`, which tells "
                "what shards have found.",
            ),
            Parameter(
                "onStop",
                TEXT,
                "What the build becomes when something new is at or above `recheck.threshold`.",
                default="FAILURE",
                choices=("FAILURE", "UNSTABLE"),
            ),
            _REPORTING[1],
            Parameter("reportName", TEXT, "Name of the reports in Jenkins.", default="recheck"),
            Parameter("outputs", MAP, "More reports to write: format to file, such as `[markdown: 'recheck.md']`."),
        ),
        _RECHECK,
        "recheckImages shards: 4, agent: 'docker', onStop: 'UNSTABLE'",
    ),
    Step(
        "imagegate",
        "Runs any command of imagegate.",
        (),
        (
            Parameter("args", TEXTS, "The words of the command, a text each.", positional=True, required=True),
            _REPORTING[0],
        ),
        _ANY,
        "imagegate args: ['policy', 'lint', 'policy.yaml']",
        default_bindings=False,
    ),
)

BY_NAME = {step.name: step for step in STEPS}
