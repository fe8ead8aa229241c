"""Gems and conda packages: odd files, and what is missing in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagegate.analysis import purl
from imagegate.analysis.catalogers import Unreadable, cataloger_of
from imagegate.errors import AnalysisError
from imagegate.model import Package, PackageType
from imagegate.settings import AnalysisSettings
from tests.layers import analysed, file, tar

SPECIFICATIONS = "/var/lib/gems/3.1.0/specifications"
GEM = """\
# -*- encoding: utf-8 -*-
# stub: rack 2.2.4 ruby lib

Gem::Specification.new do |s|
  s.name = "rack".freeze
  s.version = "2.2.4"

  s.required_rubygems_version = Gem::Requirement.new(">= 0".freeze) if s.respond_to? :required_rubygems_version=
  s.authors = ["Andr\\u00E9".freeze]
  s.licenses = ["MIT".freeze, "Ruby".freeze]
  s.installed_by_version = "3.3.15" if s.respond_to? :installed_by_version
  s.specification_version = 4
  s.add_runtime_dependency(%q<other>.freeze, ["~> 9.9".freeze])
end
"""
RECORD = """{"name": "openssl", "version": "3.2.1", "build": "hd590300_1", "license": "Apache-2.0",
"subdir": "linux-64", "channel": "https://conda.example/conda-forge/linux-64",
"files": ["lib/libssl.so.3"], "depends": []}"""


def packages(path: str, content: str | bytes) -> tuple[Package, ...]:
    cataloger = cataloger_of(path)
    assert cataloger
    return cataloger.parse(path, content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (f"{SPECIFICATIONS}/rack-2.2.4.gemspec", "gem"),
        (f"{SPECIFICATIONS}/default/json-2.6.1.gemspec", "gem"),
        ("/usr/share/rubygems-integration/all/specifications/rack-2.2.4.gemspec", "gem"),
        ("/app/rack.gemspec", None),
        ("/opt/conda/conda-meta/openssl-3.2.1-hd590300_1.json", "conda"),
        ("/opt/conda/conda-meta/history", None),
    ],
)
def test_which_files_state_packages(path: str, name: str | None) -> None:
    found = cataloger_of(path)
    assert (found.name if found else None) == name


def test_a_specification_as_rubygems_writes_it() -> None:
    (found,) = packages(f"{SPECIFICATIONS}/rack-2.2.4.gemspec", GEM)
    assert (found.type, found.name, found.version, found.purl) == (
        PackageType.GEM, "rack", "2.2.4", "pkg:gem/rack@2.2.4",
    )  # fmt: skip
    assert found.licenses == ("MIT", "Ruby")


@pytest.mark.parametrize(
    ("file_name", "content", "expected"),
    [
        ("a-1.gemspec", "spec.name = 'a'\nspec.version = '1.0'\nspec.license = 'MIT'\n", ("a", "1.0", ("MIT",))),
        ("a-1.gemspec", "  s.name = %q{a}\n  s.version = %q{0.9}\n", ("a", "0.9", ())),
        ("a-1.gemspec", "# stub: a-b 3 ruby lib\n\ns.name = NAME\ns.version = VERSION\n", ("a-b", "3", ())),
        ("a-b-3.1.gemspec", 's.name = "a-#{B}"\ns.version = VERSION\n', ("a-b", "3.1", ())),
        ("nokogiri-1.13.10-x86_64-linux.gemspec", "", ("nokogiri", "1.13.10", ())),
        ("a-1.gemspec", "s.name = []\ns.licenses = []\n", ("a", "1", ())),
        ("a-1.2.gemspec", b"\xff\xfe\0\0", ("a", "1.2", ())),
        ("a-1.2.gemspec", GEM[:60], ("rack", "2.2.4", ())),
        ("a.gemspec", 's.name = "a"\n', None),
        ("a.gemspec", "", None),
    ],
)
def test_odd_specifications(
    file_name: str, content: str | bytes, expected: tuple[str, str, tuple[str, ...]] | None
) -> None:
    found = [(each.name, each.version, each.licenses) for each in packages(f"{SPECIFICATIONS}/{file_name}", content)]
    assert found == ([expected] if expected else [])


def test_a_conda_record() -> None:
    (found,) = packages("/opt/conda/conda-meta/openssl-3.2.1-hd590300_1.json", RECORD)
    assert (found.type, found.name, found.version, found.licenses) == (
        PackageType.OTHER, "openssl", "3.2.1", ("Apache-2.0",),
    )  # fmt: skip
    assert found.purl == "pkg:conda/openssl@3.2.1?build=hd590300_1&channel=conda-forge&subdir=linux-64"
    (plain,) = packages("/c/conda-meta/a-1-0.json", '{"name":"a","version":"1","channel":"conda-forge"}')
    assert plain.purl == "pkg:conda/a@1?channel=conda-forge"


@pytest.mark.parametrize(
    "content",
    ["", "{}", RECORD[:80], "[" * 100_000, '{"name":"","version":"1"}', b'{"name":"\xff","version":"1"}', "\0" * 9],
)
def test_a_damaged_conda_record_is_an_error(tmp_path: Path, content: str | bytes) -> None:
    path = "/opt/conda/conda-meta/openssl-3.2.1-0.json"
    with pytest.raises(Unreadable):
        packages(path, content)
    with pytest.raises(AnalysisError, match="cannot be read"):
        analysed(tmp_path, tar(file(path, content)), settings=AnalysisSettings(catalogers="native"))


@pytest.mark.parametrize("name", ["\r", " ", "", "/"])
def test_a_name_that_no_purl_can_have_is_no_hindrance(name: str) -> None:
    assert [make(name, "1.0") for make in (purl.pypi, purl.npm, purl.gem)] == ["", "", ""]
