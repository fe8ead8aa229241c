#!/bin/sh
# Puts the imagegate command on an agent, and writes "$IMAGEGATE_STEP/run.sh", which runs it.
#
# In, by the environment:
#   IMAGEGATE_STEP     directory of this step
#   IMAGEGATE_VERSION  the version that the library needs
#   IMAGEGATE_INSTALL  index | a pip requirement | git+URL[@REF] | container:IMAGE
#   IMAGEGATE_REF      the library's own version: the ref for a git+URL without one
#   IMAGEGATE_TOOLS    where commands are kept (default: the user's cache)
# Out, when it fails: one or two lines in "$IMAGEGATE_STEP/problem".
#
# A command on PATH that has the version is used as it is. Otherwise it is installed once for each version and source,
# under a lock, and marked complete last: builds that come at once wait, and what a killed one left is made anew. So is
# one that no longer answers, for the agent's Python was replaced.
#
# Builds of several repositories share what is installed, so a source is known by what cannot be another's: an index's
# requirement or a URL by its text, git by the commit, a local file by its content. A local directory has no such name
# (building in it changes it): it is installed for this step alone. A directory of commands, or a command, that a user
# who is neither root nor this one owns, or that everyone can write to, is not used.
#
# This starts in the workspace, whose files a repository brings. Nothing may be loaded from there: not a pip.py by
# Python, nor .git/config by git.
set -euf
workspace=$(pwd)
cd "$IMAGEGATE_STEP"
unset PYTHONPATH PYTHONHOME GIT_DIR GIT_WORK_TREE
export GIT_TERMINAL_PROMPT=0
umask g-w,o-w
log=$IMAGEGATE_STEP/install.log
newline='
'

# Logins and queries of URLs are where tokens are. The second rule is for a login with a slash in it: no port is like it.
redacted() {
  LC_ALL=C sed -e 's|://[^/[:space:]]*@|://***@|g' \
    -e 's|://[^/:[:space:]]*:[^/[:space:]]*[^]0-9/[:space:]][^/[:space:]]*/[^[:space:]]*@|://***@|g' \
    -e 's|?[^=[:space:]]*=[^#[:space:]]*|?***|g'
}

die() {
  problem=$(printf '%s\n' "imagegate: $1" | redacted)
  printf '%s\n' "$problem" > "$IMAGEGATE_STEP/problem"
  printf '%s\n' "$problem" >&2
  exit 2
}

# Runs a command; what it says is shown after it, redacted.
logged() {
  status=0
  "$@" > "$log" 2>&1 || status=$?
  redacted < "$log" >&2
  return "$status"
}

# Single quotes around a value, so that the shell that reads it back takes it as it is.
quoted() {
  printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"
}

# Writes the script that runs the words given, and what comes after them.
write_run() {
  words=
  for each in "$@"; do
    words="$words $(quoted "$each")"
  done
  printf '%s\n' '#!/bin/sh' 'unset PYTHONPATH PYTHONHOME' "exec$words \"\$@\"" > "$IMAGEGATE_STEP/run.sh"
}

python() {
  for each in python3.13 python3.12 python3.11 python3; do
    if "$each" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
      echo "$each"
      return
    fi
  done
  die 'this agent has no Python 3.11 or newer to run on; install python3, put imagegate on PATH, or set install to container:IMAGE'
}

# The commit that a tag or branch names now, by its whole name: git matches a name's end, so main would be wip/main too.
commit_of() {
  command -v git > /dev/null || die 'install is git+URL, and this agent has no git'
  case "$2" in
    HEAD | refs/*) names="$2^{} $2" ;;
    *) names="refs/tags/$2^{} refs/tags/$2 refs/heads/$2" ;;
  esac
  # No repository is looked for, of which the settings would count.
  # shellcheck disable=SC2086
  GIT_DIR=/nonexistent git ls-remote -- "$1" $names > refs 2> "$log" \
    || { redacted < "$log" >&2; die "git cannot read $1 (above)"; }
  tab=$(printf '\t')
  for name in $names; do
    while IFS=$tab read -r commit each; do
      if [ "$each" = "$name" ]; then
        echo "$commit"
        return
      fi
    done < refs
  done
  if expr "x$2" : 'x[0-9a-fA-F]\{7,39\}$' > /dev/null; then
    die "$1 has no branch or tag $2; a commit must be given by all of its 40 digits"
  fi
  die "$1 has no branch or tag $2"
}

# The pip requirement. A branch or tag of git is pinned to the commit that it names now: the cache goes by it.
requirement() {
  case "$IMAGEGATE_INSTALL" in
    index) echo "imagegate[syft]==$IMAGEGATE_VERSION" ;;
    git+*://*/*)
      url=${IMAGEGATE_INSTALL#git+}
      fragment=
      case "$url" in *'#'*) fragment="#${url#*#}" url=${url%%#*} ;; esac
      # The @ of a login comes before the path; one after .git is a ref's, which may itself hold a / or an @.
      host=${url#*://} host=${url%%://*}://${host%%/*}
      path=${url#"$host"}
      case "$path" in
        *.git@*) ref=${path#*.git@} path=${path%%.git@*}.git ;;
        *@*) ref=${path##*@} path=${path%@*} ;;
        *) ref=${IMAGEGATE_REF:-v$IMAGEGATE_VERSION} ;;
      esac
      case "$ref" in
        '' | *[[:space:]]*) die "$host$path: '$ref' is no branch or tag" ;;
      esac
      if ! expr "x$ref" : 'x[0-9a-fA-F]\{40\}$' > /dev/null; then
        ref=$(commit_of "$host$path" "$ref") || exit # busybox's shell, in a substitution, does not end by set -e
      fi
      printf '%s\n' "git+$host$path@$ref$fragment"
      ;;
    git+*) die 'install is git+ and no URL; git@HOST:PATH is written as git+ssh://HOST/PATH, with git@ before HOST' ;;
    *) printf '%s\n' "$IMAGEGATE_INSTALL" ;;
  esac
}

# Prints where a requirement's command belongs, and the requirement with a local path made absolute.
place='
import hashlib, os, re, stat, sys
from urllib.parse import quote, unquote, urlsplit

requirement, workspace = sys.argv[1:]
environ, user = os.environ, os.geteuid()
ARCHIVES = (".whl", ".zip", ".tar", ".tgz", ".tbz", ".txz", ".tlz", ".gz", ".bz2", ".xz", ".lzma")
identity, shared = [requirement], True
if not requirement.startswith("git+"):
    url = re.fullmatch(r"((?:.*@)?\s*file:)([^#;]*)(.*)", requirement, re.IGNORECASE)
    plain = re.fullmatch(r"()([^;]*?)((?:\[[^]]*\])?\s*(?:;.*)?)", requirement)
    before, path, after = (url or plain).groups()
    is_path = "://" not in requirement and ("/" in path or path.startswith(".") or path.lower().endswith(ARCHIVES))
    if url or is_path:
        path = os.path.join(workspace, unquote(urlsplit("file:" + path).path) if url else path)
        requirement = (before + "//" + quote(path) if url else path) + after
        shared = os.path.isfile(path)
        if shared:
            try:
                with open(path, "rb") as file:
                    identity = [os.path.basename(path) + after, hashlib.file_digest(file, "sha256").hexdigest()]
            except OSError as error:
                sys.exit(f"imagegate: {error}")
    elif "+file:" in requirement:
        shared = False
name = environ["IMAGEGATE_VERSION"] + "-" + hashlib.sha256("\0".join(identity).encode()).hexdigest()


def trusted(status):
    everyone = status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX and not stat.S_ISLNK(status.st_mode)
    return status.st_uid in (0, user) and not everyone


def chosen(tools):
    if not os.path.isabs(tools):
        return ""
    try:
        os.makedirs(tools, exist_ok=True)
    except OSError:
        return ""
    if not trusted(os.stat(tools)):
        print(f"imagegate: {tools} is not used: another user owns it, or everyone can write to it", file=sys.stderr)
        return ""
    for home in (f"{tools}/{name}", f"{tools}/{name}-{user}"):
        if not os.path.lexists(home):
            return home if os.access(tools, os.W_OK) else ""
        if trusted(os.lstat(home)) and (os.access(tools, os.W_OK) or os.path.exists(f"{home}/complete")):
            return home
    return ""


cache = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME", ""), ".cache")
temporary = environ.get("WORKSPACE_TMP") or environ["IMAGEGATE_STEP"]
places = (environ.get("IMAGEGATE_TOOLS", ""), f"{cache}/imagegate/tools", f"{temporary}/imagegate-tools")
home = next(filter(None, map(chosen, places)), "") if shared else environ["IMAGEGATE_STEP"] + "/tools"
print(home)
print(requirement)
'

# Runs a command under a lock, which is the kernel's, held by the process for as long as it lives: nothing is left of
# it by one that is killed. Another user may have made the file: to read it is enough.
locking='
import fcntl, os, sys

mask = os.umask(0)
for flags in (os.O_RDWR, os.O_RDONLY, os.O_RDWR | os.O_CREAT):
    try:
        lock = os.open(sys.argv[1], flags, 0o666)
        fcntl.flock(lock, fcntl.LOCK_EX)
        break
    except OSError as error:
        why = error
else:
    sys.exit(f"imagegate: {why}")
os.umask(mask)
os.set_inheritable(lock, True)
os.execvp(sys.argv[2], sys.argv[2:])
'

# Isolated: neither the working directory nor PYTHON* counts. pip's own settings, PIP_* among them, do.
works() {
  [ -e "$1/complete" ] && [ "$("$1/bin/python" -I "$1/bin/imagegate" version 2> /dev/null)" = "imagegate $IMAGEGATE_VERSION" ]
}

install_command() {
  ! works "$1" || return 0
  echo "imagegate: installing $2" | redacted
  rm -rf "$1" || die "$1 does not work, and cannot be removed; remove it, or set IMAGEGATE_TOOLS"
  logged "$3" -I -m venv "$1" || die "$3 -m venv failed (above); install python3-venv, or put imagegate on PATH"
  logged "$1/bin/python" -I -m pip install --quiet --no-input --disable-pip-version-check -- "$2" \
    || die "pip could not install $2 (above); set install, or pip's index"
  [ -e "$1/bin/imagegate" ] || die "$2 brings no command imagegate; set install to what does"
  found=$("$1/bin/python" -I "$1/bin/imagegate" version 2> "$log") \
    || { redacted < "$log" >&2; die "the command imagegate of $2 does not run (above)"; }
  [ "$found" = "imagegate $IMAGEGATE_VERSION" ] \
    || die "$2 is ${found%%"$newline"*}, and the library is of version $IMAGEGATE_VERSION; pin both to one version"
  : > "$1/complete"
}

container() {
  command -v docker > /dev/null || die "install is container:$1, and this agent has no docker command"
  case "$1" in '' | -*) die "install is container:$1, which names no image" ;; esac
  printf '%s\n' '#!/bin/sh' "exec sh \"\$IMAGEGATE_STEP/container.sh\" $(quoted "$1") \"\$@\"" > "$IMAGEGATE_STEP/run.sh"
}

ended() {
  status=$?
  [ "$status" = 0 ] || [ -s "$IMAGEGATE_STEP/problem" ] || die 'the command could not be put on this agent; the log has why'
  exit "$status"
}
trap ended EXIT

if [ "${1:-}" = locked ]; then
  shift
  install_command "$@"
  exit
fi

[ "${#IMAGEGATE_INSTALL}" -le 4096 ] || die "install is ${#IMAGEGATE_INSTALL} characters long; at most 4096 are taken"
case "$IMAGEGATE_INSTALL" in
  *"$newline"*) die 'install is of several lines; it must be one' ;;
  container:*)
    container "${IMAGEGATE_INSTALL#container:}"
    exit
    ;;
esac
found=$(command -v imagegate || :)
case "$found" in
  /*)
    if [ "$("$found" version 2> /dev/null || :)" = "imagegate $IMAGEGATE_VERSION" ]; then
      write_run "$found"
      exit
    fi
    ;;
esac
python=$(python) || exit
requirement=$(requirement) || exit
placed=$("$python" -I -c "$place" "$requirement" "$workspace" 2> "$log") \
  || { tail -n 1 "$log" | redacted >&2; die "$requirement cannot be read (above)"; }
redacted < "$log" >&2
home=${placed%%"$newline"*}
requirement=${placed#*"$newline"}
[ -n "$home" ] || die 'no directory of this agent can be written to for the command; set IMAGEGATE_TOOLS'
works "$home" || "$python" -I -c "$locking" "$home.lock" sh "$0" locked "$home" "$requirement" "$python" \
  || { [ -s "$IMAGEGATE_STEP/problem" ] || die "$home.lock cannot be locked (above)"; exit 2; }
write_run "$home/bin/python" -I "$home/bin/imagegate"
