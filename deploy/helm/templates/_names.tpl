{{/* What selects the pods of this release. */}}
{{- define "quantus-miner.selector" -}}
app.kubernetes.io/name: quantus-miner
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "quantus-miner.labels" -}}
{{ include "quantus-miner.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{- end -}}

{{/* UDP ports of nodes and QUIC pools, separated by spaces. */}}
{{- define "quantus-miner.quicPorts" -}}
{{- $ports := list -}}
{{- with .Values.node -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default "9833") -}}
{{- end -}}
{{- range .Values.urls -}}
{{- if hasPrefix "quic:" . -}}{{- $ports = append $ports (regexFind "[0-9]+$" .) -}}{{- end -}}
{{- end -}}
{{- $ports | uniq | join " " -}}
{{- end -}}

{{/* TCP ports of Stratum pools, separated by spaces. */}}
{{- define "quantus-miner.stratumPorts" -}}
{{- $ports := list -}}
{{- range .Values.urls -}}
{{- if hasPrefix "stratum" . -}}{{- $ports = append $ports (regexFind "[0-9]+$" .) -}}{{- end -}}
{{- end -}}
{{- $ports | uniq | join " " -}}
{{- end -}}

{{/* The secrets that the miner reads from files: values by file name, as JSON. */}}
{{- define "quantus-miner.secretFiles" -}}
{{- $files := dict -}}
{{- range $file, $value := dict "token" .Values.token "pin" .Values.pin "password" .Values.password "metrics-token" .Values.metrics.token -}}
{{- if $value.secret -}}{{- $_ := set $files $file $value -}}{{- end -}}
{{- end -}}
{{- toJson $files -}}
{{- end -}}
