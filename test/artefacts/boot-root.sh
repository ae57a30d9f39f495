#!/bin/sh
# Boots this system's systemd as a container's, in a copy of this system's root that holds its changes in memory:
#
#   unshare --cgroup --mount --pid --uts --ipc --fork --kill-child sh boot-root.sh DIRECTORY
#
# DIRECTORY/etc/systemd/system replaces the system's units, so that none of them is started. Killing unshare ends it.
set -eu
mount --make-rprivate /
mkdir -p "$1/root"
mount -t tmpfs -o mode=0755 tmpfs "$1/root"
cd "$1/root"
mkdir upper work root
mount -t overlay -o "lowerdir=/,upperdir=upper,workdir=work" overlay root
rm -rf root/etc/systemd/system root/etc/default/quantus-miner root/etc/sysconfig/quantus-miner root/etc/quantus-miner
cp -a "$1/system" root/etc/systemd/system
cd root
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs -o mode=0755 tmpfs run
mount -t tmpfs tmpfs tmp
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=0755 tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
# What the packages come from.
mkdir -p run/packages
mount --bind "$1/packages" run/packages
pivot_root . mnt
umount --lazy /mnt
# Credentials are mounted by a separate process and reach the service by propagation.
mount --make-rshared /
exec env -i container=other PATH=/usr/bin:/usr/sbin:/bin:/sbin \
  /lib/systemd/systemd --system --unit=idle.target --log-target=null --show-status=no
