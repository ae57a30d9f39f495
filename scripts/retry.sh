#!/usr/bin/env bash
# Runs a command up to three times until it succeeds, for downloads. Notes go to standard error.
#   usage: scripts/retry.sh COMMAND [ARGUMENT…]
for attempt in 1 2 3; do
  "$@" && exit
  echo "retry: attempt $attempt of 3 failed: $*" >&2
  sleep $((attempt * 5))
done
exit 1
