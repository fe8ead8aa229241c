"""Native catalogers and the real syft find the same in real Java archives and Go programs."""

from __future__ import annotations

import io
import shutil
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from packageurl import PackageURL

from imagegate.analysis import syft
from imagegate.model import Analysis, Package, PackageType
from imagegate.settings import AnalysisSettings
from lab.packages import ensure
from tests.integration.test_analysis_parity import natively, run
from tests.integration.test_analysis_parity_formats import of_root, scanned
from tests.layers import analysed, file, tar

COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
ARTIFACTS = (
    "org.apache.logging.log4j:log4j-core:2.14.1", "org.apache.commons:commons-lang3:3.12.0",
    "org.springframework:spring-core:5.3.18", "org.springframework.boot:spring-boot:2.7.0",
    "com.fasterxml.jackson.core:jackson-databind:2.13.0", "org.apache.kafka:kafka-clients:3.2.0",
    "org.codehaus.groovy:groovy:3.0.9", "org.apache.tomcat.embed:tomcat-embed-core:9.0.60",
    "com.squareup.okhttp3:okhttp:4.9.3", "commons-logging:commons-logging:1.0.4", "commons-cli:commons-cli:1.0",
    "xerces:xercesImpl:2.12.2", "org.bouncycastle:bcprov-jdk18on:1.71", "org.yaml:snakeyaml:1.30",
    "org.eclipse.platform:org.eclipse.core.runtime:3.26.0", "org.glassfish.jaxb:jaxb-runtime:2.3.6",
    "org.apache.felix:org.apache.felix.framework:7.0.5", "javax.servlet:servlet-api:2.5",
    "org.postgresql:postgresql:42.3.5", "org.apache.activemq:activemq-web-console:5.17.1:war",
)  # fmt: skip
"""Of Maven Central: with and without pom.properties, shaded, OSGi's, Ant's, and a war of a hundred jars."""
NODE = (
    "esbuild-linux-64@0.8.57",
    "esbuild-linux-arm@0.13.15",
    "esbuild-linux-64@0.14.54",
    "@esbuild/linux-s390x@0.17.0",
)
"""Go programs of npm: built by Go 1.15 and 1.17 with pointers, and by later ones; for several machines."""
WHEEL = "dockerfile==3.2.0"
"""A Python extension that is a Go library."""

Told = Counter[tuple[str, str, str, str, str]]


def maven(place: Path) -> None:
    """Copy the artifacts from Maven Central, or from what Maven has of it, without what they depend on."""
    dependencies = ""
    for each in ARTIFACTS:
        group, artifact, version, kind = (*each.split(":"), "jar")[:4]
        names = zip(("groupId", "artifactId", "version", "type"), (group, artifact, version, kind), strict=True)
        dependencies += f"<dependency>{''.join(f'<{name}>{value}</{name}>' for name, value in names)}</dependency>"
    project = "<modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>a</artifactId><version>1</version>"
    place.mkdir(parents=True)
    (place / "pom.xml").write_text(f"<project>{project}<dependencies>{dependencies}</dependencies></project>")
    run("mvn", "-q", "-B", COPY, "-DexcludeTransitive=true", f"-DoutputDirectory={place}", cwd=place)
    (place / "pom.xml").unlink()


def boot(target: Path, libraries: list[Path]) -> None:
    """An application as Spring Boot packs it: its jars are stored, and a shell script comes before it."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as made:
        made.writestr("META-INF/MANIFEST.MF", "Main-Class: org.springframework.boot.loader.JarLauncher\n\n")
        for each in libraries:
            made.write(each, f"BOOT-INF/lib/{each.name}")
    target.write_bytes(b"#!/bin/sh\nexec java -jar $0\n" + raw.getvalue())


@pytest.fixture(scope="module")
def archives(work_dir: Path) -> Path:
    ensure("mvn", "javac")
    root = work_dir / "archives"
    maven(root / "app")
    boot(root / "app/shop-1.0.jar", sorted((root / "app").glob("*.jar")))
    shutil.copytree("/usr/share/maven/lib", root / "usr/share/maven/lib")
    return root


@pytest.fixture(scope="module")
def programs(work_dir: Path) -> Path:
    ensure("docker-registry", "notary", "notary-server", "npm")
    root = work_dir / "programs"
    (root / "usr/bin").mkdir(parents=True)
    for name in ("docker-registry", "notary", "notary-server"):
        shutil.copy(str(shutil.which(name)), root / "usr/bin" / name)
    shutil.copy(syft._executable(), root / "usr/bin/scanner")
    shutil.copy("/bin/ls", root / "usr/bin/ls")
    modules = root / "app"
    modules.mkdir()
    run("npm", "install", "--force", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", modules, *NODE[-2:])
    for each in NODE[:-2]:
        run("npm", "pack", "--silent", each, cwd=modules)
    for packed in modules.glob("*.tgz"):
        shutil.unpack_archive(packed, modules / packed.stem)
        packed.unlink()
    options = ("--quiet", "--only-binary", ":all:", "--no-deps")
    run(sys.executable, "-m", "pip", "install", *options, "--target", root / "site", WHEEL)
    return root


def by_syft(layout: Path, kind: str) -> Told:
    return Counter(each for each in map(key_of, scanned(f"oci-dir:{layout}")) if each[0] == kind)


def key_of(found: dict[str, Any]) -> tuple[str, str, str, str, str]:
    place = found["locations"][0]
    path = place.get("accessPath") or place["path"]
    return found["type"], found["name"], found["version"], canonical(found["purl"]), path


def ours(analysis: Analysis, kind: PackageType, name: str) -> Told:
    return Counter(
        (name, each.name, each.version, canonical(each.purl), each.path)
        for each in analysis.packages
        if each.type is kind and each.cataloger == "native"
    )


def canonical(purl: str) -> str:
    """syft writes parentheses, `*` and `;` as they are, which the specification encodes."""
    return PackageURL.from_string(purl).to_string() if purl else ""


def test_java_archives_are_the_same(archives: Path, tmp_path: Path) -> None:
    layout = of_root(archives, tmp_path)
    theirs = by_syft(layout, "java-archive")
    found = ours(natively(layout, tmp_path / "cache"), PackageType.JAVA, "java-archive")
    assert not theirs - found
    assert len(theirs) > 140
    # Nothing but what has no manifest, which syft passes over.
    assert {(name, version) for _, name, version, *_ in found - theirs} <= {("javax.inject", "1")}
    names = {name for _, name, *_ in found}
    assert {"log4j-core", "spring-boot", "activemq-broker", "maven-core", "shop"} <= names
    inner = [path for _, name, _, _, path in found if name == "log4j-core"]
    assert "/app/shop-1.0.jar:BOOT-INF/lib/log4j-core-2.14.1.jar" in inner


def test_licences_of_java_archives_are_the_same_but_for_rare_ones(archives: Path, tmp_path: Path) -> None:
    layout = of_root(archives, tmp_path)
    theirs = {
        key_of(each): {" ".join(one["value"].split()) for one in each["licenses"]} - {""}
        for each in scanned(f"oci-dir:{layout}")
    }
    analysis = natively(layout, tmp_path / "cache")
    mine = {
        ("java-archive", each.name, each.version, canonical(each.purl), each.path): set(each.licenses)
        for each in analysis.packages
    }
    both = theirs.keys() & mine.keys()
    different = {key[1]: (theirs[key], mine[key]) for key in both if theirs[key] != mine[key]}
    assert len(different) <= len(both) // 50, different


def test_go_modules_are_the_same(programs: Path, tmp_path: Path) -> None:
    layout = of_root(programs, tmp_path)
    analysis = natively(layout, tmp_path / "cache")
    theirs = by_syft(layout, "go-module")
    assert ours(analysis, PackageType.GO, "go-module") == theirs
    assert len(theirs) > 200
    architectures = {
        each["name"]: each["metadata"].get("architecture", "")
        for each in scanned(f"oci-dir:{layout}")
        if each["locations"][0]["path"] == "/usr/bin/scanner" and each["type"] == "go-module"
    }
    assert {
        each.name: each.architecture for each in analysis.packages if each.path == "/usr/bin/scanner"
    } == architectures
    assert {each.path for each in analysis.packages if each.path.endswith(".so")} == {"/site/dockerfile.abi3.so"}


def test_they_are_the_same_in_every_mode_and_auto_needs_no_syft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: Path, archives: Path
) -> None:
    layer = tar(
        file("usr/bin/notary", (programs / "usr/bin/notary").read_bytes(), mode=0o755),
        file("app/spring-core-5.3.18.jar", (archives / "app/spring-core-5.3.18.jar").read_bytes()),
    )
    theirs = analysed(tmp_path, layer, settings=AnalysisSettings(catalogers="syft")).packages
    monkeypatch.setattr("imagegate.analysis.syft._executable", _never)
    for settings in (AnalysisSettings(), AnalysisSettings(catalogers="native")):
        mine = analysed(tmp_path, layer, settings=settings).packages
        assert {each.cataloger for each in mine} == {"native"} != {each.cataloger for each in theirs}
        assert [_comparable(each) for each in mine] == [_comparable(each) for each in theirs] != []


def _comparable(package: Package) -> tuple[object, ...]:
    each = msgspec.structs.replace(package, cataloger="", purl=canonical(package.purl))
    return msgspec.structs.astuple(each)


def _never() -> Path:
    raise AssertionError("syft was asked for")
