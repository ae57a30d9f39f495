#!/bin/sh
# Runs a command while DIRECTORY/NAME/root is this system's root with the changes in DIRECTORY/NAME/upper:
#
#   unshare --mount --fork --kill-child sh in-roots.sh DIRECTORY COMMAND…
#
# The mounts end with the command; the changes stay.
set -eu
directory=$1
shift
mount --make-rprivate /
for machine in "$directory"/*/; do
  mkdir -p "$machine/upper" "$machine/work" "$machine/root"
  mount -t overlay -o "lowerdir=/,upperdir=$machine/upper,workdir=$machine/work" overlay "$machine/root"
  mount -t proc proc "$machine/root/proc"
  mount --bind /dev "$machine/root/dev"
done
exec "$@"
