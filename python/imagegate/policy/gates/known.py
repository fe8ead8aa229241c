"""Gates and triggers that a real server knows and that are not evaluated here. They are refused, never ignored."""

from __future__ import annotations

UNSUPPORTED: dict[str, tuple[str, ...]] = {
    "ancestry": (
        "allowed_base_image_digest",
        "allowed_base_image_tag",
        "denylist_ancestor_image_digest",
        "denylist_ancestor_image_tag",
        "no_ancestors_analyzed",
    ),
    "distro": ("deny",),
    "image_source_drift": ("package_downgraded", "package_removed", "no_related_sources"),
    "packages": ("metadata",),
    "stig": (),
    "tag_drift": ("packages_added", "packages_removed", "packages_modified"),
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
