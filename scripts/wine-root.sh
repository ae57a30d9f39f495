#!/usr/bin/env bash
# Builds a folder from which this x86-64 Linux machine runs Windows programs by Wine 10 of Debian 13: older versions lack
# system functions that the runtime calls. The host's package state does not change.
#   usage: scripts/wine-root.sh [FOLDER]    prints the folder; run FOLDER/wine PROGRAM.exe ARGUMENTS
# Requires debootstrap and root, for chroot and mounts. A complete folder is not rebuilt.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(realpath -m "${1:-node_modules/.cache/wine}")
if [ -x "$folder/wine" ]; then
  echo "$folder"
  exit
fi
command -v debootstrap >/dev/null || {
  echo "wine-root: debootstrap is not installed" >&2
  exit 1
}
rm -rf "$folder"
mkdir -p "$folder"
debootstrap --variant=minbase --include=wine,wine64 trixie "$folder/root" http://deb.debian.org/debian >"$folder/log" 2>&1 || {
  tail -5 "$folder/log" >&2
  exit 1
}
rm -rf "$folder"/root/var/{cache/apt,lib/apt/lists}/*

cat >"$folder/run" <<'EOF'
#!/usr/bin/env bash
# usage: run PROGRAM.exe ARGUMENTS
# Runs in the directory it is called from; that one, this folder and /tmp have the same paths inside, on drive Z.
set -euo pipefail
folder=$(dirname "$(realpath "$0")")
[ "${INSIDE_WINE_ROOT:-}" ] || exec env INSIDE_WINE_ROOT=1 unshare --mount --propagation private "$0" "$@"
export WINEPREFIX=$folder/prefix WINEARCH=win64 WINEDEBUG=${WINEDEBUG--all} HOME=/root XDG_RUNTIME_DIR=/tmp
for shared in /dev /proc /sys /tmp "$PWD" "$folder"; do
  mkdir -p "$folder/root$shared"
  mount --rbind "$shared" "$folder/root$shared"
done
exec unshare --root="$folder/root" --wd="$PWD" /usr/bin/wine "$@"
EOF
chmod +x "$folder/run"
"$folder/run" wineboot --init >>"$folder/log" 2>&1
mv "$folder/run" "$folder/wine"
echo "$folder"
