{{/* Fails with a sentence if the values cannot make a miner that mines. */}}
{{- define "quantus-miner.check" -}}
{{- $values := .Values -}}
{{- if not (has .Values.kind (list "DaemonSet" "Deployment")) -}}
{{- fail (printf "kind is DaemonSet or Deployment, not %q" .Values.kind) -}}
{{- end -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is missing: push quantus-miner-VERSION-oci.tar to a registry that the machines reach, and name it" -}}
{{- end -}}
{{- if and (not .Values.node) (not .Values.urls) -}}
{{- fail "There is no source of jobs: set node to a node's HOST:PORT, or urls to the URLs of pools" -}}
{{- end -}}
{{- if and .Values.node .Values.urls -}}
{{- fail "node and urls exclude each other: write the node as the URL quic://HOST:PORT" -}}
{{- end -}}
{{- range .Values.urls -}}
{{- if not (regexMatch "^(quic|stratum\\+tcp|stratum\\+tls)://[^/,]+:[0-9]+$" .) -}}
{{- fail (printf "%q in urls is not quic://HOST:PORT, stratum+tls://HOST:PORT or stratum+tcp://HOST:PORT" .) -}}
{{- end -}}
{{- if and (hasPrefix "stratum" .) (not $values.login.secret) -}}
{{- fail (printf "login.secret is missing: the pool %s needs the name of a Secret that holds the login" .) -}}
{{- end -}}
{{- end -}}
{{- if include "quantus-miner.quicPorts" . -}}
{{- if not .Values.token.secret -}}
{{- fail "token.secret is missing: a node or QUIC pool needs the name of a Secret that holds the token" -}}
{{- end -}}
{{- if not .Values.pin.secret -}}
{{- fail "pin.secret is missing: a node or QUIC pool needs the name of a Secret that holds its certificate's SHA-256" -}}
{{- end -}}
{{- end -}}
{{- if and (not (kindIs "invalid" .Values.cpus)) (not (regexMatch "^[1-9][0-9]*$" (toString .Values.cpus))) -}}
{{- fail (printf "cpus is %v, but the static CPU manager gives a pod CPUs for itself only by a whole number from 1 up" .Values.cpus) -}}
{{- end -}}
{{- if and (not .Values.gpu.count) (not (kindIs "invalid" .Values.cpuWorkers)) (eq (toString .Values.cpuWorkers) "0") -}}
{{- fail "Nothing would mine: cpuWorkers and gpu.count are both 0" -}}
{{- end -}}
{{- range $name, $value := .Values.settings -}}
{{- if regexMatch "^MINER_(AUTH_TOKEN|TLS_CERT_SHA256|LOGIN|PASSWORD)$" $name -}}
{{- fail (printf "settings.%s would stand in the pod's specification: name a Secret by token, pin, login or password" $name) -}}
{{- end -}}
{{- if has $name (splitList " " (include "quantus-miner.ownVariables" $)) -}}
{{- fail (printf "settings.%s is a variable that the chart sets: use the value for it (see values.yaml)" $name) -}}
{{- end -}}
{{- if not (hasPrefix "MINER_" $name) -}}
{{- fail (printf "settings.%s is not an option of the miner: the names begin with MINER_" $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.hostNetwork .Values.networkPolicy.enabled -}}
{{- fail "hostNetwork: true leaves the network policy without effect: set networkPolicy.enabled to false as well" -}}
{{- end -}}
{{- end -}}

{{- define "quantus-miner.ownVariables" -}}
MINER_NODE_ADDR MINER_URL MINER_AUTH_TOKEN_FILE MINER_TLS_CERT_SHA256_FILE MINER_PASSWORD_FILE MINER_CPU_WORKERS MINER_WORKERS MINER_GPU_DEVICES MINER_METRICS_PORT MINER_METRICS_HOST MINER_METRICS_BIND MINER_METRICS_TOKEN_FILE MINER_METRICS_TLS_CERT MINER_METRICS_TLS_KEY MINER_STATE_DIR
{{- end -}}
