#!/usr/bin/env bash
# Run by mmpOS with the arguments of the miner profile:
#
#   ./mmp-launch.sh --pool URL --user LOGIN --password PASSWORD [--api-port PORT] [OPTIONS OF quantus-miner serve]
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
. ./source.sh

pool='' user='' password='' port='' arguments=()
while (($#)); do
  case $1 in
    --pool) pool=$2 && shift ;;
    --user) user=$2 && shift ;;
    --password) password=$2 && shift ;;
    --api-port) port=$2 && shift ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
[[ $port =~ ^[1-9][0-9]*$ ]] || port=9900
# For mmp-stats.sh.
echo "$port" > api-port

unset "${!MINER_@}"
# Other users can read a process's arguments, but not its variables.
set -a
. <(quantus_source "$pool" "$user" "$password")
MINER_METRICS_PORT=$port
MINER_NO_STATUS_LINE=yes
set +a
exec ./quantus-miner serve "${arguments[@]}"
