#!/usr/bin/env bash
# Run by HiveOS in the miner's screen, again and again until `miner stop` sends Ctrl-C.
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1

# HiveOS exports MINER_… variables with other meanings.
unset "${!MINER_@}"
. ./h-manifest.conf
ARGUMENTS=()
set -a
. "$CUSTOM_CONFIG_FILENAME" || exit 1
MINER_METRICS_PORT=$CUSTOM_API_PORT
MINER_STATE_DIR=$CUSTOM_STATE_DIR
MINER_LOG_FILE=$CUSTOM_LOG_BASENAME.log
# HiveOS shows the last lines of the screen.
MINER_NO_STATUS_LINE=yes
set +a
mkdir -p "${CUSTOM_LOG_BASENAME%/*}"

trap interrupted=yes INT
./quantus-miner serve "${ARGUMENTS[@]}"
status=$?
# HiveOS's loop ends only if Ctrl-C ended this script; a miner that stopped in order exits with 0.
if [[ -n $interrupted ]]; then
  trap - INT
  kill -INT $$
fi
exit $status
