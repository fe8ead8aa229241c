"""What is measured, beside what, and the goal that it has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.subjects import Subject
from bench.timing import Command
from lab.docker import docker_engine
from lab.notary import PASSPHRASES, Notary
from lab.pki import Pki
from lab.registry import Registry

ROOT = Path(__file__).parents[1]
IMAGEGATE = str(Path(sys.executable).with_name("imagegate"))
_COPY = str(Path(__file__).with_name("copy_stage.py"))


@dataclass(frozen=True)
class Goal:
    """A limit. of: `wall` or `memory`. One of: ratio, to the peer's; absolute, seconds or bytes; more than the peer."""

    of: str = "wall"
    ratio: float | None = None
    absolute: float | None = None
    more: float | None = None


@dataclass(frozen=True)
class Case:
    """One comparison. peer: None where the machine has none, or there is none. needs: the peer's program."""

    name: str
    ours: Command
    peer: Command | None
    needs: str = ""
    goals: tuple[Goal, ...] = ()
    runs: int = 5
    warm_up: bool = True
    less_python: bool = False
    """Whether Python's own start is taken off ours before the ratio, as the goal says."""


@dataclass(frozen=True)
class Bench:
    """Servers, images and the environment of every command."""

    work: Path
    large: Subject
    next: Subject
    huge: Subject
    staging: Registry
    notary: Notary
    environment: Mapping[str, str]
    pki: Pki
    stack: ExitStack

    def fresh(self, *command: str) -> Command:
        """Return an imagegate command that finds an empty cache at each run."""

        def make(_: int) -> list[str]:
            cache = self.work / "cold"
            shutil.rmtree(cache, ignore_errors=True)
            return ["env", f"IMAGEGATE_CACHE_DIRECTORY={cache}", IMAGEGATE, *command]

        return make

    def copy(self, source: str, target: str) -> Command:
        """Return the gate's copy stage as a process that finds an empty cache at each run; `{}` is the run's number."""

        def make(number: int) -> list[str]:
            cache = self.work / "cold"
            shutil.rmtree(cache, ignore_errors=True)
            wanted = target.format(number)
            return ["env", f"IMAGEGATE_CACHE_DIRECTORY={cache}", sys.executable, _COPY, source, wanted]

        return make

    def registry(self, name: str) -> Registry:
        """Return one more registry, running until the bench ends."""
        started = self.stack.enter_context(Registry(self.work / name, self.pki, name=name))
        settings = json.loads((self.work / "site.yaml").read_text())
        settings["hosts"][started.host] = {"ca_file": str(self.pki.ca_file)}
        (self.work / "site.yaml").write_text(json.dumps(settings))
        return started

    def do(self, *command: str) -> None:
        """Run something that is not measured. Raises CalledProcessError."""
        subprocess.run(command, env=dict(self.environment), check=True, stdout=subprocess.DEVNULL)


def fixed(*command: str) -> Command:
    """Return the same command for each run."""
    return lambda _: command


@contextmanager
def open_bench(work: Path, subjects: tuple[Subject, Subject, Subject]) -> Iterator[Bench]:
    """Start the servers and write settings; all of it ends with the `with` block."""
    shutil.rmtree(work, ignore_errors=True)
    with ExitStack() as stack:
        pki = Pki(work / "pki")
        staging = stack.enter_context(Registry(work / "staging", pki, name="staging"))
        notary = stack.enter_context(Notary(work / "notary", pki))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("IMAGEGATE_", "DOCKER_"))}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)  # users' installations are compiled
        engine = stack.enter_context(docker_engine(work / "engine"))
        environment = {
            **kept,
            **PASSPHRASES,
            "DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE": PASSPHRASES["NOTARY_ROOT_PASSPHRASE"],
            "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": PASSPHRASES["NOTARY_TARGETS_PASSPHRASE"],
            "IMAGEGATE_SITE_CONFIG": str(work / "site.yaml"),
            "DOCKER_CONFIG": str(work / "docker"),
            "DOCKER_HOST": engine.host,
            "DOCKER_CONTENT_TRUST_SERVER": notary.url,
            "SSL_CERT_FILE": str(_bundle(work, pki)),
            "SYFT_CHECK_FOR_APP_UPDATE": "false",
            "HOME": str(work),
        }
        ca = {"ca_file": str(pki.ca_file)}
        settings = {
            "hosts": dict.fromkeys((staging.host, notary.host), ca),
            "cache": {"directory": str(work / "cache")},
            "policy": {"bundle": str(work / "policy.json"), "missing_advisories": "go"},
            "notary": {
                "server": notary.url,
                "keys": str(work / "docker" / "trust"),
                "create_root": True,
                "trust_on_first_use": True,
            },
        }
        (work / "site.yaml").write_text(json.dumps(settings))
        (work / "policy.json").write_text(json.dumps(_POLICY))
        yield Bench(work, *subjects, staging, notary, environment, pki, stack)


def _bundle(work: Path, pki: Pki) -> Path:
    """Return the CAs of the system and ours: crane and skopeo take no CA as an option."""
    system = Path("/etc/ssl/certs/ca-certificates.crt")
    bundle = work / "ca-bundle.crt"
    bundle.write_bytes((system.read_bytes() if system.exists() else b"") + pki.ca_file.read_bytes())
    return bundle


_POLICY = {
    "id": "bench",
    "version": "1_0",
    "name": "bench",
    "policies": [
        {
            "id": "p",
            "version": "1_0",
            "name": "p",
            "rules": [
                {
                    "id": "user",
                    "gate": "dockerfile",
                    "trigger": "effective_user",
                    "action": "STOP",
                    "params": [{"name": "users", "value": "root"}, {"name": "type", "value": "blacklist"}],
                },
                {
                    "id": "shadow",
                    "gate": "files",
                    "trigger": "name_match",
                    "action": "WARN",
                    "params": [{"name": "regex", "value": ".*/id_rsa"}],
                },
            ],
        }
    ],
    "whitelists": [],
    "mappings": [
        {
            "id": "m",
            "name": "all",
            "registry": "*",
            "repository": "*",
            "image": {"type": "tag", "value": "*"},
            "policy_ids": ["p"],
            "whitelist_ids": [],
        }
    ],
    "whitelisted_images": [],
    "blacklisted_images": [],
}


def syft() -> str:
    """Return the syft that this machine has: one on PATH, else the wheel's."""
    beside = Path(sys.executable).with_name("syft")
    return shutil.which("syft") or (str(beside) if beside.exists() else "")


def start_up(_: Bench) -> Iterator[Case]:
    """How long it takes to say something."""
    python = sys.executable
    yield Case(
        "imagegate --help / python3 -c 'import requests'",
        fixed(IMAGEGATE, "--help"),
        fixed(python, "-c", "import requests"),
        goals=(Goal(ratio=2.0),),
        runs=15,
    )
    yield Case(
        "imagegate version / python3 -c pass",
        fixed(IMAGEGATE, "version"),
        fixed(python, "-c", "pass"),
        goals=(Goal(ratio=3.0),),
        runs=15,
    )


def analysis(bench: Bench) -> Iterator[Case]:
    """Reading images."""
    peer = syft()
    for form, reference in (("archive", f"docker-archive:{bench.large.archive}"), ("OCI", f"oci:{bench.large.layout}")):
        theirs = reference.replace("oci:", "oci-dir:")
        yield Case(
            f"analyze, cold, {form} / syft",
            bench.fresh("--json", "analyze", reference),
            fixed(peer, "scan", theirs, "-o", "json") if peer else None,
            needs="syft",
            goals=(Goal(ratio=0.5), Goal("memory", ratio=0.35)),
            runs=3,
            warm_up=False,
        )
    base = f"oci:{bench.large.layout}"

    def next_layer(_: int) -> list[str]:
        cache = bench.work / "cache-next"
        shutil.rmtree(cache, ignore_errors=True)
        environment = {**bench.environment, "IMAGEGATE_CACHE_DIRECTORY": str(cache)}
        subprocess.run([IMAGEGATE, "analyze", base], env=environment, check=True, stdout=subprocess.DEVNULL)
        return ["env", f"IMAGEGATE_CACHE_DIRECTORY={cache}", IMAGEGATE, "--json", "analyze", f"oci:{bench.next.layout}"]

    yield Case(
        "analyze, a new application layer on a cached base / syft",
        next_layer,
        fixed(peer, "scan", f"oci-dir:{bench.next.layout}", "-o", "json") if peer else None,
        needs="syft",
        goals=(Goal(ratio=0.1),),
        runs=3,
        warm_up=False,
    )
    yield Case("check, warm cache", fixed(IMAGEGATE, "check", base), None, goals=(Goal(absolute=0.5),), runs=9)
    yield Case(
        "analyze, cold, an image of over 2 GB",
        bench.fresh("--json", "analyze", f"oci:{bench.huge.layout}"),
        None,
        goals=(Goal("memory", absolute=200e6),),
        runs=1,
        warm_up=False,
    )


def copies(bench: Bench) -> Iterator[Case]:
    """Moving images between registries. Ours is the gate's copy stage alone, with nothing in its cache."""
    for name, subject in (("large", bench.large), ("next", bench.next)):
        bench.do(sys.executable, _COPY, f"oci:{subject.layout}", f"{bench.staging.host}/team/{name}", "1")
    source, newer = f"{bench.staging.host}/team/large:1", f"{bench.staging.host}/team/next:1"
    near = bench.staging.host
    # skopeo remembers which registry has which blob, so each run gets a registry that nobody has seen.
    ours, theirs = (
        [bench.registry(f"ours-{each}") for each in range(3)],
        [bench.registry(f"peer-{each}") for each in range(3)],
    )
    yield Case(
        "copy to another registry / skopeo copy",
        lambda number: bench.copy(source, f"{ours[number].host}/team/app")(number),
        lambda number: _skopeo(source, f"{theirs[number].host}/team/app:1")(number),
        needs="skopeo",
        goals=(Goal(ratio=1.2),),
        runs=3,
        warm_up=False,
    )
    yield Case(
        "copy within a registry, mounted / skopeo copy",
        bench.copy(source, f"{near}/mount-{{}}/app"),
        _skopeo(source, f"{near}/peer-{{}}/app:1"),
        needs="skopeo",
        goals=(Goal(ratio=1.0),),
        runs=5,
        warm_up=False,
    )
    yield Case(
        "copy, all there / crane copy",
        bench.copy(source, f"{ours[0].host}/team/app"),
        fixed("crane", "copy", source, f"{theirs[0].host}/team/app:1"),
        needs="crane",
        goals=(Goal(ratio=1.5),),
        runs=9,
        less_python=True,
    )
    yield Case(
        "copy, one new layer / crane copy",
        lambda number: bench.copy(newer, f"{ours[number].host}/team/app")(number),
        lambda number: ["crane", "copy", newer, f"{theirs[number].host}/team/app:2"],
        needs="crane",
        goals=(Goal(ratio=1.5),),
        runs=3,
        warm_up=False,
        less_python=True,
    )


def _skopeo(source: str, target: str) -> Command:
    return lambda number: ["skopeo", "copy", "-q", f"docker://{source}", f"docker://{target.format(number)}"]


def signatures(bench: Bench) -> Iterator[Case]:
    """Signing and verifying. The key store is docker's own, so that both sign in one repository with the same keys."""
    image = f"{bench.staging.host}/team/large:1"
    repository = f"{bench.staging.host}/team/large"
    docker = _docker_trust(bench, image)
    trust = bench.work / "peer"
    notary = ("notary", "-s", bench.notary.url, "--tlscacert", str(bench.notary.ca_file), "-d", str(trust))
    theirs, sha = "peer.example.com/team/large", "0" * 63
    bench.notary.cli("init", "-p", theirs, trust=trust)
    bench.do(IMAGEGATE, "gate", image, "--to", repository, "--tag", "released")

    def addhash(number: int) -> list[str]:
        return [*notary, "addhash", "-p", theirs, f"t{number}", "18", "--sha256", f"{sha}{number % 10}"]

    yield Case(
        "sign one tag / docker trust sign --local",
        lambda number: [IMAGEGATE, "sign", image, "--tag", f"t{number}"],
        docker,
        needs="docker trust",
        goals=(Goal(ratio=2.0), Goal(absolute=0.25)),
        runs=9,
    )
    yield Case(
        "sign one tag / notary addhash -p",
        lambda number: [IMAGEGATE, "sign", image, "--tag", f"n{number}"],
        addhash,
        needs="notary",
        runs=9,
    )
    yield Case(
        "verify / notary lookup",
        fixed(IMAGEGATE, "verify", f"{repository}:released"),
        fixed(*notary, "lookup", theirs, "t0"),
        needs="notary",
        runs=9,
    )
    yield Case(
        "sign 100 tags in one run / one run of notary (the goal: a tenth of 100 of them)",
        lambda number: [IMAGEGATE, "sign", image, *_tags(f"h{number}-", 100)],
        addhash,
        needs="notary",
        goals=(Goal(ratio=10.0),),
        runs=3,
    )
    bench.do(IMAGEGATE, "--quiet", "sign", image, *_tags("m", 20_000))
    yield Case(
        "sign in a repository of 20,000 tags / docker trust sign --local",
        lambda number: [IMAGEGATE, "sign", image, "--tag", f"z{number}"],
        docker,
        needs="docker trust",
        goals=(Goal(ratio=0.5),),
        runs=3,
    )


def _tags(prefix: str, number: int) -> list[str]:
    return [word for each in range(number) for word in ("--tag", f"{prefix}{each}")]


def _docker_trust(bench: Bench, image: str) -> Command | None:
    """Return docker's way of signing one more tag, None where docker has none (it went with Docker 29)."""
    found = shutil.which("docker")
    if not found or subprocess.run([found, "trust", "sign", "--help"], capture_output=True, check=False).returncode:
        return None
    repository = image.rpartition(":")[0]
    bench.do(found, "pull", "-q", image)
    numbers = iter(range(1_000_000))

    def command(_: int) -> list[str]:
        name = f"{repository}:d{next(numbers)}"
        bench.do(found, "tag", image, name)
        return [found, "trust", "sign", "--local", name]

    return command


COMMAND = (start_up, analysis, copies, signatures)
