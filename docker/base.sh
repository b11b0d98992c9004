#!/bin/bash
# Prints the name of the base image: debian:12-slim where it is here or can be pulled, else one that debootstrap makes, once.
set -euo pipefail
base=debian:12-slim
own=gradd-base:12

if docker image inspect "$base" > /dev/null 2>&1; then
    echo "$base"
elif docker image inspect "$own" > /dev/null 2>&1; then
    echo "$own"
elif timeout 60 docker pull -q "$base" > /dev/null 2>&1; then
    echo "$base"
else
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    # The mirror that apt of this machine uses.
    # shellcheck disable=SC2016 # apt expands it
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Component: main' | grep '/debian/*$' | sort -u | sed -n 1p)
    debootstrap --variant=minbase bookworm "$root" "$mirror" >&2
    rm -rf "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* \
        "$root"/usr/share/{doc,man,info,locale}/*
    tar -C "$root" -c . | docker import - "$own" > /dev/null
    echo "$own"
fi
