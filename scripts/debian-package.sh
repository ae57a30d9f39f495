#!/usr/bin/env bash
# Unpacks packages of Debian trixie into a folder. The host's package state does not change.
#   usage: scripts/debian-package.sh ARCHITECTURE FOLDER PACKAGE...
# Requires apt-get, dpkg-deb and Debian's archive keyring.
set -euo pipefail

architecture=$1 folder=$(realpath -m "$2")
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/apt/{lists/partial,cache/archives/partial} "$folder"
: >"$work/apt/status"
echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main' >"$work/apt/sources"
apt=(apt-get -qq -o APT::Architecture="$architecture" -o APT::Architectures::="$architecture" -o Dir::Etc::SourceParts=/nonexistent
  -o Dir::Etc::SourceList="$work/apt/sources" -o Dir::State="$work/apt" -o Dir::State::status="$work/apt/status"
  -o Dir::Cache="$work/apt/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root)
"${apt[@]}" update >&2
(cd "$work" && "${apt[@]}" download "$@" >&2)
for package in "$work"/*.deb; do dpkg-deb -x "$package" "$folder"; done
