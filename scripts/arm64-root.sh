#!/usr/bin/env bash
# Builds a folder from which another Linux machine runs arm64 code under QEMU. It holds Bun for arm64, in the version and
# with the digest of the lock file, and Debian's C library. The host's package state does not change.
#   usage: scripts/arm64-root.sh [FOLDER]    prints the folder; run FOLDER/bun ARGUMENTS
# Requires qemu-user-static (or qemu-user), npm, apt-get and dpkg-deb. A complete folder is not rebuilt.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$(realpath -m "${1:-node_modules/.cache/arm64}")
if [ -x "$root/bun" ]; then
  echo "$root"
  exit
fi
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || {
  echo "arm64-root: qemu-user-static is not installed" >&2
  exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

version=$(node -p 'require("./package.json").devDependencies.bun')
integrity=$(node -p 'require("./package-lock.json").packages["node_modules/@oven/bun-linux-aarch64"].integrity')
(cd "$work" && "$OLDPWD/scripts/retry.sh" npm pack --silent "@oven/bun-linux-aarch64@$version" >/dev/null)
archive=$(echo "$work"/oven-bun-linux-aarch64-*.tgz)
[ "sha512-$(openssl dgst -sha512 -binary "$archive" | base64 -w0)" = "$integrity" ] || {
  echo "arm64-root: the digest of $archive differs from package-lock.json" >&2
  exit 1
}

# A dedicated package index, with the host's sources and keys.
mkdir -p "$work"/apt/{lists/partial,cache/archives/partial} "$work/root"
apt=(apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures::=arm64 -o Dir::State="$work/apt" -o Dir::Cache="$work/apt/cache"
  -o Dir::State::status="$work/apt/status" -o Acquire::Languages=none -o APT::Sandbox::User=root)
: >"$work/apt/status"
"${apt[@]}" update >&2
(cd "$work" && "${apt[@]}" download libc6 libgcc-s1 libstdc++6 >&2)
for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/root"; done
tar -xzf "$archive" -C "$work/root" --strip-components=2 package/bin/bun
mkdir -p "$root"
cp -a "$work/root/." "$root/"
mv "$root/bun" "$root/bun-aarch64"
# qemu-user reads QEMU_CPU, which selects the core.
printf '#!/bin/sh\nexec %s -L %s %s/bun-aarch64 "$@"\n' "$qemu" "$root" "$root" >"$root/bun"
chmod +x "$root/bun"
echo "$root"
