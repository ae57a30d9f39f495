#!/usr/bin/env bash
# Sourced by HiveOS's agent: sets khs, the total in kH/s, and stats, the JSON object that the agent sends. khs is empty, which
# the agent understands, until the first rate is known; a miner that does not answer has 0 and null.
stats=$(
  . "${BASH_SOURCE[0]%/*}/h-manifest.conf"
  curl --silent --fail --max-time 5 "http://127.0.0.1:$CUSTOM_API_PORT/hive-stats" 2>/dev/null
)
if ! khs=$(jq --exit-status --raw-output '[.hs[]] | add // ""' <<< "${stats:-null}" 2>/dev/null); then
  khs=0
  stats=null
fi
