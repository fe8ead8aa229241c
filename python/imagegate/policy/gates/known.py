"""Gates and triggers that a real server knows and that are not evaluated here. They are refused, never ignored."""

from __future__ import annotations

UNSUPPORTED: dict[str, tuple[str, ...]] = {
    "files": ("content_regex_match",),
    "licenses": ("blacklist_exact_match", "blacklist_partial_match"),
    "malware": ("scans", "scan_not_run"),
    "npms": (
        "newer_version_in_feed",
        "unknown_in_feeds",
        "version_not_in_feeds",
        "blacklisted_name_version",
        "feed_data_unavailable",
    ),
    "packages": ("verify",),
    "retrieved_files": ("content_not_available", "content_regex"),
    "ruby_gems": (
        "newer_version_found_in_feed",
        "not_found_in_feed",
        "version_not_found_in_feed",
        "blacklist",
        "feed_data_unavailable",
    ),
    "secret_scans": ("content_regex_checks",),
}
"""Of Anchore Engine 1.1.0, by gate."""

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
