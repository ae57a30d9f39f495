#!/usr/bin/env bash
# Sourced by HiveOS before the miner starts, after h-manifest.conf and with the flight sheet and the rig's settings in scope:
# writes the miner's settings to CUSTOM_CONFIG_FILENAME.

quantus_config() {
  local login=${CUSTOM_TEMPLATE//%WORKER_NAME%/"$WORKER_NAME"} arguments=()
  . "${CUSTOM_CONFIG_FILENAME%/*}/source.sh"
  # Quotes in the extra arguments are understood; nothing in them is executed.
  mapfile -t arguments < <(xargs -r -n 1 printf '%s\n' <<< "${CUSTOM_USER_CONFIG//%WORKER_NAME%/"$WORKER_NAME"}")
  rm -f "$CUSTOM_CONFIG_FILENAME"
  (
    # The file holds the token or the password.
    umask 077
    {
      quantus_source "$CUSTOM_URL" "$login" "$CUSTOM_PASS"
      [[ -z $WORKER_NAME ]] || printf 'MINER_NAME=%q\n' "$WORKER_NAME"
      printf 'ARGUMENTS=('
      ((${#arguments[@]} == 0)) || printf '%q ' "${arguments[@]}"
      printf ')\n'
    } > "$CUSTOM_CONFIG_FILENAME"
  )
}

quantus_config
