#!/usr/bin/env bash
# Run by mmpOS's agent with the number of devices and the log file, neither of which is needed: prints the miner's JSON object.
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
port=9900
[[ ! -r api-port ]] || port=$(< api-port)
curl --silent --fail --max-time 5 "http://127.0.0.1:$port/mmpos" || echo "Miner API connection failed"
