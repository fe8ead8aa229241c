#!/bin/sh
# Makes root.tar: a minimal Debian 12 with a user `app`.
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase bookworm "$root" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
echo 'app:x:1000:1000::/home/app:/usr/sbin/nologin' >> "$root/etc/passwd"
tar -C "$root" -c -f root.tar --numeric-owner --exclude='./dev/*' .
