"""Which files hold packages that only syft reads: by name, or by a mark that Go's and Rust's toolchains leave in them.

The names are those that syft's catalogers for images look for, so that syft need not be run, and the files not
unpacked, for the many layers that hold none of them.
"""

from __future__ import annotations

import re

_RPM = r".*/(?:var/lib|usr/share|usr/lib/sysimage)/rpm/Packages"
"""In Berkeley DB, which rpm left in 4.16."""
_NAMES = (
    r".*\.(?:jar|war|ear|par|sar|nar|jpi|hpi|kar|lpkg|dll|exe|rockspec)",
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

_ELF = b"\x7fELF"
_MARKS = (b"\xff Go buildinf:", b".dep-v0\0")
"""Go's build information (debug/buildinfo), and the section of `cargo auditable`."""
_OVERLAP = max(map(len, _MARKS)) - 1


def is_database(path: str) -> bool:
    """Return whether the file is a package manager's own database, so syft finds packages in it, or it is damaged."""
    return path.endswith("/Packages") and re.fullmatch(_RPM, path) is not None


def is_foreign(path: str) -> bool:
    """Return whether the path alone says that syft should look at the file."""
    return _PATTERN.fullmatch(path) is not None


class BinaryProbe:
    """Looks for the marks in a program that is fed to it chunk by chunk."""

    def __init__(self, start: bytes) -> None:
        self.found = False
        self._tail = b""
        self.feed(start)

    @staticmethod
    def wants(start: bytes, mode: int) -> bool:
        """Return whether a file with this start and mode is a program, as Go and Rust build them."""
        return bool(mode & 0o111) and start.startswith(_ELF)

    def feed(self, chunk: bytes) -> None:
        """Look at the next chunk; `found` then says whether any mark was seen so far."""
        if self.found:
            return
        seam = self._tail + chunk[:_OVERLAP]
        self.found = any(mark in chunk or mark in seam for mark in _MARKS)
        self._tail = chunk[-_OVERLAP:]
