"""`make demo`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import types
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from demo import debian
from demo.images import APPLICATION, BASE, FAULTS, NPM, PYTHON, Fault, write_context
from demo.narrator import DemoFailed
from demo.stage import ADVISORIES, Stage, open_stage
from lab.packages import ensure
from lab.process import LabError


def main() -> int:
    """Play the demo. Returns 0 when every verdict was the one that it promises."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="The whole gate on real servers, on loopback.")
    parser.add_argument("--keep", action="store_true", help="leave the servers running until Ctrl-C")
    arguments = parser.parse_args()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, _interrupt)
    try:
        ensure("dockerd", "docker-registry", "notary", "notary-server", "notary-signer", "debootstrap")
        with (
            tempfile.TemporaryDirectory(prefix="igdemo-", ignore_cleanup_errors=True) as name,
            open_stage(Path(name)) as stage,
        ):
            play(stage)
            if arguments.keep:
                keep(stage)
    except KeyboardInterrupt:
        print("\ninterrupted; every server that the demo started is stopped", file=sys.stderr)
        return 2
    except (DemoFailed, LabError) as error:
        print(f"\nthe demo failed: {error}", file=sys.stderr)
        return 1
    return 0


def play(stage: Stage) -> None:
    """Play all chapters."""
    narrator = stage.narrator
    narrator.heading("Servers, all on loopback")
    narrator.tell(f"staging registry {stage.staging}, trusted registry {stage.trusted}, Notary {stage.notary.url}")
    narrator.tell(f"Docker engine {stage.engine.host} ({'started here' if stage.engine.ours else 'it was running'})")
    narrator.run("imagegate", "db", "import", str(ADVISORIES))
    base = promote_base(stage)
    application = promote_application(stage, base)
    narrator.heading("Five images that are refused, each for its own reason")
    wild = push_unsigned_base(stage)
    for fault in FAULTS:
        refuse(stage, fault, wild if fault.name == "wild-base" else base)
    verify(stage, application)


def promote_base(stage: Stage) -> str:
    """Build a Debian base image and promote it through the base policy; return its reference."""
    narrator = stage.narrator
    narrator.heading("A base image, built from Debian and promoted through the base policy")
    narrator.tell(f"debootstrap {debian.SUITE}, from the mirror that apt uses here")
    context = stage.directory / "base"
    context.mkdir()
    debian.bootstrap(stage.directory / "root", context / "root.tar")
    (context / "Dockerfile").write_text(BASE)
    narrator.run("imagegate", "build", "--network", "none", "-t", "demo/base:12", str(context))
    target = f"{stage.trusted}/platform/debian"
    narrator.run(
        *("imagegate", "gate", "docker-daemon:demo/base:12", "--to", target, "--tag", "12"),
        *("--policy", "base-image", "--dockerfile", str(context / "Dockerfile")),
    )
    narrator.verdict("platform/debian:12", "promoted", "the base image")
    return f"{target}:12"


def promote_application(stage: Stage, base: str) -> str:
    """Build a good application on the base and promote it through the application policy; return its reference."""
    narrator = stage.narrator
    narrator.heading("A good application on that base, promoted through the application policy")
    file = write_context(stage.directory / "good", APPLICATION.format(base=base), PYTHON, NPM)
    narrator.run("imagegate", "base", "verify", "-f", str(file))
    narrator.run("imagegate", "build", "-t", "demo/good:1.0", str(file.parent))
    target = f"{stage.trusted}/team/app"
    narrator.run(
        *("imagegate", "gate", push(stage, "demo/good:1.0", "team/app:1.0"), "--to", target),
        *("--policy", "application", "--dockerfile", str(file)),
    )
    narrator.verdict("team/app:1.0", "promoted", "nothing to object to")
    return f"{target}:1.0"


def push(stage: Stage, image: str, name: str) -> str:
    """Push an image of the engine into the staging registry, as a build job would; return its reference there."""
    target = f"{stage.staging}/{name}"
    _docker_push(stage, image, target)
    stage.narrator.tell(f"(docker push {target})")
    return target


def push_unsigned_base(stage: Stage) -> str:
    """Put a base into the trusted registry past the gate, as somebody with a login could; return its reference."""
    target = f"{stage.trusted}/platform/wild:12"
    _docker_push(stage, "demo/base:12", target)
    stage.narrator.tell(f"(docker push {target}, past the gate: nobody signed it)")
    return target


def _docker_push(stage: Stage, image: str, target: str) -> None:
    repository, _, tag = target.rpartition(":")
    with stage.docker() as client:
        client.tag(image, repository, tag)
        _follow(client.push(repository, tag, stream=True, decode=True), f"docker push {target}")


def _docker_build(stage: Stage, context: Path, name: str, base: str) -> None:
    """Build as somebody does who wants past the gate: on any base, claiming by labels that all is well."""
    repository = base.rpartition(":")[0]
    with stage.docker() as client:
        digests = client.inspect_image("demo/base:12")["RepoDigests"]
        digest = next(each.partition("@")[2] for each in digests if each.startswith(f"{repository}@"))
        labels = {"org.opencontainers.image.base.name": base, "org.opencontainers.image.base.digest": digest}
        _follow(client.build(path=str(context), tag=name, labels=labels, decode=True, rm=True), f"docker build {name}")


def _follow(messages: Iterable[dict[str, Any]], what: str) -> None:
    for message in messages:
        if "error" in message:
            raise DemoFailed(f"{what}: {message['error']}")


def refuse(stage: Stage, fault: Fault, base: str) -> None:
    """Build an image with one fault, and see it refused for just that."""
    narrator = stage.narrator
    print(f"\n-- {fault.name}: {fault.say}", flush=True)
    file = write_context(stage.directory / fault.name, fault.dockerfile.format(base=base), fault.python, fault.npm)
    if base.endswith("/platform/wild:12"):
        narrator.run("imagegate", "base", "verify", "-f", str(file), expect=1)
        narrator.tell("(docker build all the same, with labels that claim the base)")
        _docker_build(stage, file.parent, f"demo/{fault.name}:1.0", base)
    else:
        narrator.run("imagegate", "build", "-t", f"demo/{fault.name}:1.0", str(file.parent), show=3)
    reference = push(stage, f"demo/{fault.name}:1.0", f"team/{fault.name}:1.0")
    target = f"{stage.trusted}/team/{fault.name}"
    command = ("gate", reference, "--to", target, "--policy", "application", "--dockerfile", str(file))
    narrator.run("imagegate", *command, expect=1)
    document = narrator.quiet("imagegate", *command)
    stops = {
        f"{finding['gate']}/{finding['trigger']}"
        for evaluation in document["evaluations"]
        for finding in evaluation["findings"]
        if finding["action"] == "stop" and "allowlisted" not in finding
    }
    if stops != {fault.reason}:
        raise DemoFailed(f"{fault.name} was refused for {sorted(stops)}, expected was {fault.reason}")
    narrator.verdict(f"team/{fault.name}:1.0", "refused", f"{fault.say} ({fault.reason})")


def verify(stage: Stage, application: str) -> None:
    """Show that the promoted image is trusted, by our own word and by the `notary` command's."""
    narrator = stage.narrator
    narrator.heading("The trusted image, verified: by imagegate, and by the notary command itself")
    narrator.run("imagegate", "verify", application)
    repository, _, tag = application.rpartition(":")
    notary = ("notary", "-s", stage.notary.url, "--tlscacert", str(stage.notary.ca_file), "-d", "peer")
    narrator.run(*notary, "lookup", repository, tag)
    narrator.run(*notary, "list", repository)
    narrator.heading("Verdicts")
    narrator.table()


def keep(stage: Stage) -> None:
    """Leave everything running, and say how to look at it."""
    variables = ("IMAGEGATE_SITE_CONFIG", "DOCKER_HOST", "DOCKER_CONFIG", *sorted(_passphrases(stage)))
    print("\nEverything is left running. In another shell:\n")
    for name in variables:
        print(f"  export {name}={stage.narrator.environment[name]}")
    print(f"\n  {Path(sys.executable).parent}/imagegate verify {stage.trusted}/team/app:1.0")
    print(f"  curl --cacert {stage.notary.ca_file} https://{stage.trusted}/v2/team/app/tags/list")
    print("\nCtrl-C stops all of it and removes its directory.", flush=True)
    signal.pause()


def _passphrases(stage: Stage) -> list[str]:
    return [name for name in stage.narrator.environment if name.endswith("_PASSPHRASE")]


def _interrupt(_number: int, _frame: types.FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
