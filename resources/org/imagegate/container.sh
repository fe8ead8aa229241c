#!/bin/sh
# Runs imagegate in a container image: container.sh IMAGE ARGUMENT...
#
# The container sees the workspace, the step's directory, the cache, the key store and what else variables name, at the
# paths that they have here; what is only read, it cannot write. Only the names of variables are arguments: docker reads
# their values, secrets among them, from its environment. A relative path is one of the workspace, which is there.
set -euf
image=$1
shift
cache=${IMAGEGATE_CACHE_DIRECTORY:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/imagegate}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
socket=${IMAGEGATE_DOCKER_HOST:-${DOCKER_HOST:-unix:///var/run/docker.sock}}
socket=${socket#unix://}
newline='
'
mounted=$newline

# mount_of PATH OPTION: sets `mount` to what docker takes for it. Fails for what is not there, or is mounted already.
# --mount reads CSV: unlike --volume's, its fields can hold any character, quoted.
mount_of() {
  path=$(printf '%s\n' "$1" | sed 's|/\(\.\{0,1\}/\)*|/|g; s|/\.\{0,1\}$||')
  case "$path" in /*) ;; *) return 1 ;; esac
  case "$mounted" in *"$newline$path$newline"*) return 1 ;; esac
  [ -e "$path" ] || return 1
  mounted=$mounted$path$newline
  field=$(printf '%s\n' "$path" | sed 's/"/""/g')
  mount="type=bind,\"source=$field\",\"target=$field\"$2"
}

set -- "$image" imagegate "$@"
for path in "$PWD" "$IMAGEGATE_STEP" "${WORKSPACE:-}" "${WORKSPACE_TMP:-}" "$cache" "${IMAGEGATE_NOTARY_KEYS:-}"; do
  if mount_of "$path" ''; then
    set -- --mount "$mount" "$@"
  fi
done
if [ -S "$socket" ] && mount_of "$socket" ''; then
  set -- --mount "$mount" --group-add "$(stat -c %g "$socket")" "$@"
fi
if mount_of "$(dirname "${IMAGEGATE_SITE_CONFIG:-/etc/imagegate/imagegate.yaml}")" ,readonly; then
  set -- --mount "$mount" "$@"
fi
names='s/^\(IMAGEGATE_[A-Za-z0-9_]*\|NOTARY_[A-Z_]*\|DOCKER_[A-Z_]*\|SSL_CERT_FILE\|SSL_CERT_DIR\|REQUESTS_CA_BUNDLE\|CURL_CA_BUNDLE\|BRANCH_NAME\|TAG_NAME\|CHANGE_ID\|BUILD_NUMBER\|JOB_NAME\|[a-z]*_proxy\|[A-Z]*_PROXY\)=.*/\1/p'
# A value of several lines may make a name up; docker passes nothing for one that is not set.
for name in $(env | sed -n "$names"); do
  set -- --env "$name" "$@"
  case "$name" in
    *_POLICY_WAIVERS) IFS=, ;;
    SSL_CERT_DIR) IFS=: ;;
    *_FILE | *_BUNDLE | *_DATABASE | *_CONFIG | *_CERT_PATH | *_POLICY_PACKAGES | *_MALWARE_ADDRESS) IFS=$newline ;;
    *) continue ;;
  esac
  eval "value=\${$name-}"
  # shellcheck disable=SC2154
  for path in $value; do
    if mount_of "${path# }" ,readonly; then
      set -- --mount "$mount" "$@"
    fi
  done
done
exec docker run --rm --init --network host --user "$(id -u):$(id -g)" --workdir "$PWD" \
  --env "HOME=$cache" --env "IMAGEGATE_CACHE_DIRECTORY=$cache" "$@"
