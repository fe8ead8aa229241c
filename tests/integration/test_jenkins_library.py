"""What a pipeline can rely on: outcomes, reports, aborts, secrets, and that no value is ever executed or lost."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from lab.notary import PASSPHRASES
from tests.images import DEBIAN, Layout
from tests.integration.controller import ROOT
from tests.integration.site import EXAMPLES, LOGIN, Site
from tests.integration.world import POLICY

GROOVY = sorted([*(ROOT / "vars").glob("*.groovy"), *(ROOT / "src").rglob("*.groovy")])


class Images:
    """Images to gate, with a policy that asks only that they do not run as root."""

    def __init__(self, directory: Path) -> None:
        layout = Layout(directory / "images")
        self.policy = directory / "policy.json"
        self.policy.write_text(json.dumps(POLICY))
        self.good = layout.name(layout.image([DEBIAN], config={"User": "app"}), "good")
        self.bad = layout.name(layout.image([DEBIAN]), "bad")

    def parameters(self, image: str, to: str, more: str = "") -> str:
        return f"image: '{image}', to: '{to}', tags: '1.0', policy: '{self.policy}'{more}"

    def gate(self, image: str, to: str, more: str = "") -> str:
        """Return a pipeline that gates an image."""
        return (
            f"node {{ def result = gateImage({self.parameters(image, to, more)})\n"
            'echo "gated: ${result.outcome} ${result.image}" }'
        )


@pytest.fixture(scope="module")
def images(site: Site) -> Images:
    return Images(site.directory)


def steps(done: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [step for step in done["steps"] if step["name"] == name]


def test_a_stop_fails_the_build_and_its_reports_are_there(site: Site, images: Images) -> None:
    done = site.controller.run(images.gate(images.bad, "outcome/bad"))
    assert (done["result"], done["errorClass"]) == ("FAILURE", "hudson.AbortException")
    assert "outcome/bad:1.0 stopped (1 stop): dockerfile/effective_user" in done["error"]
    assert "outcome/bad:1.0 stopped (1 stop)" in done["description"]
    assert any(file.endswith("report.html") for file in done["archived"])
    assert done["junit"]
    assert site.tag("outcome/bad", "1.0") is None


def test_a_stop_makes_the_build_unstable_where_that_is_asked(site: Site, images: Images) -> None:
    done = site.controller.run(images.gate(images.bad, "outcome/unstable", ", onStop: 'UNSTABLE'"))
    assert done["result"] == "UNSTABLE"
    assert any("gated: stop" in line for line in done["log"])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (", polcy: 'x'", "there is no parameter 'polcy'; did you mean 'policy'?"),
        (", outputs: ['x']", "outputs must be a map, not a list"),
        (", platform: 'linux'", "'linux' is no platform"),
        (", dockerfile: 'no-such'", "no-such"),
        (", notaryKeys: 'nobody'", "Could not find credentials entry with ID 'nobody'"),
    ],
)
def test_what_could_not_be_decided_fails_and_says_so(site: Site, images: Images, more: str, words: str) -> None:
    done = site.controller.run(images.gate(images.good, "outcome/none", more), restart="never")
    assert done["result"] == "FAILURE"
    assert words in done["error"]
    assert "could not decide" in done["error"] or "credentials entry" in done["error"]
    assert site.tag("outcome/none", "1.0") is None


def test_an_agent_that_has_no_command_and_gets_none_fails_and_says_so(site: Site, images: Images) -> None:
    directory = site.directory / "bare"
    directory.mkdir()
    for name in ("sh", "mkdir", "rm", "sed", "cat", "tee", "id", "stat", "dirname", "cksum", "tr", "env"):
        found = next(Path(each, name) for each in ("/usr/bin", "/bin") if Path(each, name).exists())
        (directory / name).symlink_to(found)
    done = site.controller.run(images.gate(images.good, "outcome/bare"), env={"PATH": str(directory)}, restart="never")
    assert done["result"] == "FAILURE"
    assert "could not decide: the command is not on this agent: imagegate: this agent has no Python" in done["error"]


def test_plugins_that_are_absent_cost_a_line_each(site: Site, images: Images) -> None:
    done = site.controller.run(images.gate(images.good, "outcome/plain"), plugins=[])
    assert done["result"] == "SUCCESS", done["error"]
    told = [line for line in done["log"] if "the plugin is not installed" in line]
    for line, name in zip(told, ("JUnit", "Warnings Next Generation", "HTML Publisher", "Badge"), strict=True):
        assert f", by {name}: " in line
    assert done["archived"]


def test_a_gate_that_is_tried_again_in_one_build_is_no_worse_for_its_reports(site: Site, images: Images) -> None:
    parameters = images.parameters(images.good, "outcome/again")
    pipeline = f"int n = 0\nnode {{ retry(2) {{ gateImage({parameters})\nif (n++ == 0) {{ error 'again' }} }} }}"
    done = site.controller.run(f"@Library('imagegate') _\n{pipeline}", restart="never")
    assert done["result"] == "SUCCESS", done["error"]
    assert any("Warnings Next Generation failed" in line for line in done["log"])


def test_a_gate_takes_two_durable_steps_and_only_one_of_them_has_credentials(site: Site, images: Images) -> None:
    done = site.controller.run(images.gate(images.good, "outcome/steps"))
    assert [sorted(step["credentials"]) for step in steps(done, "sh")] == [
        [],
        ["notary-root", "notary-targets", "registry-robot"],
    ]


def test_secrets_are_nowhere(site: Site, images: Images) -> None:
    done = site.controller.run(images.gate(images.good, "outcome/secret"))
    assert done["result"] == "SUCCESS"
    secrets = (LOGIN[1], PASSPHRASES["NOTARY_ROOT_PASSPHRASE"], PASSPHRASES["NOTARY_TARGETS_PASSPHRASE"])
    account = json.dumps({key: value for key, value in done.items() if key != "root"})
    files = [file for file in done["root"].rglob("*") if file.is_file()]
    for secret in secrets:
        assert secret not in account
        assert not [file for file in files if secret.encode() in file.read_bytes()]


def test_an_abort_passes_through_and_leaves_nothing_half_done(site: Site, images: Images) -> None:
    """At each moment: nothing, or a signature that nobody can pull by tag. The same build again finishes it."""
    pipeline = images.gate(images.good, "outcome/aborted")
    for seconds in (0.05, 0.2, 0.3, 0.4, 0.5):
        done = site.controller.run(pipeline, abort={"duringSh": 2, "afterSeconds": seconds}, restart="never")
        if done["result"] != "ABORTED":
            assert done["result"] == "SUCCESS"
            break
        assert "FlowInterruptedException" in done["errorClass"]
        assert not any("gated:" in line for line in done["log"])
        assert not list((done["root"] / "workspace").rglob("imagegate-*"))
        signed, tagged = site.signed("outcome/aborted"), site.tag("outcome/aborted", "1.0")
        assert tagged is None or tagged == signed["1.0"]
    assert site.controller.run(pipeline)["result"] == "SUCCESS"
    site.assert_promoted("outcome/aborted", "1.0")


def test_a_time_out_is_one_of_jenkinss_own(site: Site) -> None:
    pipeline = "node { timeout(time: 1, unit: 'SECONDS') { imagegate args: ['check', 'docker-daemon:x'] } }"
    slow = site.directory / "slow"
    slow.mkdir()
    (slow / "imagegate").write_text('#!/bin/sh\ntest "$1" != version || exec echo imagegate 0.1.0\nexec sleep 60\n')
    (slow / "imagegate").chmod(0o755)
    done = site.controller.run(pipeline, env={"PATH": f"{slow}:{site.controller.environment['PATH']}"})
    assert done["result"] == "ABORTED"
    assert "FlowInterruptedException" in done["errorClass"]


HOSTILE = (
    "$(touch executed)",
    "`touch executed`",
    "'; touch executed; '",
    '"; touch executed; "',
    "a\nb; touch executed\n",
    "\\",
    "--help",
    "${HOME} $HOME $$",
    "ünïcödé ✓ \u202e",
    "${env.PATH} <script>",
)


def test_no_value_is_executed_and_none_is_lost(site: Site) -> None:
    """Build arguments and labels come back from the built image as they were given."""
    workspace = site.directory / "hostile"
    workspace.mkdir()
    (workspace / "Dockerfile").write_text("FROM scratch\nARG VALUE\nLABEL from-argument=$VALUE\nCOPY Dockerfile /\n")
    for number, value in enumerate(HOSTILE):
        (workspace / f"value-{number}").write_text(value)
    pipeline = f"""
        node {{
            checkout scm
            for (int i = 0; i < {len(HOSTILE)}; i++) {{
                String value = readFile("value-${{i}}")
                def built = buildImage(names: 'hostile:1', labels: [own: value, ("key ${{i}}".toString()): value])
                writeFile file: "label-${{i}}", text: built.document.labels.own
                try {{
                    checkImage image: value, as: value, policy: value, reportName: value, outputs: [(value): value]
                }} catch (hudson.AbortException failed) {{
                    writeFile file: "message-${{i}}", text: failed.message
                }}
            }}
        }}
    """
    done = site.controller.run(pipeline, scm=str(workspace), restart="never")
    assert done["result"] == "SUCCESS", done["error"]
    where = done["root"] / "workspace" / "job"
    for number, value in enumerate(HOSTILE):
        assert (where / f"label-{number}").read_text() == value
        assert "could not decide" in (where / f"message-{number}").read_text()
    assert not list(done["root"].rglob("executed"))
    assert not list(site.directory.rglob("executed"))


@pytest.mark.parametrize("name", ["a job's name", "team » ünïcödé", "$(touch executed)", "a;b&c"])
def test_workspaces_of_any_name(site: Site, images: Images, name: str) -> None:
    done = site.controller.run(images.gate(images.good, "outcome/workspace"), jobName=name)
    assert done["result"] == "SUCCESS", done["error"]
    assert not list(done["root"].rglob("executed"))


def test_a_pull_request_is_checked_and_not_promoted(site: Site) -> None:
    environment = {"CHANGE_ID": "3"}
    done = site.example("simple-app", env=environment, branchName="PR-3")
    assert done["result"] == "SUCCESS", done["error"]
    assert site.tag("team/app", "PR-3-1") is None
    assert done["issues"][0]["tools"][0]["arguments"]["id"] == "imagegate-check-team-app"


PIPELINES = {
    "in the agent's container image": "node {{ docker.image('tools').inside {{ {gate} }} }}",
    "with the library's step": "library 'imagegate@v0.1.0'\nnode {{ {gate} }}",
    "in parallel": "parallel(one: {{ node {{ {gate} }} }}, two: {{ node {{ {other} }} }})",
    "in a pod": "podTemplate {{ node(POD_LABEL) {{ container('imagegate') {{ {gate} }} }} }}",
    "in declarative": "pipeline {{ agent any\nstages {{ stage('Gate') {{ steps {{ {gate} }} }} }} }}",
    "in a matrix": """
        pipeline {{
            agent none
            stages {{
                stage('All') {{
                    matrix {{
                        axes {{ axis {{ name 'VARIANT'
                                        values 'slim', 'full' }} }}
                        agent any
                        stages {{
                            stage('Gate') {{
                                steps {{ gateImage({parameters}, reportName: "matrix ${{VARIANT}}") }}
                            }}
                        }}
                    }}
                }}
            }}
        }}
    """,
}


@pytest.mark.parametrize("name", PIPELINES)
def test_every_kind_of_pipeline(site: Site, images: Images, name: str) -> None:
    number = list(PIPELINES).index(name)
    parameters, other = (images.parameters(images.good, f"kind/{each}{number}") for each in ("a", "b"))
    text = PIPELINES[name].format(gate=f"gateImage({parameters})", other=f"gateImage({other})", parameters=parameters)
    done = site.controller.run(f"@Library('imagegate') _\n{text}")
    assert done["result"] == "SUCCESS", done["error"]
    site.assert_promoted(f"kind/a{number}", "1.0")


def test_one_of_several_images_that_is_stopped_does_not_keep_back_the_others(site: Site) -> None:
    workspace = site.directory / "several"
    for name, user in (("good", "USER app\n"), ("bad", "USER root\n")):
        (workspace / name).mkdir(parents=True)
        text = (EXAMPLES / "simple-app" / "Dockerfile").read_text().replace("USER app\n", user)
        (workspace / name / "Dockerfile").write_text(text)
        (workspace / name / "server.py").touch()
    pipeline = """
        imagePipeline(
            images: [[to: 'several/good', context: 'good'], [to: 'several/bad', context: 'bad']],
            inParallel: true,
            buildArgs: [REGISTRY: env.TRUSTED_REGISTRY],
            after: { results -> echo "after: ${results.keySet()}" },
        )
    """
    done = site.controller.run(pipeline, scm=str(workspace))
    assert done["result"] == "FAILURE"
    assert "several/bad:1 stopped" in done["error"]
    assert any("after: " in line and "several/good" in line and "several/bad" in line for line in done["log"])
    site.assert_promoted("several/good", "1")
    assert site.tag("several/bad", "1") is None


AFTER = """
    imagePipeline(
        to: 'after/{name}', buildArgs: [REGISTRY: env.TRUSTED_REGISTRY], onStop: '{on_stop}',
        after: {{ results ->
            echo "after: ${{results.collect {{ name, each -> name + ' ' + each.outcome }}}}"
            {then}
        }},
    )
"""


def bad_app(site: Site, name: str) -> Path:
    workspace = site.directory / name
    shutil.copytree(EXAMPLES / "simple-app", workspace)
    file = workspace / "Dockerfile"
    file.write_text(file.read_text().replace("USER app\n", "USER root\n"))
    return workspace


def test_what_after_does_hides_no_verdict(site: Site) -> None:
    workspace = bad_app(site, "after-bad")
    pipeline = AFTER.format(name="bad", on_stop="FAILURE", then="error 'of after'")
    done = site.controller.run(pipeline, scm=str(workspace))
    assert "after/bad:1 stopped" in done["error"]
    assert any("after: [after/bad stop]" in line for line in done["log"])
    assert any("after failed as well" in line and "of after" in line for line in done["log"])
    done = site.controller.run(
        pipeline.replace("error 'of after'", "nonesuch 'x'"), scm=str(workspace), restart="never"
    )
    assert "after/bad:1 stopped" in done["error"]


def test_what_after_does_fails_a_build_that_was_good(site: Site) -> None:
    pipeline = AFTER.format(name="good", on_stop="FAILURE", then="error 'of after'")
    done = site.controller.run(pipeline, scm=str(EXAMPLES / "simple-app"), restart="never")
    assert (done["result"], done["error"]) == ("FAILURE", "of after")


def test_a_base_that_is_not_trusted_makes_the_build_unstable_where_that_is_asked(site: Site) -> None:
    workspace = bad_app(site, "after-untrusted")
    (workspace / "Dockerfile").write_text(f"FROM {site.trusted.host}/platform/none:1\nCOPY server.py /\nUSER app\n")
    pipeline = AFTER.format(name="untrusted", on_stop="UNSTABLE", then="")
    done = site.controller.run(pipeline, scm=str(workspace), restart="never")
    assert done["result"] == "UNSTABLE", done["error"]
    assert any("after: [after/untrusted stop]" in line for line in done["log"])


@pytest.mark.parametrize("text", ["[1]", '{"outcome": "pass", ', "", "null", '"pass"'])
def test_a_damaged_result_is_no_pass_and_says_so(site: Site, text: str) -> None:
    broken = site.directory / f"broken-{len(list(site.directory.glob('broken-*')))}"
    broken.mkdir()
    (broken / "imagegate").write_text(
        f"#!/bin/sh\ntest \"$1\" != version || exec echo imagegate 0.1.0\nprintf '%s' '{text}' > \"$2/result.json\"\n"
    )
    (broken / "imagegate").chmod(0o755)
    pipeline = "node { imagegate args: ['version'] }"
    path = f"{broken}:{site.controller.environment['PATH']}"
    done = site.controller.run(pipeline, env={"PATH": path}, restart="never")
    assert done["result"] == "FAILURE"
    assert "could not decide: the command" in done["error"]


@pytest.mark.parametrize(
    "call",
    ["imagePipeline(to: 'x') { }", "imagePipeline { }", "gateImage 'a', 'b'", "checkImage(['a'])"],
)
def test_parameters_without_names_are_told_so(site: Site, call: str) -> None:
    done = site.controller.run(f"node {{ {call} }}", restart="never")
    assert "takes its parameters by name" in done["error"]


def test_a_source_of_a_megabyte_is_told_so(site: Site) -> None:
    done = site.controller.run("node { imagegate args: ['version'], install: 'x' * 1000000 }", restart="never")
    assert "install has 1000000 characters" in done["error"]


def test_keys_from_a_credential_sign_what_they_can_and_are_gone_afterwards(site: Site, images: Images) -> None:
    """A key that is made in a store which Jenkins removes after the step would be lost: the repository with it."""
    assert site.controller.run(images.gate(images.good, "outcome/zipped"), restart="never")["result"] == "SUCCESS"
    settings = {**site.settings, "notary": {**site.settings["notary"], "keys": ""}}
    other = site.directory / "no-keys.yaml"
    other.write_text(json.dumps(settings))
    scenario = {
        "credentials": {"notary-keys": {"kind": "zip", "path": str(site.directory / "keys")}},
        "env": {"IMAGEGATE_SITE_CONFIG": str(other), "IMAGEGATE_NOTARY_KEYS_CREDENTIALS": "notary-keys"},
    }
    done = site.controller.run(images.gate(images.good, "outcome/zipped").replace("1.0", "2.0"), **scenario)
    assert done["result"] == "SUCCESS", done["error"]
    site.assert_promoted("outcome/zipped", "1.0", "2.0")
    assert not list(done["root"].rglob("*.key"))
    done = site.controller.run(images.gate(images.good, "outcome/new"), **scenario)
    assert "the key store has no key for targets of" in done["error"]
    assert site.tag("outcome/new", "1.0") is None


def test_the_library_is_small_and_has_no_way_around_the_bridge() -> None:
    texts = {file: file.read_text() for file in GROOVY}
    assert sum(len(text.splitlines()) for text in texts.values()) <= 800
    for file, text in texts.items():
        assert "NonCPS" not in text, file
        for call in re.findall(r"\bsh\s*\(.*?\)\s*(?:\n|\})", text, re.DOTALL):
            assert file.name == "Bridge.groovy"
            assert '"""' not in call
            assert re.search(r"script: '[^'$]*(?:\"\$IMAGEGATE_STEP[^'$]*)+'", call), call
