"""Analyses of whole images, and what their cache may and may not answer."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import msgspec
import pytest

from imagegate.analysis.analyze import analyze
from imagegate.analysis.store import LayerStore
from imagegate.errors import DigestMismatch, InvalidImage, LimitExceeded
from imagegate.model import Analysis, Digest, FileType, PackageType, PlatformImage
from imagegate.progress import NoProgress
from imagegate.settings import AnalysisSettings, Limits
from tests.layers import BlobSource, directory, file, hardlink, image, special, symlink, tar

NATIVE = AnalysisSettings(catalogers="native")
OS_RELEASE = 'ID=debian\nVERSION_ID="12"\nNAME="Debian GNU/Linux"\nVERSION_CODENAME=bookworm\nID_LIKE="a b"\n#X=1\n'
METADATA = "Name: requests\nVersion: 2.28.1\n"
SITE = "usr/lib/python3/dist-packages/requests-2.28.1.dist-info"


def run(
    tmp_path: Path,
    built: PlatformImage,
    source: BlobSource,
    settings: AnalysisSettings = NATIVE,
    limits: Limits | None = None,
) -> Analysis:
    return analyze(
        built,
        source,  # type: ignore[arg-type]
        settings=settings,
        limits=limits or Limits(),
        store=LayerStore(tmp_path / "cache"),
        progress=NoProgress(),
    )


def analysed(tmp_path: Path, *layers: bytes, settings: AnalysisSettings = NATIVE) -> Analysis:
    built, blobs = image(*layers)
    return run(tmp_path, built, BlobSource(blobs), settings)


def status(*names: str) -> str:
    return "\n".join(f"Package: {name}\nStatus: install ok installed\nVersion: 1\n" for name in names)


def md5sums(**files: str) -> str:
    return "".join(f"{hashlib.md5(content.encode()).hexdigest()}  {path}\n" for path, content in files.items())  # noqa: S324


def packages(analysis: Analysis) -> set[tuple[str, str]]:
    return {(package.type.value, package.name) for package in analysis.packages}


def test_an_analysis_tells_files_distribution_users_and_history(tmp_path: Path) -> None:
    base = tar(
        directory("etc"), file("usr/lib/os-release", OS_RELEASE), symlink("etc/os-release", "../usr/lib/os-release"),
        file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n\nbroken:x\n"), file("bin/su", "su", mode=0o4755),
        hardlink("bin/su2", "bin/su"), special("dev/null", b"3"),
    )  # fmt: skip
    built, blobs = image(base, tar(file("app", "x")), history=[
        {"created_by": "base"}, {"created_by": "ENV x", "empty_layer": True}, {"created_by": "COPY app /"},
    ])  # fmt: skip
    found = run(tmp_path, built, BlobSource(blobs))
    files = {entry.path: entry for entry in found.files}
    assert files["/bin/su"].mode == 0o4755
    assert files["/bin/su"].sha256 == hashlib.sha256(b"su").hexdigest() == files["/bin/su2"].sha256
    assert (files["/bin/su2"].type, files["/bin/su2"].link) == (FileType.HARDLINK, "/bin/su")
    assert files["/dev/null"].type is FileType.CHARACTER
    assert found.distro
    assert (found.distro.id, found.distro.version, found.distro.like) == ("debian", "12", ("a", "b"))
    assert found.passwd
    assert [(entry.name, entry.shell) for entry in found.passwd] == [("root", "/bin/sh"), ("broken", "")]
    assert [layer.created_by for layer in found.layers] == ["base", "COPY app /"]
    assert list(found.retrieved) == ["/etc/passwd"]


def test_packages_come_with_the_layer_that_brought_them(tmp_path: Path) -> None:
    built, blobs = image(
        tar(file("var/lib/dpkg/status", status("a"))), tar(file("package.json", '{"name":"n","version":"1"}'))
    )
    found = run(tmp_path, built, BlobSource(blobs))
    assert [(package.name, package.layer) for package in found.packages] == [
        ("a", built.layers[0].descriptor.digest),
        ("n", built.layers[1].descriptor.digest),
    ]


def test_an_upgrade_replaces_and_a_whiteout_removes(tmp_path: Path) -> None:
    found = analysed(
        tmp_path,
        tar(file("var/lib/dpkg/status", status("a", "b")), file("n/package.json", '{"name":"n","version":"1"}')),
        tar(file("var/lib/dpkg/status", status("b", "c")), file(".wh.n")),
    )
    assert packages(found) == {("dpkg", "b"), ("dpkg", "c")}


def test_what_a_distro_package_owns_is_not_counted_twice(tmp_path: Path) -> None:
    info = "var/lib/dpkg/info/python3-requests.md5sums"
    base = tar(
        file("var/lib/dpkg/status", status("python3-requests")),
        file(info, md5sums(**{f"{SITE}/METADATA": METADATA})),
        file(f"{SITE}/METADATA", METADATA),
    )
    assert packages(analysed(tmp_path, base)) == {("dpkg", "python3-requests")}


def test_what_was_changed_since_or_whose_owner_is_gone_counts(tmp_path: Path) -> None:
    sums = file("var/lib/dpkg/info/python3-requests:amd64.md5sums", md5sums(**{f"{SITE}/METADATA": METADATA}))
    own = file("var/lib/dpkg/status", status("python3-requests"))
    changed = analysed(tmp_path, tar(own, sums), tar(file(f"{SITE}/METADATA", METADATA.replace("28", "19"))))
    assert packages(changed) == {("dpkg", "python3-requests"), ("python", "requests")}
    gone = analysed(tmp_path, tar(sums, file("var/lib/dpkg/status", status("x")), file(f"{SITE}/METADATA", METADATA)))
    assert packages(gone) == {("dpkg", "x"), ("python", "requests")}


def test_ownership_sees_through_a_merged_usr(tmp_path: Path) -> None:
    path = "lib/python3/dist-packages/x-1.dist-info/METADATA"
    layer = tar(
        symlink("lib", "usr/lib"),
        file("var/lib/dpkg/status", status("x")),
        file("var/lib/dpkg/info/x.md5sums", md5sums(**{path: METADATA})),
        file(f"usr/{path}", METADATA),
    )
    assert packages(analysed(tmp_path, layer)) == {("dpkg", "x")}


def test_a_hard_link_that_alone_has_the_name_is_read(tmp_path: Path) -> None:
    layer = tar(
        file("store/ab12", '{"name":"n","version":"1"}'),
        hardlink("app/node_modules/n/package.json", "store/ab12"),
    )
    assert packages(analysed(tmp_path, layer)) == {("npm", "n")}


def test_contents_are_retrieved_through_links_within_the_image(tmp_path: Path) -> None:
    settings = AnalysisSettings(catalogers="native", retrieve=("/etc/app.conf", "/etc/none", "/etc/out"))
    layers = (
        tar(symlink("etc/app.conf", "/opt/conf"), symlink("etc/out", "../../../../etc/hostname")),
        tar(file("opt/conf", "deep")),
    )
    found = analysed(tmp_path, *layers, settings=settings)
    assert found.retrieved == {"/etc/app.conf": b"deep"}
    assert found.passwd is None


def test_what_is_too_large_to_retrieve_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    settings = AnalysisSettings(catalogers="native", retrieve_max_size=10)
    with pytest.raises(LimitExceeded, match=r"analysis\.retrieve_max_size"):
        analysed(tmp_path, tar(file("etc/passwd", "x" * 11)), settings=settings)


@pytest.mark.parametrize(
    ("limits", "setting"),
    [
        (Limits(metadata_file_size=5), "limits.metadata_file_size"),
        (Limits(layer_entries=1), "limits.layer_entries"),
        (Limits(image_size=30_000), "limits.image_size"),
        (Limits(layer_size=5000), "limits.layer_size"),
    ],
)
def test_limits_hold_and_name_their_setting(tmp_path: Path, limits: Limits, setting: str) -> None:
    layer = tar(file("package.json", '{"name":"n","version":"1"}'), file("b", "x" * 9000))
    built, blobs = image(layer, layer[:512] + layer[512:] + bytes(10240))
    with pytest.raises(LimitExceeded) as caught:
        run(tmp_path, built, BlobSource(blobs), limits=limits)
    assert setting in caught.value.hint


def test_a_layer_is_read_once(tmp_path: Path) -> None:
    base, app, other = tar(file("a", "1")), tar(file("b", "2")), tar(file("c", "3"))
    first, blobs = image(base, app)
    run(tmp_path, first, BlobSource(blobs))
    again = BlobSource(blobs)
    run(tmp_path, first, again)
    assert again.opened == []
    second, blobs = image(base, other)
    source = BlobSource(blobs)
    found = run(tmp_path, second, source)
    assert source.opened == [second.layers[1].descriptor.digest]
    assert [entry.path for entry in found.files] == ["/a", "/c"]


def test_a_config_cannot_borrow_the_diff_id_of_a_clean_layer(tmp_path: Path) -> None:
    clean = tar(file("etc/motd", "clean"))
    vulnerable = tar(file("package.json", '{"name":"evil","version":"1"}'))
    honest, blobs = image(clean)
    run(tmp_path, honest, BlobSource(blobs))
    lying, blobs = image(vulnerable, diff_ids=[honest.layers[0].diff_id])
    for _ in range(2):
        with pytest.raises(DigestMismatch):
            run(tmp_path, lying, BlobSource(blobs))


def test_other_settings_are_another_cache_entry(tmp_path: Path) -> None:
    built, blobs = image(tar(file("etc/issue", "hello")))
    assert run(tmp_path, built, BlobSource(blobs)).retrieved == {}
    settings = AnalysisSettings(catalogers="native", retrieve=("/etc/issue",))
    assert run(tmp_path, built, BlobSource(blobs), settings).retrieved == {"/etc/issue": b"hello"}


@pytest.mark.parametrize("damage", [b"", b"garbage", None])
def test_a_damaged_cache_is_read_anew(tmp_path: Path, damage: bytes | None) -> None:
    built, blobs = image(tar(file("a", "1"), file("package.json", '{"name":"n","version":"1"}')))
    expected = run(tmp_path, built, BlobSource(blobs))
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file():
            raw = path.read_bytes()
            path.write_bytes(raw[:-3] + b"xxx" if damage is None else damage)
    source = BlobSource(blobs)
    assert run(tmp_path, built, source) == expected
    assert source.opened


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    assert analysed(tmp_path, tar(file("a"))).files


def test_nothing_of_a_layer_that_turns_out_corrupt_is_kept(tmp_path: Path) -> None:
    built, blobs = image(tar(file("a", "1" * 100_000)), compress=False)
    digest = built.layers[0].descriptor.digest
    raw = bytearray(blobs[digest])
    raw[-1] ^= 1
    with pytest.raises(DigestMismatch):
        run(tmp_path, built, BlobSource(blobs | {digest: bytes(raw)}))
    assert not list((tmp_path / "cache").rglob("*"))


@pytest.mark.parametrize("name", [".wh.", ".wh...", "d/.wh.."])
def test_whiteouts_that_name_no_file_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidImage, match="whiteout"):
        analysed(tmp_path, tar(file(name)))


def test_a_hostile_layer_writes_nothing(tmp_path: Path) -> None:
    hostile = tar(symlink("out", "/tmp"), file("out/evil", "x"), symlink("up", "../../.."), file("up/evil", "x"))
    found = analysed(tmp_path, hostile)
    assert {entry.path for entry in found.files} == {"/out", "/out/evil", "/up", "/up/evil"}
    assert not Path("/tmp/evil").exists()
    assert all(package.type is not PackageType.NPM for package in found.packages)


def test_the_longest_unused_analyses_go_first_when_there_are_too_many(tmp_path: Path) -> None:
    built, blobs = image(tar(file("etc/passwd", "root:x:0:0::/root:/bin/sh\n")))
    analysis = run(tmp_path, built, BlobSource(blobs))
    size = len(msgspec.msgpack.encode(analysis))
    store = LayerStore(tmp_path / "small", max_size=size * 10)
    first, second, *rest = (Digest(f"sha256:{number:064x}") for number in range(30))
    for name in (first, second):
        store.save_image(name, "k", analysis)
    for each in (tmp_path / "small/images").iterdir():
        os.utime(each, (1000, 1000))
    for name in rest[:8]:
        assert store.image(first, "k"), "what is used stays"
        store.save_image(name, "k", analysis)
    assert not store.image(second, "k")
    for name in rest[8:]:
        store.save_image(name, "k", analysis)
    assert sum(each.stat().st_size for each in (tmp_path / "small/images").iterdir()) <= size * 10
    assert store.image(rest[-1], "k")
