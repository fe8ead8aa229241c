"""`make demo`."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import types
from pathlib import Path

from demo import debian
from demo.images import APPLICATION, BASE, FAULTS, NPM, PYTHON, Fault, write_context
from demo.narrator import DemoFailed
from demo.stage import ADVISORIES, Stage, open_stage
from lab.docker import import_tree
from lab.packages import ensure
from lab.process import LabError

ROOT = "imagegate-demo/debian-root:12"


def main() -> int:
    """Play the demo. Returns 0 when every verdict was the one that it promises."""
    parser = argparse.ArgumentParser(prog="python -m demo", description="The whole gate on real servers, on loopback.")
    parser.add_argument("--keep", action="store_true", help="leave the servers running until Ctrl-C")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
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
    debian.bootstrap(stage.directory / "root")
    import_tree(stage.engine, stage.directory / "root", ROOT)
    context = stage.directory / "base"
    context.mkdir()
    (context / "Dockerfile").write_text(BASE.format(root=ROOT))
    narrator.run("imagegate", "build", "--unverified-base", "--network", "none", "-t", "demo/base:12", str(context))
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
    import docker

    target = f"{stage.staging}/{name}"
    repository, _, tag = target.rpartition(":")
    client = docker.APIClient(base_url=stage.engine.host, timeout=600)
    try:
        client.tag(image, repository, tag)
        for line in client.push(repository, tag, stream=True, decode=True):
            if "error" in line:
                raise DemoFailed(f"docker push {target}: {line['error']}")
    finally:
        client.close()
    stage.narrator.tell(f"(docker push {target})")
    return target


def push_unsigned_base(stage: Stage) -> str:
    """Put a base into the trusted registry past the gate, as somebody with a push login could; return its reference."""
    import docker

    repository = f"{stage.trusted}/platform/wild"
    client = docker.APIClient(base_url=stage.engine.host, timeout=600)
    try:
        client.tag("demo/base:12", repository, "12")
        for line in client.push(repository, "12", stream=True, decode=True):
            if "error" in line:
                raise DemoFailed(f"docker push {repository}: {line['error']}")
    finally:
        client.close()
    stage.narrator.tell(f"(docker push {repository}:12, past the gate: nobody signed it)")
    return f"{repository}:12"


def refuse(stage: Stage, fault: Fault, base: str) -> None:
    """Build an image with one fault, and see it refused for just that."""
    narrator = stage.narrator
    print(f"\n-- {fault.name}: {fault.say}", flush=True)
    file = write_context(stage.directory / fault.name, fault.dockerfile.format(base=base), fault.python, fault.npm)
    extra = fault.build
    if fault.build:
        narrator.run("imagegate", "base", "verify", "-f", str(file), expect=1)
        narrator.tell("a build that ignores that, and labels that claim the base all the same, do not help:")
        extra = (*fault.build, "--label", f"org.opencontainers.image.base.name={base}", "--label", _digest_label(stage))
    narrator.run("imagegate", "build", *extra, "-t", f"demo/{fault.name}:1.0", str(file.parent), show=3)
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


def _digest_label(stage: Stage) -> str:
    import docker

    client = docker.APIClient(base_url=stage.engine.host)
    try:
        digests = client.inspect_image("demo/base:12")["RepoDigests"]
    finally:
        client.close()
    digest = next(each.partition("@")[2] for each in digests if "/platform/wild@" in each)
    return f"org.opencontainers.image.base.digest={digest}"


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
