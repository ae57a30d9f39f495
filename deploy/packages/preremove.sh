#!/bin/sh
set -e
# dpkg: "remove", rpm: 0. An upgrade leaves the service running.
case "$1" in
  remove | 0) [ ! -d /run/systemd/system ] || systemctl disable --now quantus-miner.service ;;
esac
