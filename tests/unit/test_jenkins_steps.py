"""The steps of the Jenkins library, as the command sees them: parameters, command lines, plans, generated files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegate import __version__
from imagegate.cli.root import VERBS, root
from imagegate.config import NO_SETTINGS, RESERVED_VARIABLES
from imagegate.errors import UsageError
from imagegate.jenkins.catalogue import BY_NAME, STEPS
from imagegate.jenkins.parameter import Kind
from imagegate.jenkins.plan import default_tag, plan, report_id, slug
from imagegate.jenkins.recheck_plan import SHARDS
from imagegate.jenkins.render import DELEGATED, files, table
from imagegate.jenkins.request import Request, command_line, decode, read_request
from imagegate.jenkins.step import BINDINGS, Step
from imagegate.jenkins.wording import in_parameters

ROOT = Path(__file__).parents[2]


def invoke(step: str, environ: dict[str, str] | None = None, **parameters: Any) -> Any:
    environ = environ or {}
    keyless = (parameters.get("promotion") or environ.get("IMAGEGATE_PROMOTION")) == "delegated"
    return read_request(Request(step, __version__, parameters, keyless), environ)


def arguments(step: str, **parameters: Any) -> list[str]:
    return command_line(invoke(step, **parameters))


def command_of(step: Step) -> click.Command:
    command: click.Command = root
    for word in step.verb:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), word)
        assert found
        command = found
    return command


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_option_of_a_step_is_one_of_its_verb(step: Step) -> None:
    known = {name for param in command_of(step).params for name in param.opts} | {"--quiet"}
    used = {each.option for each in step.all_parameters if each.option} - (
        # What the pipeline is given goes on to the steps of its plan.
        {each.option for name in ("buildImage", "gateImage") for each in BY_NAME[name].all_parameters}
        if step.name == "imagePipeline"
        else set()
    )
    assert used <= known


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_step_is_a_variable_with_help_that_names_each_parameter(step: Step) -> None:
    assert (ROOT / "vars" / f"{step.name}.groovy").is_file()
    text = (ROOT / "vars" / f"{step.name}.txt").read_text()
    kinds = "|".join(kind.value for kind in Kind)
    listed = re.findall(rf"^\* (\w+) \((?:{kinds})", text, re.MULTILINE)
    assert "<" not in text
    assert listed == [each.name for each in step.all_parameters]
    assert all(each.help.endswith((".", "`.")) for each in step.all_parameters)


def test_there_is_no_variable_that_is_no_step() -> None:
    assert {file.stem for file in (ROOT / "vars").iterdir()} == set(BY_NAME)


def test_what_is_generated_is_up_to_date() -> None:
    stale = [str(file.relative_to(ROOT)) for file, text in files(ROOT) if file.read_text() != text]
    assert not stale, "run `make steps`"


def test_variables_of_the_library_are_no_settings() -> None:
    named = {each.variable for step in STEPS for each in step.all_parameters if each.variable}
    named |= {each.default for each in BINDINGS}
    sections = tuple(f"IMAGEGATE_{verb.upper()}_" for verb in ("anchore", "notary", "policy", "docker", "trusted"))
    wrong = [name for name in named if name.startswith(sections)]
    assert all(name in RESERVED_VARIABLES or name.endswith(NO_SETTINGS) for name in wrong)


def test_an_unknown_parameter_is_told_with_the_nearest_right_name() -> None:
    with pytest.raises(UsageError, match="there is no parameter 'polcy'; did you mean 'policy'"):
        invoke("gateImage", image="i", to="t", polcy="x")
    with pytest.raises(UsageError, match=r"there is no parameter 'zzz'; It takes images?, "):
        invoke("checkImage", image="i", zzz=1)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("to", ["a"], "a text, not a list"),
        ("to", {"closure": True}, "a text, not a closure"),
        ("to", True, "a text, not true or false"),
        ("to", "a\0b", "without NUL"),
        ("tags", {"a": 1}, "a text or a list of texts, not a map"),
        ("tags", [None], "a list of texts"),
        ("dryRun", "true", "true or false, not a text"),
        ("outputs", ["json"], "a map, not a list"),
        ("onStop", "SUCCESS", "one of FAILURE, UNSTABLE, not 'SUCCESS'"),
        ("promotion", "maybe", "one of direct, delegated"),
    ],
)
def test_a_parameter_of_a_wrong_kind_is_told_by_name(name: str, value: Any, words: str) -> None:
    with pytest.raises(UsageError, match=rf"gateImage: {name} must be .*{words}"):
        invoke("gateImage", **{"image": "i", "to": "t", name: value})


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(UsageError) as raised:
        invoke("gateImage", polcy="x", tags=True)
    assert len(str(raised.value).splitlines()) == 4  # a name, a kind, and two that are missing


@pytest.mark.parametrize("tags", ["", " ", ",", []])
def test_what_must_be_given_is_not_given_by_nothing(tags: Any) -> None:
    with pytest.raises(UsageError, match="promoteImage: tags is missing"):
        invoke("promoteImage", image="r.example.com/a:evil@sha256:0", tags=tags, **{"from": "r.example.com"})


def test_any_command_goes_by_its_settings_file() -> None:
    words = arguments("imagegate", args=["check", "i"], config="strict.yaml", quiet=True)
    assert words == ["--config=strict.yaml", "--quiet", "check", "i"]


def test_a_number_that_is_no_longer_what_was_written_is_refused() -> None:
    for name in ("tags", "to"):
        with pytest.raises(UsageError, match=f"{name} must be .*put it in quotes"):
            invoke("gateImage", **{"image": "i", "to": "t", name: 1.10})


def test_a_null_is_a_parameter_that_was_not_given() -> None:
    assert arguments("gateImage", image="i", to="t", policy=None, dryRun=False) == ["gate", "--to=t", "--", "i"]


def test_a_request_of_another_version_is_refused() -> None:
    text = json.dumps({"step": "verifyImage", "version": "99", "parameters": {}}).encode()
    with pytest.raises(UsageError, match="the library is of version 99"):
        decode(text)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"step": 1}', b'{"step": "x", "version": "1", "extra": 1}'])
def test_a_request_that_is_none_is_an_error(text: bytes) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        decode(text)


hostile = st.text(min_size=1).filter(lambda text: "\0" not in text) | st.sampled_from(
    ["; rm -rf /", "$(touch x)", "`id`", "a\nb", "--to=elsewhere", "-", "--", "'", '"', "${HOME}", "ünïcode", "a=b"]
)


@given(image=hostile, to=hostile, policy=hostile, tags=st.lists(hostile, min_size=1, max_size=3))
def test_every_value_is_one_argument_whatever_is_in_it(image: str, to: str, policy: str, tags: list[str]) -> None:
    words = arguments("gateImage", image=image, to=to, policy=policy, tags=tags)
    assert words == ["gate", f"--to={to}", *(f"--tag={tag}" for tag in tags), f"--policy={policy}", "--", image]


@given(st.dictionaries(hostile.filter(lambda name: "=" not in name), hostile, min_size=1, max_size=3))
def test_build_arguments_are_neither_lost_nor_split(build_args: dict[str, str]) -> None:
    words = arguments("buildImage", names="n", buildArgs=build_args)
    assert [word for word in words if word.startswith("--build-arg=")] == [
        f"--build-arg={name}={value}" for name, value in build_args.items()
    ]


@given(image=hostile, to=hostile, tag=hostile)
def test_click_reads_back_what_was_given(image: str, to: str, tag: str) -> None:
    command = command_of(BY_NAME["gateImage"])
    words = arguments("gateImage", image=image, to=to, tags=[tag])[1:]
    values, _, _ = command.make_parser(click.Context(command)).parse_args(list(words))
    assert (values["to"], values["tags"], values["image"]) == (to, [tag], image)


def test_delegated_promotion_signs_nothing_and_needs_to_know_where() -> None:
    parameters = {"image": "i", "to": "t", "promotion": "delegated", "staging": "s.example.com", "promotionJob": "p"}
    assert "--staging=s.example.com" in arguments("gateImage", **parameters)
    for name in ("staging", "promotionJob"):
        with pytest.raises(UsageError, match=f"{name} is missing"):
            invoke("gateImage", **{**parameters, name: None})
    site = {"IMAGEGATE_PROMOTION": "delegated", "IMAGEGATE_STAGING": "s.example.com", "IMAGEGATE_PROMOTION_JOB": "p"}
    assert "--staging=s.example.com" in command_line(invoke("gateImage", site, image="i", to="t"))


def test_what_only_the_admins_can_allow_is_refused_at_once() -> None:
    site = {"IMAGEGATE_PROMOTION": "delegated", "IMAGEGATE_STAGING": "s.example.com", "IMAGEGATE_PROMOTION_JOB": "p"}
    with pytest.raises(UsageError, match="overwriteTag cannot be asked for"):
        invoke("gateImage", site, image="i", to="t", overwriteTag=True)
    images = [{"to": "team/api", "overwriteTag": True}]
    with pytest.raises(UsageError, match="image 1: overwriteTag cannot be asked for"):
        plan(invoke("imagePipeline", site, images=images, tags="1"), {})


def test_keys_are_not_bound_by_one_variable_and_used_by_another() -> None:
    site = {"IMAGEGATE_PROMOTION": "delegated", "IMAGEGATE_STAGING": "s.example.com", "IMAGEGATE_PROMOTION_JOB": "p"}
    request = Request("gateImage", __version__, {"image": "i", "to": "t"})
    with pytest.raises(UsageError, match="IMAGEGATE_PROMOTION is a variable of the agent only"):
        read_request(request, site)


def test_values_in_one_text_are_apart_by_what_one_can_see() -> None:
    tags = ["1.0", "2.0", "3\u30000", "4\xa0"]
    assert invoke("gateImage", image="i", to="t", tags="1.0 2.0,\n3\u30000\t4\xa0").values["tags"] == tags


def test_messages_name_parameters_where_the_command_names_options() -> None:
    words = "it is released; ask for it by name with --overwrite-tag, or set NOTARY_ROOT_PASSPHRASE (--policy-x)"
    told = "it is released; ask for it by name with `overwriteTag`, or set `notaryRootPassphrase` (--policy-x)"
    assert in_parameters(words, BY_NAME["gateImage"]) == told
    assert in_parameters(words, BY_NAME["imagegate"]) == words
    login = in_parameters(
        "r.example.com asks for a login. Log in with `docker login r.example.com`.", BY_NAME["gateImage"]
    )
    assert "docker login" not in login
    assert "registryCredentials" in login


@given(st.from_regex(r"[a-c-]{1,4}(/[a-c-]{1,4}){0,2}", fullmatch=True), st.booleans(), st.data())
def test_no_two_repositories_share_the_id_of_their_reports(one: str, check: bool, data: st.DataObject) -> None:
    near = st.sampled_from([one.replace("/", "-"), one.replace("-", "/"), f"check-{one}", f"check/{one}", one])
    other, other_check = data.draw(near), data.draw(st.booleans())
    if (one, check) != (other, other_check):
        assert report_id(one, check=check) != report_id(other, check=other_check)


def test_a_plan_builds_tests_and_gates_each_image() -> None:
    (only,) = plan(invoke("imagePipeline", to="team/app", context="app", policy="application"), {"BUILD_NUMBER": "7"})
    assert only.name == "team/app"
    assert only.build.parameters == {
        "context": "app",
        "dockerfile": "app/Dockerfile",
        "names": ["imagegate/team/app:build"],
    }
    assert only.gate.step == "gateImage"
    assert only.gate.parameters == {
        "to": "team/app",
        "tags": ["7"],
        "policy": "application",
        "dockerfile": "app/Dockerfile",
        "reportName": "team/app",
    }


def test_a_plan_of_several_images_takes_what_they_share_from_above() -> None:
    images = [{"to": "team/api", "context": "api"}, {"to": "team/web", "policy": "special", "tags": "1.0 latest"}]
    api, web = plan(invoke("imagePipeline", images=images, policy="application", tags=["2"]), {})
    assert (api.gate.parameters["policy"], web.gate.parameters["policy"]) == ("application", "special")
    assert (api.gate.parameters["tags"], web.gate.parameters["tags"]) == (["2"], ["1.0", "latest"])


def test_a_pull_request_is_checked_and_not_promoted() -> None:
    environ = {"BUILD_NUMBER": "7", "BRANCH_NAME": "PR-3", "CHANGE_ID": "3"}
    (only,) = plan(invoke("imagePipeline", to="team/app"), environ)
    assert only.gate.step == "checkImage"
    assert only.gate.parameters["as"] == "team/app:PR-3-7"
    (asked,) = plan(invoke("imagePipeline", to="team/app", pullRequests="gate"), environ)
    assert asked.gate.step == "gateImage"


def test_what_is_wrong_with_an_image_of_several_is_told_with_its_number() -> None:
    images = [{"to": "team/api"}, {"too": "x"}, {"to": "team/api"}]
    with pytest.raises(UsageError) as raised:
        plan(invoke("imagePipeline", images=images), {"BUILD_NUMBER": "1"})
    assert "image 2: there is no parameter 'too'; did you mean 'to'?" in str(raised.value)
    with pytest.raises(UsageError, match="image 1: test is for all: put it beside `images`"):
        plan(invoke("imagePipeline", images=[{"to": "t", "test": {"closure": True}}]), {"BUILD_NUMBER": "1"})
    with pytest.raises(UsageError, match="two images have the name team/api; give each a reportName"):
        plan(invoke("imagePipeline", images=[images[0], images[2]]), {"BUILD_NUMBER": "1"})


@pytest.mark.parametrize(
    ("environ", "tag"),
    [
        ({"BUILD_NUMBER": "7"}, "7"),
        ({"BUILD_NUMBER": "7", "BRANCH_NAME": "main"}, "main-7"),
        ({"BUILD_NUMBER": "7", "TAG_NAME": "v1.2"}, "v1.2"),
    ],
)
def test_the_default_tag(environ: dict[str, str], tag: str) -> None:
    assert default_tag(environ) == tag
    with pytest.raises(UsageError, match="no tag is given"):
        default_tag({})


@given(st.text(min_size=1), st.text(min_size=1))
def test_slugs_are_plain_and_do_not_collide(one: str, other: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,90}", slug(one))
    assert slug(one)[0] not in "-."
    if one != other:
        assert slug(one) != slug(other)


def test_what_only_some_calls_need_only_they_are_given() -> None:
    rows = json.loads(table())["steps"]
    assert {"inventoryPassword", "notaryKeys"} <= set(rows["gateImage"]) & set(rows["promoteImage"])
    assert not {"inventoryPassword", "notaryKeys", "notifySecrets"} & set(rows[DELEGATED])
    assert "inventoryPassword" not in rows["signImage"].keys() | rows["checkImage"].keys()
    assert "notifySecrets" in rows["recheckImages"]
    assert set(rows[SHARDS]) == {"anchoreCredentials", "inventoryPassword"}
    assert set(rows["imagegate"].values()) == {""}


def test_kinds_of_the_catalogue_are_all_used() -> None:
    assert {each.kind for step in STEPS for each in step.all_parameters} == set(Kind)
    assert all(step.verb[0] in VERBS for step in STEPS if step.verb)
