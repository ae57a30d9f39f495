# Sourced by the scripts of a rig's system.

# quantus_source URLS LOGIN PASSWORD: prints the job sources as assignments that bash reads.
#
# URLS are separated by blanks, newlines or commas. A URL without a scheme is a Stratum pool over TCP. For quic:// the
# login is the token and the password the SHA-256 of the certificate; `x`, a common placeholder, is no password there.
quantus_source() {
  local IFS=$' \t\n' login=$2 password=$3 urls=() names=(MINER_LOGIN MINER_PASSWORD) i
  read -r -d '' -a urls <<< "${1//,/ }"
  ((${#urls[@]})) || return 0
  for i in "${!urls[@]}"; do
    [[ ${urls[i]} == *://* ]] || urls[i]=stratum+tcp://${urls[i]}
  done
  if [[ ${urls[0]} == quic://* ]]; then
    names=(MINER_AUTH_TOKEN MINER_TLS_CERT_SHA256)
    [[ $password == x ]] && password=
  fi
  IFS=,
  printf 'MINER_URL=%q\n' "${urls[*]}"
  [[ -z $login ]] || printf '%s=%q\n' "${names[0]}" "$login"
  [[ -z $password ]] || printf '%s=%q\n' "${names[1]}" "$password"
}
