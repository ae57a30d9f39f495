#!/bin/sh
# Boots this system's systemd as a container's, in separate namespaces, with nothing to start:
#
#   unshare --cgroup --mount --pid --uts --ipc --fork --kill-child sh boot-systemd.sh DIRECTORY
#
# DIRECTORY/etc, DIRECTORY/state and DIRECTORY/bin stand for /etc, /var/lib and /usr/local/bin. Killing unshare ends it.
set -eu
mount --make-rprivate /
mount --bind "$1/etc" /etc
mount --bind "$1/state" /var/lib
mount --bind "$1/bin" /usr/local/bin
mount -t tmpfs -o mode=0755 tmpfs /run
umount --recursive --lazy /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t proc proc /proc
# Credentials are mounted by a separate process and reach the service by propagation.
mount --make-rshared /
exec env -i container=other PATH=/usr/bin:/usr/sbin:/bin:/sbin \
  /lib/systemd/systemd --system --unit=idle.target --log-target=null --show-status=no
