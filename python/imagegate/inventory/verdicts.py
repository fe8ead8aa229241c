"""What an image's policy makes of a changed finding. Pure; the time is passed in.

Only rules on vulnerabilities are asked, and of each image only the changed findings. Images with one policy, one
mapping and the same findings get the same answer, so it is worked out once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from imagegate.errors import PolicyError
from imagegate.model import (
    Action,
    AnalysedLayer,
    Analysis,
    BaseProof,
    BaseStatus,
    Digest,
    Distro,
    Finding,
    ImageConfig,
    Package,
    PackageType,
    Platform,
    Vulnerability,
    VulnerabilityReport,
)
from imagegate.model.news import Hit
from imagegate.policy.evaluate import evaluate
from imagegate.policy.facts import Facts
from imagegate.policy.mapping import CannotMatch, Name, first_mapping, is_about, parse_name
from imagegate.policy.model import PolicyBundle
from imagegate.policy.waivers import Waiver
from imagegate.settings import PolicySettings
from imagegate.vex.statement import Statement

_BASE, _OWN = Digest("sha256:" + "b" * 64), Digest("sha256:" + "c" * 64)
_LAYERS = tuple(AnalysedLayer(each, each, 0) for each in (_BASE, _OWN))
_PROVED = BaseProof(BaseStatus.PROVED, layers=1)
_ABOUT_ONE = ("package", "kev_list", "blacklist")
"""Triggers of the gate `vulnerabilities` that are about single findings; the others are about the advisories' age."""

Answer = tuple[Action | None, str]
"""The action, None where the policy cannot decide, and who lets the finding through."""


class Subject(msgspec.Struct, frozen=True):
    """An image, as far as policies ask.

    policy: the key of the document that it passed, empty: not recorded. base_proved: whether its base was proved.
    """

    repository: str
    digest: str
    tags: tuple[str, ...]
    policy: str
    distro: Distro | None = None
    base_proved: bool = False


class Verdicts:
    """Answers for one run. A document that cannot be used decides nothing, which `problems` tell."""

    def __init__(
        self,
        load: Callable[[str], PolicyBundle | None],
        changed: Sequence[Vulnerability | None],
        *,
        settings: PolicySettings,
        now: datetime,
        waivers: Sequence[Waiver] = (),
        vex: Sequence[Statement] = (),
    ) -> None:
        """load: returns a document by its key, and may raise PolicyError. changed: findings; None for what is gone."""
        ids = {name for each in changed if each for name in (each.id, *each.aliases)}
        upper = {name.upper() for name in ids}
        self._load, self._settings, self._now = load, settings, now
        self._changed = [each and msgspec.structs.replace(each, package=_placed(each.package)) for each in changed]
        self._waivers = tuple(each for each in waivers if not each.cve or each.cve in ids)
        self._scoped = tuple(_scope(each) for each in self._waivers if each.image)
        self._vex = tuple(each for each in vex if any(name.upper() in upper for name in each.vulnerability))
        self._bundles: dict[str, PolicyBundle | None] = {}
        self._about_all: dict[str, bool] = {}
        self.problems: dict[str, None] = {}

    def is_usable(self, policy: str) -> bool:
        """Whether a policy can be evaluated at all; `problems` tell why not."""
        return self._bundle(policy) is not None

    def kind(self, image: Subject) -> tuple[object, ...]:
        """Return what tells images apart that are answered differently."""
        bundle = self._bundle(image.policy)
        if bundle and not self._vex and not self._scoped and self._about_all[image.policy]:
            return image.policy, image.distro, image.base_proved
        names = [f"{image.repository}:{tag}" for tag in image.tags] or [f"{image.repository}:"]
        digest = Digest(image.digest)
        of_names = tuple(sorted({_place(bundle, parse_name(name, digest, None)) for name in names})) if bundle else ()
        waived = tuple(each.is_about(_NOTHING, name, digest) for name in names for each in self._scoped)
        own = (image.digest, *names) if self._vex else ()
        return image.policy, of_names, waived, own, image.distro, image.base_proved

    def hit(self, image: Subject, numbered: int) -> Hit:
        """Return a finding that hits an image. numbered: twice its place, and one more where it is inherited."""
        place, inherited = numbered >> 1, bool(numbered & 1)
        return Hit(place, inherited, *self.answer(image, place, inherited))

    def answer(self, image: Subject, change: int, inherited: bool) -> Answer:
        """Return what the image's policy makes of a changed finding; of several names the gravest counts."""
        vulnerability, bundle = self._changed[change], self._bundle(image.policy)
        if vulnerability is None:
            return Action.GO, ""
        if bundle is None:
            return None, ""
        package = msgspec.structs.replace(vulnerability.package, layer=_BASE if inherited else _OWN)
        facts = Facts(
            analysis=_analysis(image, package),
            vulnerabilities=VulnerabilityReport(
                (msgspec.structs.replace(vulnerability, package=package),), (), exploitation=("KEV", "EPSS")
            ),
            base=_PROVED if image.base_proved else None,
        )
        answers = [self._evaluate(bundle, facts, f"{image.repository}:{tag}") for tag in image.tags or ("",)]
        return max(answers, key=lambda each: 9 if each[0] is None else each[0].rank)

    def _evaluate(self, bundle: PolicyBundle, facts: Facts, name: str) -> Answer:
        evaluation = evaluate(
            bundle, facts, tag=name, settings=self._settings, now=self._now, waivers=self._waivers, vex=self._vex
        )
        undecided = [each for each in evaluation.problems if each.severity == "error"]
        if undecided:
            self.problems[undecided[0].details] = None
            return None, ""
        waived = [each.allowlisted.allowlist_name for each in evaluation.findings if each.allowlisted]
        return evaluation.final_action, waived[0] if waived and evaluation.final_action is Action.GO else ""

    def _bundle(self, key: str) -> PolicyBundle | None:
        if key not in self._bundles:
            try:
                found = self._load(key)
            except PolicyError as error:
                self.problems[str(error).replace("\n", " ")] = None
                found = None
            self._bundles[key] = found and _narrowed(found)
            self._about_all[key] = found is not None and _is_about_all(found)
        return self._bundles[key]


_NOTHING = Finding("", "", "", "", Action.GO, "", "")


def _scope(waiver: Waiver) -> Waiver:
    """Return a waiver that asks for nothing but the image."""
    return msgspec.structs.replace(waiver, cve="", rule="", purl="", path="")


def _is_about_all(bundle: PolicyBundle) -> bool:
    """Whether one mapping is about every image by every name, and none is listed."""
    if bundle.denylisted_images or bundle.allowlisted_images or not bundle.mappings:
        return False
    images = bundle.mappings[0].images
    return images.kind == "tag" and images.registry == images.repository == images.value == "*"


def _narrowed(bundle: PolicyBundle) -> PolicyBundle:
    """Return the bundle with no rules but those on single vulnerabilities."""
    rule_sets = {
        id_: msgspec.structs.replace(
            each, rules=tuple(r for r in each.rules if r.gate == "vulnerabilities" and r.trigger in _ABOUT_ONE)
        )
        for id_, each in bundle.rule_sets.items()
    }
    return msgspec.structs.replace(bundle, rule_sets=rule_sets)


def _place(bundle: PolicyBundle, name: Name) -> tuple[int, ...]:
    """Return which mapping of the bundle is about a name, and which of its listed images."""
    try:
        mapping = first_mapping(bundle.mappings, name)
        lists = (*bundle.denylisted_images, *bundle.allowlisted_images)
        listed = tuple(number for number, rule in enumerate(lists) if is_about(rule, name))
    except CannotMatch:
        return (-2,)
    return (bundle.mappings.index(mapping) if mapping else -1, *listed)


def _placed(package: Package) -> Package:
    """Return the package with a path that gives it the trigger id that it has in an image.

    The inventory keeps no paths. `vulnerabilities` names npm packages by their directory, and gems and jars by their
    file; in most images those are named after the package.
    """
    match package.type:
        case PackageType.NPM:
            path = f"{package.name.rpartition('/')[2]}/package.json"
        case PackageType.GEM:
            path = f"./{package.name}-{package.version}.gemspec"
        case PackageType.JAVA:
            path = f"./{package.name}-{package.version}.jar"
        case _:
            return package
    return msgspec.structs.replace(package, path=path)


def _analysis(image: Subject, package: Package) -> Analysis:
    return Analysis(
        digest=Digest(image.digest),
        platform=Platform(),
        size=0,
        config=ImageConfig(),
        layers=_LAYERS,
        distro=image.distro,
        packages=(package,),
        files=(),
        passwd=None,
        retrieved={},
        analyzer="",
    )
