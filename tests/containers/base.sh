#!/bin/sh
# Creates the image debian:SUITE-slim with debootstrap, for machines without access to a registry.
# Usage: base.sh SUITE [MIRROR]. Requires root, debootstrap and a docker daemon. DOCKER=podman selects podman.
set -eu
suite=$1
mirror=${2:-http://deb.debian.org/debian}
docker=${DOCKER:-docker}

root=$(mktemp -d "${TMPDIR:-/var/tmp}/lockage-base.XXXXXX")
trap 'rm -rf "$root"' EXIT
trap 'exit 1' HUP INT TERM

debootstrap --variant=minbase "$suite" "$root" "$mirror"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/* "$root"/usr/share/man/*
tar -C "$root" --one-file-system -c . | "$docker" import - "debian:$suite-slim"
