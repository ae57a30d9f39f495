#!/bin/sh
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload
if [ "$1" = purge ]; then
  rm -rf /etc/quantus-miner /var/lib/private/quantus-miner
  rm -f /var/lib/quantus-miner
fi
