#!/bin/sh
# Runs imagegate in a container image: container.sh IMAGE ARGUMENT...
#
# The container sees the workspace, the step's directory, the cache and the site's files at the paths that they have
# here. Only the names of variables are arguments: docker reads their values, secrets among them, from its environment.
set -eu
image=$1
shift
cache=${IMAGEGATE_CACHE_DIRECTORY:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/imagegate}
mkdir -p "$cache"
site=${IMAGEGATE_SITE_CONFIG:-/etc/imagegate/imagegate.yaml}
socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
socket=${socket#unix://}

set -- "$image" imagegate "$@"
names='s/^\(IMAGEGATE_[A-Za-z0-9_]*\|NOTARY_[A-Z_]*\|DOCKER_[A-Z_]*\|BRANCH_NAME\|TAG_NAME\|CHANGE_ID\|BUILD_NUMBER\|JOB_NAME\|[a-z]*_proxy\|[A-Z]*_PROXY\)=.*/\1/p'
for name in $(env | sed -n "$names"); do
  set -- --env "$name" "$@"
done
if [ -S "$socket" ]; then
  set -- --volume "$socket:$socket" --group-add "$(stat -c %g "$socket")" "$@"
fi
newline='
'
IFS=$newline
for path in $(printf '%s\n' "$PWD" "$IMAGEGATE_STEP" "${WORKSPACE:-$PWD}" "${WORKSPACE_TMP:-$PWD}" "$cache" \
  "${DOCKER_CONFIG:-$cache}" "${IMAGEGATE_NOTARY_KEYS:-$cache}" "$(dirname "$site")" | sort -u); do
  if [ -d "$path" ]; then
    set -- --volume "$path:$path" "$@"
  fi
done
exec docker run --rm --init --network host --user "$(id -u):$(id -g)" --workdir "$PWD" \
  --env "HOME=$cache" --env "IMAGEGATE_CACHE_DIRECTORY=$cache" "$@"
