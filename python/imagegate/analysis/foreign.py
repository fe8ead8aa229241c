"""Which files hold packages that only syft reads: by name, or by a mark that compilers leave in them.

The names are those that syft's catalogers for images look for, so that syft need not be run, and the files not
unpacked, for the many layers that hold none of them.
"""

from __future__ import annotations

import re

_RPM = r".*/(?:var/lib|usr/share|usr/lib/sysimage)/rpm/Packages"
"""In Berkeley DB, which rpm left in 4.16."""
_NAMES = (
    r".*\.(?:dll|exe|rockspec)",
    r".*\.deps\.json",
    r".*/(?:DESCRIPTION|conaninfo\.txt|installed\.json|release)",
    _RPM,
    r".*/var/lib/rpmmanifest/container-manifest-2",
    r".*/var/lib/pacman/local/.*/(?:desc|files|mtree)",
    r".*/var/db/pkg/[^/]+/[^/]+/(?:CONTENTS|SIZE|LICENSE)",
    r".*/php/\.registry/.*\.reg",
    r".*/wp-content/plugins/[^/]+/[^/]+\.php",
    r".*/nix/store/[^/]+",
)
_PROGRAMS = (
    "arangosh|argocd|bash|beam\\.smp|busybox|cabal|composer|consul|curl|dart|erlexec|fluent-bit|gcc|getopt|ghc|go|gzip|"
    "haproxy|helm|httpd|java|javac|jdb|jq|julia|kubectl|kustomize|lighttpd|mariadb|memcached|mysql|nginx|node|openssl|"
    "perl|postgres|proftpd|redis-server|ruby|sqlcipher|stack|swipl|traefik|vault|wp|xtrabackup|xz|zstd|"
    "php[\\d.]*|php-fpm[\\d.]*|python[\\d.]*|pypy[\\d.]*"
)
"""Programs that syft tells the version of from their bytes."""
_LIBRARIES = r"lib(?:python|pypy|php)[^/]*\.so[^/]*|libstd-[0-9a-f]{16}\.so|liberts_internal\.a|libjulia-internal\.so"

_PATTERN = re.compile("|".join((*_NAMES, rf".*/(?:{_PROGRAMS}|{_LIBRARIES}|go/VERSION)")))

MARKS = (b".dep-v0\0", b"\0sbom_length\0")
"""The section of `cargo auditable`, and the symbol by which GraalVM's native images tell what is compiled into them."""
_OTHER_PROGRAMS = (b"MZ", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe")
"""Portable executables and Mach-O."""
_UNIVERSAL = b"\xca\xfe\xba\xbe"
_MOST_ARCHITECTURES = 20
"""A Java class begins as a universal Mach-O does; what is its version there is a number of architectures here."""


def is_database(path: str) -> bool:
    """Return whether the file is a package manager's own database, so syft finds packages in it, or it is damaged."""
    return path.endswith("/Packages") and re.fullmatch(_RPM, path) is not None


def is_foreign(path: str) -> bool:
    """Return whether the path alone says that syft should look at the file."""
    return _PATTERN.fullmatch(path) is not None


def is_other_program(start: bytes) -> bool:
    """Return whether a file is a program of Windows or macOS: what is built for several systems brings them along."""
    universal = start.startswith(_UNIVERSAL) and int.from_bytes(start[4:8], "big") <= _MOST_ARCHITECTURES
    return universal or start.startswith(_OTHER_PROGRAMS)


class Mark:
    """Looks for a mark in what is fed to it chunk by chunk. since: no place before it is looked at."""

    def __init__(self, mark: bytes, since: int = 0) -> None:
        self.found = False
        self._mark, self._since = mark, since
        self._overlap = len(mark) - 1
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        """Look at the next chunk; `found` then says whether the mark was seen so far."""
        self._since -= len(chunk)
        if self.found or self._since > 0:
            return
        self.found = self._mark in chunk or self._mark in self._tail + chunk[: self._overlap]
        self._tail = (self._tail + chunk[-self._overlap :])[-self._overlap :]
