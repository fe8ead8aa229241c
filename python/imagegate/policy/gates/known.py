"""Gates and triggers that a real server knows and that are not evaluated here. They are refused, never ignored."""

from __future__ import annotations

UNSUPPORTED: dict[str, tuple[str, ...]] = {
    "image_source_drift": ("package_downgraded", "package_removed", "no_related_sources"),
    "packages": ("metadata",),
    "stig": (),
}
"""Of Anchore Enterprise, by gate."""

ENDED: dict[str, str] = {
    "anchoresec": "vulnerabilities",
    "dockerfilecheck": "dockerfile",
    "filecheck": "files",
    "fileparse_passwd": "passwd_file",
    "gemcheck": "ruby_gems",
    "imagecheck": "",
    "licblacklist": "licenses",
    "metadatacheck": "metadata",
    "npmcheck": "npms",
    "pkgblacklist": "packages",
    "pkgcheck": "packages",
    "pkgdiff": "",
    "secretcheck": "secret_scans",
    "suiddiff": "",
}
"""Gates that the engine itself refuses, and what replaced them."""
