"""Java archives: which file, manifest and pom.properties name what, and archives within others."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagegate.analysis.catalogers import java, javagroups, javaname, javapom, licensetext
from imagegate.analysis.catalogers.javamanifest import Manifest
from imagegate.errors import AnalysisError
from imagegate.model import Package, PackageType
from imagegate.settings import AnalysisSettings
from tests.jars import archive, jar, maven, pom
from tests.layers import analysed, file, hardlink, tar

NATIVE = AnalysisSettings(catalogers="native")
MIT = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy {} or other dealings in the software."
)
POM = """<?xml version="1.0"?><project xmlns="http://maven.apache.org/POM/4.0.0"><parent><groupId>org.parent</groupId></parent>
<licenses><license><name>
  The MIT
  License</name><url>http://x</url></license><license><name>${{own}}</name></license></licenses>{}</project>"""


def packages(raw: bytes, path: str = "/app/tool-1.2.jar") -> list[Package]:
    return list(java.parse(path, io.BytesIO(raw)).packages)


def told(raw: bytes, path: str = "/app/tool-1.2.jar") -> set[str]:
    return {each.purl.removeprefix("pkg:maven/") for each in packages(raw, path)}


@pytest.mark.parametrize(
    ("file_name", "name", "version"),
    [
        ("log4j-core-2.14.1.jar", "log4j-core", "2.14.1"),
        ("spring-core-5.3.1.RELEASE.jar", "spring-core", "5.3.1.RELEASE"),
        ("kafka_2.13-3.2.0.jar", "kafka_2.13", "3.2.0"),
        ("my-http2-server-5.war", "my-http2-server", "5"),
        ("jetpack-build235-rc5.jar", "jetpack", "build235-rc5"),
        ("tool-RC1.jar", "tool", "RC1"),
        ("tool-rc1x.jar", "tool-rc1x", ""),
        ("foo_1.2.3.jar", "foo", "1.2.3"),
        ("foo.1.2.jar", "foo", "1.2"),
        ("org.example.tool-4.jar", "org.example.tool", "4"),
        ("tool.jar", "tool", ""),
        ("tool--1.jar", "tool-", "1"),
        ("1tool.jar", "", ""),
        ("t\u00f6ol-1.jar", "", ""),
        ("a" * 2000 + "-1.jar", "", ""),
        ("-".join(["a"] * 500) + ".!.jar", "", ""),
    ],
)
def test_what_file_names_tell(file_name: str, name: str, version: str) -> None:
    assert javaname.parse(f"/opt/x.war:WEB-INF/lib/{file_name}") == (name, version)


@settings(deadline=None)
@given(st.from_regex(r"[a-z]+(-[a-z]+)*", fullmatch=True), st.from_regex(r"[0-9]+(\.[0-9a-zA-Z]+)*", fullmatch=True))
def test_a_name_and_a_version_are_told_apart(name: str, version: str) -> None:
    assert javaname.parse(f"{name}-{version}.jar") == (name, version)


@pytest.mark.parametrize(
    ("name", "artifact"),
    [("org.example.tool", "tool"), ("org.eclipse.osgi", "org.eclipse.osgi"), ("kafka_2.13", "kafka_2.13"), ("a", "a")],
)
def test_a_group_in_a_file_name_is_taken_away(name: str, artifact: str) -> None:
    assert javaname.artifact(javaname.FileName(name, "")) == artifact


def test_a_manifest_is_read_as_it_is_folded() -> None:
    text = (
        b"Bundle-SymbolicName: org.exa\r\n mple.tool;singleton:=true\r\nBundle-Version: 1\nBundle-Version: 2\r\nbad\r\n"
    )
    manifest = Manifest(
        text + b"Created-By: Apache Maven Bundle Plugin\r\n\r\n\r\nName: a/\rImplementation-Version: 9\r"
    )
    assert manifest.main["Bundle-SymbolicName"] == "org.example.tool;singleton:=true"
    assert (manifest.version, manifest.group) == ("9", "org.example.tool")
    assert manifest.bundle_name == "tool;singleton:=true"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ("Implementation-Version: 3", "org.example.tool/tool@1.2"),
        ("Implementation-Vendor-Id: com.example\nImplementation-Title: org.a#b", "com.example/tool@1.2"),
        ("Automatic-Module-Name: org.module\nSpecification-Vendor: The Makers", "org.module/tool@1.2"),
        ("Main-Class: demo.Main", "tool/tool@1.2"),
    ],
)
def test_without_a_pom_the_file_names_and_the_manifest_groups(attributes: str, expected: str) -> None:
    if "org.example" in expected:
        attributes += "\nBundle-SymbolicName: org.example.tool"
    assert told(jar(manifest=attributes + "\n")) == {expected}


def test_a_version_is_that_of_the_manifest_where_the_file_has_none() -> None:
    raw = jar(manifest="Bundle-License: MIT\nSpecification-Version: 2\nImplementation-Version: 3\n")
    (found,) = packages(raw, "/app/tool.jar")
    assert (found.name, found.version, found.type, found.licenses) == ("tool", "3", PackageType.JAVA, ("MIT",))
    (unknown,) = packages(jar(), "/app/tool.jar")
    assert (unknown.version, unknown.purl) == ("UNKNOWN", "pkg:maven/tool/tool")
    assert told(jar(manifest="Bundle-Name: Named\n"), "/app/1.jar") == {"Named/Named"}


def test_pom_properties_are_better_than_the_file_name() -> None:
    assert told(jar(pom("org.example", "tool", "1.2.0"))) == {"org.example/tool@1.2.0"}
    assert told(jar(pom("org.example", "tool-core", "9"))) == {"org.example/tool-core@9"}


def test_what_was_shaded_into_an_archive_is_told_too() -> None:
    raw = jar(
        {**pom("org.example", "tool", "1.2"), **pom("com.google", "guava", "31"), **pom("org.other", "tool", "7")}
    )
    assert told(raw) == {"org.example/tool@1.2", "com.google/guava@31", "org.other/tool@7"}


def test_an_archive_without_a_manifest_is_told_where_it_can_be_named() -> None:
    assert told(archive(pom("org.example", "a", "1"))) == {"org.example/a@1"}
    assert told(archive({"A.class": b""})) == {"tool/tool@1.2"}
    assert told(archive({"A.class": b""}), "/app/tool.jar") == set()


def test_what_only_instruments_another_is_not_that_one() -> None:
    assert told(jar(pom("org.example", "tool", "1"), "Weave-Classes: a\n")) == set()


def test_archives_within_an_archive_say_where_they_are() -> None:
    inner = jar({"lib/deep-3.jar": maven("g", "deep", "3"), **pom("g", "inner", "2")})
    boot = jar({"BOOT-INF/lib/inner-2.jar": inner, "x/noise.jar": b"", "y.txt": b""}, packed=False)
    found = {each.name: each.path for each in packages(boot, "/app/shop.jar")}
    assert found == {
        "shop": "/app/shop.jar",
        "inner": "/app/shop.jar:BOOT-INF/lib/inner-2.jar",
        "deep": "/app/shop.jar:BOOT-INF/lib/inner-2.jar:lib/deep-3.jar",
    }


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("groupId=g\nartifactId=a\nversion=1\n", ("g", "a", "1")),
        ("# c\r\n! d\r\ngroupId : g\r\nARTIFACTID= a \r\nversion=1=2\r\nodd", ("g", "a", "1=2")),
        ("artifactId=a\nversion=1", ("", "a", "1")),
        ("groupId=g\nartifactId=a\n", None),
        ("", None),
        ("\0\xff", None),
    ],
)
def test_pom_properties(content: str, expected: tuple[str, str, str] | None) -> None:
    assert javapom.properties(content.encode("latin-1")) == expected


def test_a_pom_states_licences_and_the_group_that_properties_lack() -> None:
    entries = pom("", "tool", "1.2")
    (place,) = entries
    (found,) = packages(jar({**entries, place.replace("properties", "xml"): POM.format("<groupId>org.own</groupId>")}))
    assert (found.purl, found.licenses) == ("pkg:maven/org.own/tool@1.2", ("The MIT License",))
    assert javapom.project(POM.format("").encode()).group == "org.parent"
    assert javapom.project(b"<project><groupId>g</groupId>").group == "g"
    for damaged in (b"", b"\xff\xfe", b'<?xml version="1.0" encoding="none"?><project/>', b"<a>" * 50_000):
        assert javapom.project(damaged) == ("", ())


def test_licence_files_are_known_by_their_text() -> None:
    raw = jar({"META-INF/LICENSE": MIT.format("x " * 100), "LICENSE": "none", "LICENSE.txt": "Mine. " * 300})
    assert packages(raw)[0].licenses == ("MIT",)
    assert licensetext.licenses(MIT.format("x " * 500).encode()) == ()
    assert licensetext.licenses((MIT.format("") + " other" * 300).encode()) == ()


@pytest.mark.parametrize(
    ("artifact", "group"),
    [
        ("spring-core", "org.springframework"),
        ("spring-boot-starter-web", "org.springframework.boot"),
        ("spring-boot-admin-server", ""),
        ("spring-kafka", "org.springframework.kafka"),
        ("spring-security-oauth2", "org.springframework.security.oauth"),
        ("spring-security-oauth2-core", "org.springframework.security"),
        ("kafka-clients", "org.apache.kafka"),
        ("kafka-avro-serializer", ""),
        ("groovy-json", "org.codehaus.groovy"),
        ("groovy-cps", ""),
        ("org.eclipse.core.runtime", "org.eclipse.platform"),
        ("org.eclipse.jgit", ""),
        ("commons-logging", "commons-logging"),
    ],
)
def test_groups_that_no_archive_tells(artifact: str, group: str) -> None:
    assert javagroups.group_of(artifact) == group


def test_archives_in_a_layer(tmp_path: Path) -> None:
    """A hard link that alone has a telling name, and a path that stands twice, which is what it was last."""
    layer = tar(
        file("blobs/1", maven("g", "linked", "1")), hardlink("app/linked.jar", "blobs/1"),
        file("app/twice.jar", maven("g", "first", "1")), file("app/twice.jar", maven("g", "twice", "2")),
        file("app/gone.jar", maven("g", "gone", "1")), file("app/large.jar", jar({"x": bytes(range(256)) * 50_000})),
    )  # fmt: skip
    found = analysed(tmp_path, layer, tar(file("app/.wh.gone.jar")), settings=NATIVE)
    assert {(each.name, each.path, each.cataloger) for each in found.packages} == {
        ("linked", "/app/linked.jar", "native"), ("twice", "/app/twice.jar", "native"),
        ("large", "/app/large.jar", "native"),
    }  # fmt: skip
    assert {each.layer for each in found.packages} == {found.layers[0].digest}


def test_a_distribution_stands_for_its_archives_until_they_are_changed(tmp_path: Path) -> None:
    raw = maven("g", "a", "1")
    sums = f"{hashlib.md5(raw, usedforsecurity=False).hexdigest()}  usr/share/java/a.jar\n"
    layer = tar(
        file("var/lib/dpkg/status", "Package: liba\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n"),
        file("var/lib/dpkg/info/liba.md5sums", sums),
        file("usr/share/java/a.jar", raw),
    )
    changed = tar(file("usr/share/java/a.jar", maven("g", "a", "2")))
    assert [each.name for each in analysed(tmp_path, layer, settings=NATIVE).packages] == ["liba"]
    found = analysed(tmp_path, layer, changed, settings=NATIVE).packages
    assert {(each.name, each.version) for each in found} == {("liba", "1"), ("a", "2")}


def test_an_archive_that_nobody_can_read_to_its_end_is_an_error_while_it_is_seen(tmp_path: Path) -> None:
    raw = maven("g", "a", "1")
    for number in range(20):
        raw = jar({f"{number}.jar": raw})
    layer = tar(file("app/deep.jar", raw))
    with pytest.raises(AnalysisError, match=r"/app/deep\.jar states packages, but cannot be read"):
        analysed(tmp_path, layer, settings=NATIVE)
    assert analysed(tmp_path, layer, tar(file("app/.wh.deep.jar")), settings=NATIVE).packages == ()
