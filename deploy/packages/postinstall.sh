#!/bin/sh
set -e
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
# An upgrade (dpkg: "configure OLD-VERSION", rpm: 2) restarts a running service.
case "$1:$2" in
  configure:?* | 2:*) systemctl try-restart quantus-miner.service ;;
esac
