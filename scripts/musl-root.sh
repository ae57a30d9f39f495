#!/usr/bin/env bash
# Builds a folder that stands for the root of a system with musl, such as Alpine. It holds musl 1.2.5 from Debian trixie, and
# libstdc++ and libgcc_s for musl from a pinned wheel of numpy, which bundles them. The host's package state does not change.
#   usage: scripts/musl-root.sh x64|arm64 [FOLDER]    prints the folder
# Requires apt-get, dpkg-deb, python3 with pip, and Debian's archive keyring. A complete folder is not rebuilt.
set -euo pipefail
cd "$(dirname "$0")/.."

case "$1" in
  x64) debian=amd64 machine=x86_64 wheel=dabc42f9c6577bcc13001b8810d300fe814b4cfbe8a92c873f269484594f9786 ;;
  arm64) debian=arm64 machine=aarch64 wheel=65611ecbb00ac9846efe04db15cbe6186f562f6bb7e5e05f077e53a599225d16 ;;
  *)
    echo "musl-root: unknown architecture $1" >&2
    exit 64
    ;;
esac
root=$(realpath -m "${2:-node_modules/.cache/musl-$1}")
if [ -d "$root" ]; then
  echo "$root"
  exit
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$work"/root/{lib,proc,sys,dev,tmp,mnt}
scripts/debian-package.sh "$debian" "$work/root" musl
ln -s "../usr/lib/$machine-linux-musl/libc.so" "$work/root/lib/ld-musl-$machine.so.1"

echo "numpy==2.3.4 --hash=sha256:$wheel" >"$work/requirements.txt"
scripts/retry.sh python3 -m pip download --quiet --no-deps --only-binary=:all: --platform "musllinux_1_2_$machine" \
  --python-version 3.12 --dest "$work" --require-hashes --requirement "$work/requirements.txt" >&2
python3 - "$work"/numpy-*.whl "$work/root/usr/lib/$machine-linux-musl" <<'EOF'
import os, sys, zipfile

wheel, lib = sys.argv[1:]
archive = zipfile.ZipFile(wheel)
names = [name for name in archive.namelist() if name.startswith(("numpy.libs/libstdc++", "numpy.libs/libgcc_s"))]
for name in names:
    with open(os.path.join(lib, os.path.basename(name)), "wb") as file:
        file.write(archive.read(name))
# The wheel appends digests to the names.
for library, link in ("libstdc++", "libstdc++.so.6"), ("libgcc_s", "libgcc_s.so.1"):
    shortest = min((os.path.basename(name) for name in names if library in name), key=len)
    os.symlink(shortest, os.path.join(lib, link))
EOF
mkdir -p "$(dirname "$root")"
mv "$work/root" "$root"
echo "$root"
