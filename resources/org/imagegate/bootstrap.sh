#!/bin/sh
# Puts the imagegate command on an agent, and writes "$IMAGEGATE_STEP/run.sh", which runs it.
#
# In, by the environment:
#   IMAGEGATE_STEP     directory of this step
#   IMAGEGATE_VERSION  the version that the library needs
#   IMAGEGATE_INSTALL  index | a pip requirement | git+URL[@REF] | container:IMAGE
#   IMAGEGATE_REF      the library's own version: the ref for a git+URL without one
#   IMAGEGATE_TOOLS    where commands are kept (default: the user's cache)
#
# A command on PATH that has the version is used as it is. Otherwise it is installed once for each version and source,
# under a lock, and marked complete last: builds that come at once wait, and what a killed one left is made anew.
set -eu

die() {
  echo "imagegate: $1" | tee "$IMAGEGATE_STEP/problem" >&2
  exit 2
}

# Single quotes around a value, so that the shell that reads it back takes it as it is.
quoted() {
  printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

write_run() {
  printf '%s\n' '#!/bin/sh' "exec $(quoted "$1") \"\$@\"" > "$IMAGEGATE_STEP/run.sh"
}

python() {
  for each in python3.13 python3.12 python3.11 python3; do
    if "$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
      echo "$each"
      return
    fi
  done
  die 'this agent has no Python 3.11 or newer to run on; install python3, put imagegate on PATH, or set install to container:IMAGE'
}

tools() {
  for each in "${IMAGEGATE_TOOLS:-}" "${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/imagegate/tools" "${WORKSPACE_TMP:-$IMAGEGATE_STEP}/imagegate-tools"; do
    if [ -n "$each" ] && mkdir -p "$each" 2> /dev/null && [ -w "$each" ]; then
      echo "$each"
      return
    fi
  done
  die 'no directory of this agent can be written to for the command; set IMAGEGATE_TOOLS'
}

# The pip requirement. A branch or tag of git is pinned to the commit that it names now: the cache goes by it.
requirement() {
  case "$IMAGEGATE_INSTALL" in
    index) echo "imagegate[syft]==$IMAGEGATE_VERSION" ;;
    git+*)
      url=${IMAGEGATE_INSTALL#git+}
      case "${url##*/}" in
        *@*) ref=${url##*@} url=${url%@*} ;;
        *) ref=${IMAGEGATE_REF:-v$IMAGEGATE_VERSION} ;;
      esac
      if ! expr "$ref" : '[0-9a-f]\{40\}$' > /dev/null; then
        found=$(git ls-remote -- "$url" "$ref" "$ref^{}") || die "git cannot read $url"
        commit=$(printf '%s\n' "$found" | sed -n '$s/[[:space:]].*//p')
        [ -n "$commit" ] || die "$url has no branch or tag $ref"
        ref=$commit
      fi
      echo "git+$url@$ref"
      ;;
    *) echo "$IMAGEGATE_INSTALL" ;;
  esac
}

install_command() {
  [ -e "$1/complete" ] && return
  echo "imagegate: installing $2"
  rm -rf "$1"
  "$3" -m venv "$1" || die "$3 -m venv failed; install python3-venv, or put imagegate on PATH"
  "$1/bin/python" -m pip install --quiet --disable-pip-version-check -- "$2" \
    || die "pip could not install $2 (above); set install, or pip's index"
  found=$("$1/bin/imagegate" version)
  [ "$found" = "imagegate $IMAGEGATE_VERSION" ] \
    || die "$2 is $found, and the library is of version $IMAGEGATE_VERSION; pin both to one version"
  : > "$1/complete"
}

container() {
  command -v docker > /dev/null || die "install is container:$1, and this agent has no docker command"
  printf '%s\n' '#!/bin/sh' "exec sh \"\$IMAGEGATE_STEP/container.sh\" $(quoted "$1") \"\$@\"" > "$IMAGEGATE_STEP/run.sh"
}

if [ "${1:-}" = locked ]; then
  shift
  install_command "$@"
  exit
fi

case "$IMAGEGATE_INSTALL" in
  container:*)
    container "${IMAGEGATE_INSTALL#container:}"
    exit
    ;;
esac
if [ "$(imagegate version 2> /dev/null || :)" = "imagegate $IMAGEGATE_VERSION" ]; then
  write_run "$(command -v imagegate)"
  exit
fi
python=$(python)
tools=$(tools)
requirement=$(requirement)
home=$tools/$IMAGEGATE_VERSION-$(printf %s "$requirement" | cksum | tr ' ' -)
if [ ! -e "$home/complete" ]; then
  # The lock is the kernel's, held by this process for as long as it lives: nothing is left of it by one that is killed.
  "$python" -c 'import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o666)
fcntl.flock(lock, fcntl.LOCK_EX)
os.set_inheritable(lock, True)
os.execvp(sys.argv[2], sys.argv[2:])' "$home.lock" sh "$0" locked "$home" "$requirement" "$python"
fi
write_run "$home/bin/imagegate"
