"""Attacks on the chain of trust: each is refused, and nothing but what was signed is ever believed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagegate.errors import ConfigError, NotTrusted
from imagegate.settings import NotarySettings
from imagegate.trust.notary import update
from imagegate.trust.notary.keys import PrivateKey, key_id
from imagegate.trust.notary.metadata import DelegationRole, Delegations, Key, Role, Root, Targets, parse_root
from imagegate.trust.notary.verifier import NotaryVerifier
from tests.unit.notary_fake import GUN, NOW, REPOSITORY, FakeNotary, target


class Keys:
    def __init__(self) -> None:
        self.root, self.targets, self.alice, self.mallory = (PrivateKey.generate() for _ in range(4))


def build(keys: Keys, *, delegated: DelegationRole | None = None) -> tuple[FakeNotary, Root, Targets]:
    """A repository whose `targets` signs 1.0, and whose delegation, if any, signs 2.0."""
    server = FakeNotary()
    cert = keys.root.certify(GUN, NOW)
    root = update.initial_root(cert, keys.targets.public, server.snapshot_key.public, server.timestamp_key.public, NOW)
    empty = update.empty_targets(NOW)
    delegations = Delegations()
    files = {"root": update.sign(root, [(keys.root, key_id(cert))])}
    if delegated:
        delegations = Delegations({keys.alice.key_id: keys.alice.public}, (delegated,))
        signed = update.next_targets(empty, [target("2.0", "b")], NOW)
        files[delegated.name] = update.sign(signed, [(keys.alice, keys.alice.key_id)])
    targets = update.next_targets(empty, [target("1.0")], NOW, delegations)
    files["targets"] = update.sign(targets, [(keys.targets, keys.targets.key_id)])
    server.put(files)
    return server, root, targets


def verifier(server: FakeNotary, cache: Path, *pins: str, later: timedelta = timedelta()) -> NotaryVerifier:
    chosen = {"pins": {"registry.example.com:5000/*": pins}} if pins else {"trust_on_first_use": True}
    return NotaryVerifier(NotarySettings(server="https://n", **chosen), server, cache, clock=lambda: NOW + later)


@pytest.fixture
def keys() -> Keys:
    return Keys()


def refuse(server: FakeNotary, cache: Path, words: str, *pins: str) -> None:
    with pytest.raises(NotTrusted, match=words) as caught:
        verifier(server, cache, *pins).verify(REPOSITORY, "1.0")
    assert caught.value.exit_code == 1


def test_a_signed_tag_is_found(keys: Keys, tmp_path: Path) -> None:
    server, *_ = build(keys)
    found = verifier(server, tmp_path).verify(REPOSITORY, "1.0", digest=target("1.0").digest)
    assert (found.target, found.role, found.signers) == (target("1.0"), "targets", ("targets",))
    assert found.expires == NOW + timedelta(days=14)
    with pytest.raises(NotTrusted, match="is not signed as"):
        verifier(server, tmp_path).verify(REPOSITORY, "1.0", digest=target("x", "c").digest)
    with pytest.raises(NotTrusted, match="none of the roles"):
        verifier(server, tmp_path).verify(REPOSITORY, "9.9")
    assert verifier(server, tmp_path).find(REPOSITORY, "9.9") is None


def test_a_repository_without_trust_data_is_unsigned(tmp_path: Path) -> None:
    refuse(FakeNotary(), tmp_path, "no trust data")
    assert verifier(FakeNotary(), tmp_path).find(REPOSITORY, "1.0") is None


def test_an_unknown_root_needs_a_pin_or_explicit_trust(keys: Keys, tmp_path: Path) -> None:
    server, root, _ = build(keys)
    with pytest.raises(NotTrusted, match="not known here") as caught:
        NotaryVerifier(NotarySettings(server="https://n"), server, tmp_path, clock=lambda: NOW).verify(
            REPOSITORY, "1.0"
        )
    assert keys.root.key_id in caught.value.hint
    refuse(server, tmp_path, "not the pinned one", keys.mallory.key_id)
    for number, pin in enumerate((keys.root.key_id, root.roles["root"].keyids[0])):
        assert verifier(server, tmp_path / str(number), pin).verify(REPOSITORY, "1.0")


def test_a_certificate_file_is_a_pin(keys: Keys, tmp_path: Path) -> None:
    import base64

    server, root, _ = build(keys)
    public = base64.b64decode(root.keys[root.roles["root"].keyids[0]].keyval.public)
    (tmp_path / "root.pem").write_bytes(public)
    assert verifier(server, tmp_path / "a", str(tmp_path / "root.pem")).verify(REPOSITORY, "1.0")
    other = base64.b64decode(keys.root.certify(GUN, NOW).keyval.public)
    (tmp_path / "other.pem").write_bytes(other)
    refuse(server, tmp_path / "b", "not the pinned one", str(tmp_path / "other.pem"))
    with pytest.raises(ConfigError, match="neither a key id nor a file"):
        verifier(server, tmp_path / "c", "/nowhere").verify(REPOSITORY, "1.0")


def test_a_root_of_another_repository_is_refused(keys: Keys, tmp_path: Path) -> None:
    server, *_ = build(keys)
    other = keys.root.certify("registry.example.com:5000/team/other", NOW)
    stolen = update.initial_root(
        other, keys.targets.public, server.snapshot_key.public, server.timestamp_key.public, NOW
    )
    server.put({"root": update.sign(stolen, [(keys.root, key_id(other))])})
    refuse(server, tmp_path, "not for this repository")


def test_a_held_root_is_not_replaced(keys: Keys, tmp_path: Path) -> None:
    server, *_ = build(keys)
    verifier(server, tmp_path).verify(REPOSITORY, "1.0")
    fake, *_ = build(Keys())
    fake.seal(timestamp=9)
    refuse(fake, tmp_path, "not validly signed")


def test_trust_data_that_vanishes_is_no_unsigned_repository(keys: Keys, tmp_path: Path) -> None:
    server, *_ = build(keys)
    verifier(server, tmp_path).verify(REPOSITORY, "1.0")
    with pytest.raises(NotTrusted, match="no longer has"):
        verifier(FakeNotary(), tmp_path).find(REPOSITORY, "1.0")


def _old_timestamp(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    server.seal(timestamp=1, snapshot=5)


def _old_snapshot(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    server.seal(snapshot=1)


def _old_targets(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    server.put_targets(targets, keys.targets)


def _frozen(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    server.seal(lasts=timedelta(seconds=0))


def _expired_targets(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    server.put_targets(msgspec.structs.replace(targets, version=9, expires="2026-11-23T11:59:59Z"), keys.targets)


def _wrong_key(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    server.put_targets(msgspec.structs.replace(targets, version=9), keys.mallory)


def _borrowed_key_id(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    signed = msgspec.structs.replace(targets, version=9)
    server.put({"targets": update.sign(signed, [(keys.mallory, keys.targets.key_id)])})


def _forged_snapshot(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    server.seal(keys=(keys.mallory, server.timestamp_key))


def _forged_timestamp(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    server.seal(keys=(server.snapshot_key, keys.mallory))


def _swapped_content(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    for name in [name for name in server.files if name.startswith("targets.")]:
        server.files[name] = server.files[name].replace(b'"1.0"', b'"1.1"')


def _mixed_and_matched(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    old = server.files["timestamp.json"]
    server.put_targets(msgspec.structs.replace(targets, version=9, targets={}), keys.targets)
    new = json.loads(server.files["timestamp.json"])
    new["signed"]["meta"] = json.loads(old)["signed"]["meta"]
    server.files["timestamp.json"] = json.dumps(new, separators=(",", ":")).encode()


def _equivocation(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    server.seal(timestamp=server.versions["timestamp"])


def _truncated(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    server.files["timestamp.json"] = server.files["timestamp.json"][:-40]


def _huge(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    server.files["timestamp.json"] += b" " * 2 * 1024**2


def _huge_targets(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    for name in [name for name in server.files if name.startswith("targets.")]:
        server.files[name] += b" " * 100


def _duplicate_keys(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    raw = server.files["timestamp.json"]
    server.files["timestamp.json"] = raw.replace(b'"version":', b'"version":99,"version":')


def _floats(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    raw = server.files["timestamp.json"]
    server.files["timestamp.json"] = raw[: raw.index(b'"version":')] + b'"version":3.0' + raw[raw.index(b'},"sig') :]


def _wrong_type(server: FakeNotary, keys: Keys, targets: Targets) -> None:
    server.files["timestamp.json"] = server.files["targets.json"]


@pytest.mark.parametrize(
    ("attack", "words"),
    [
        (_old_timestamp, "timestamp metadata was rolled back"),
        (_old_snapshot, "snapshot metadata was rolled back"),
        (_old_targets, "targets metadata was rolled back"),
        (_frozen, "timestamp metadata has expired"),
        (_expired_targets, "targets metadata has expired"),
        (_wrong_key, "targets metadata is not validly signed"),
        (_borrowed_key_id, "targets metadata is not validly signed"),
        (_forged_snapshot, "snapshot metadata is not validly signed"),
        (_forged_timestamp, "timestamp metadata is not validly signed"),
        (_swapped_content, "targets metadata is not what was signed"),
        (_mixed_and_matched, "timestamp metadata is not validly signed"),
        (_equivocation, "two timestamps of one version"),
        (_truncated, "timestamp metadata is malformed"),
        (_huge, "too big"),
        (_huge_targets, "too big"),
        (_duplicate_keys, "timestamp metadata is malformed"),
        (_floats, "timestamp metadata is malformed"),
        (_wrong_type, "timestamp metadata is malformed"),
    ],
)
def test_attack_is_refused(
    attack: Callable[[FakeNotary, Keys, Targets], None], words: str, keys: Keys, tmp_path: Path
) -> None:
    server, _, targets = build(keys)
    newer = msgspec.structs.replace(targets, version=2)
    server.put_targets(newer, keys.targets)
    verifier(server, tmp_path).verify(REPOSITORY, "1.0")
    if attack in (_swapped_content, _huge_targets):
        server.put_targets(msgspec.structs.replace(targets, version=3), keys.targets)
    attack(server, keys, targets)
    refuse(server, tmp_path, words)
    if attack not in (_old_timestamp, _old_snapshot, _old_targets, _equivocation):
        refuse(server, tmp_path / "fresh", words)


def _root(owner: Keys, server: FakeNotary, cert: Key, **changes: object) -> Root:
    made = update.initial_root(cert, owner.targets.public, server.snapshot_key.public, server.timestamp_key.public, NOW)
    return msgspec.structs.replace(made, **changes)


def test_a_rotated_root_is_followed_only_when_the_old_key_signs_it(keys: Keys, tmp_path: Path) -> None:
    server, root, _ = build(keys)
    verifier(server, tmp_path).verify(REPOSITORY, "1.0")
    cert = keys.mallory.certify(GUN, NOW)
    new = _root(keys, server, cert, version=2)
    server.put({"root": update.sign(new, [(keys.mallory, key_id(cert))])})
    refuse(server, tmp_path, "root metadata is not validly signed")
    old = root.roles["root"].keyids[0]
    server.put({"root": update.sign(new, [(keys.mallory, key_id(cert)), (keys.root, old)])})
    assert verifier(server, tmp_path).verify(REPOSITORY, "1.0")
    assert verifier(server, tmp_path / "cold", keys.root.key_id).verify(REPOSITORY, "1.0"), "by the pin of version 1"
    assert verifier(server, tmp_path / "new", keys.mallory.key_id).verify(REPOSITORY, "1.0")


def test_a_root_cannot_skip_versions_or_go_back(keys: Keys, tmp_path: Path) -> None:
    server, root, _ = build(keys)
    verifier(server, tmp_path).verify(REPOSITORY, "1.0")
    cert = root.keys[root.roles["root"].keyids[0]]
    server.put({"root": update.sign(_root(keys, server, cert, version=3), [(keys.root, key_id(cert))])})
    server.files["2.root.json"] = server.files["3.root.json"]
    refuse(server, tmp_path, "gap")


@pytest.mark.parametrize("threshold", [0, -1, 2])
def test_thresholds_are_held(threshold: int, keys: Keys, tmp_path: Path) -> None:
    server, root, _ = build(keys)
    cert = root.keys[root.roles["root"].keyids[0]]
    roles = {**root.roles, "targets": Role(root.roles["targets"].keyids, threshold)}
    server.put({"root": update.sign(_root(keys, server, cert, version=2, roles=roles), [(keys.root, key_id(cert))])})
    refuse(server, tmp_path, "threshold" if threshold < 1 else "1 valid signatures by keys of the role, 2 are needed")


def test_one_key_counts_once_under_whatever_names(keys: Keys, tmp_path: Path) -> None:
    server, root, targets = build(keys)
    cert = root.keys[root.roles["root"].keyids[0]]
    alias = keys.targets.certify(GUN, NOW)
    known = {**root.keys, key_id(alias): alias}
    roles = {**root.roles, "targets": Role((keys.targets.key_id, key_id(alias)), 2)}
    new = _root(keys, server, cert, version=2, roles=roles, keys=known)
    server.put({"root": update.sign(new, [(keys.root, key_id(cert))])})
    signed = msgspec.structs.replace(targets, version=2)
    twice = [(keys.targets, keys.targets.key_id), (keys.targets, key_id(alias)), (keys.targets, keys.targets.key_id)]
    server.put({"targets": update.sign(signed, twice)})
    refuse(server, tmp_path, "1 valid signatures by keys of the role, 2 are needed")


def test_a_delegation_signs_only_within_its_paths(keys: Keys, tmp_path: Path) -> None:
    within = DelegationRole((keys.alice.key_id,), "targets/releases", 1, ("2.",))
    server, *_ = build(keys, delegated=within)
    assert verifier(server, tmp_path / "a").verify(REPOSITORY, "2.0").signers == ()
    escaping = DelegationRole((keys.alice.key_id,), "targets/releases", 1, ("3.",))
    server, *_ = build(keys, delegated=escaping)
    with pytest.raises(NotTrusted, match="none of the roles"):
        verifier(server, tmp_path / "b").verify(REPOSITORY, "2.0")
    assert verifier(server, tmp_path / "b").verify(REPOSITORY, "1.0")


def test_a_delegation_without_enough_signatures_is_no_reason_to_look_elsewhere(keys: Keys, tmp_path: Path) -> None:
    server, *_ = build(keys, delegated=DelegationRole((keys.alice.key_id,), "targets/releases", 2, ("",)))
    refuse(server, tmp_path, "targets/releases metadata is not validly signed")


def test_a_broken_bystander_is_no_signer_and_no_obstacle(keys: Keys, tmp_path: Path) -> None:
    server, *_ = build(keys, delegated=DelegationRole((keys.alice.key_id,), "targets/bob", 2, ("",)))
    assert verifier(server, tmp_path).verify(REPOSITORY, "1.0").signers == ("targets",)
    with pytest.raises(NotTrusted, match="targets/bob"):
        verifier(server, tmp_path).verify(REPOSITORY, "2.0", roles=["targets/bob"])


def test_a_server_that_is_down_is_never_replaced_by_memory(keys: Keys, tmp_path: Path) -> None:
    from imagegate.errors import NetworkError

    server, *_ = build(keys)
    verifier(server, tmp_path).verify(REPOSITORY, "1.0")

    class Down(FakeNotary):
        def request(self, *_: object, **__: object) -> None:  # type: ignore[override]
            raise NetworkError("down")

    with pytest.raises(NetworkError):
        verifier(Down(), tmp_path).verify(REPOSITORY, "1.0")


_KEYS = Keys()
_HONEST = build(_KEYS, delegated=DelegationRole((_KEYS.alice.key_id,), "targets/releases", 1, ("",)))[0]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(_HONEST.files)), where=st.integers(0), value=st.integers(1, 255))
def test_no_changed_byte_is_believed(
    name: str, where: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    raw = bytearray(_HONEST.files[name])
    raw[where % len(raw)] ^= value
    server = FakeNotary()
    server.files = {**_HONEST.files, name: bytes(raw)}
    expected = {target("1.0"), target("2.0", "b")}
    try:
        found = verifier(server, tmp_path_factory.mktemp("cache"), _KEYS.root.key_id).targets(REPOSITORY)
    except NotTrusted:
        return
    assert {each.target for each in found} == expected


def test_parsing_takes_one_form_only() -> None:
    raw = _HONEST.files["root.json"]
    assert parse_root(raw).raw == raw
    for other in (raw + b"\n", raw.replace(b":", b": ", 1), b"[]", b"", b"\xff", b"[" * 100_000):
        with pytest.raises(NotTrusted):
            parse_root(other)
