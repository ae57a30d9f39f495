{{/* The pod of a miner, the same in a DaemonSet and a Deployment. */}}
{{- define "quantus-miner.pod" -}}
metadata:
  labels:
    {{- include "quantus-miner.labels" . | nindent 4 }}
  {{- with .Values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  # Service links would put tcp://… into variables that begin with MINER_.
  enableServiceLinks: false
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ add .Values.preStopSeconds 10 }}
  {{- if .Values.hostNetwork }}
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .Values.gpu.runtimeClassName }}
  runtimeClassName: {{ . }}
  {{- end }}
  {{- range $key := list "nodeSelector" "tolerations" "affinity" }}
  {{- with index $.Values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with .Values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 10001
    runAsGroup: 10001
    fsGroup: 10001
    {{- with .Values.gpu.groups }}
    supplementalGroups: {{ toJson . }}
    {{- end }}
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: miner
      image: {{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve]
      env:
        {{- include "quantus-miner.env" . | nindent 8 }}
      ports:
        - name: metrics
          containerPort: {{ .Values.metrics.port }}
      # A miner without a node is alive but not ready.
      livenessProbe:
        httpGet:
          path: /-/healthy
          port: metrics
        initialDelaySeconds: 10
        periodSeconds: 20
        timeoutSeconds: 10
        failureThreshold: 3
      readinessProbe:
        exec:
          command: [/usr/bin/quantus-miner, health]
        periodSeconds: 15
        timeoutSeconds: 10
        failureThreshold: 2
      {{- if .Values.preStopSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ .Values.preStopSeconds }}
      {{- end }}
      resources:
        {{- include "quantus-miner.resources" . | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      volumeMounts:
        - name: state
          mountPath: /var/lib/quantus-miner
        - name: tmp
          mountPath: /tmp
        {{- if ne (include "quantus-miner.secretFiles" .) "{}" }}
        - name: secrets
          mountPath: /etc/quantus-miner
          readOnly: true
        {{- end }}
  volumes:
    - name: state
      emptyDir:
        sizeLimit: 256Mi
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- if ne (include "quantus-miner.secretFiles" .) "{}" }}
    - name: secrets
      projected:
        defaultMode: 288 # 0440, for the group of fsGroup
        sources:
          {{- range $file, $value := include "quantus-miner.secretFiles" . | fromJson }}
          - secret:
              name: {{ $value.secret }}
              items:
                - key: {{ $value.key }}
                  path: {{ $file }}
          {{- end }}
    {{- end }}
{{- end -}}

{{/* Equal requests and limits make the pod Guaranteed, which the static CPU manager requires. */}}
{{- define "quantus-miner.resources" -}}
{{- $resources := dict "memory" .Values.memory -}}
{{- with .Values.cpus -}}{{- $_ := set $resources "cpu" (toString .) -}}{{- end -}}
{{- with .Values.gpu.count -}}{{- $_ := set $resources $.Values.gpu.resource (toString .) -}}{{- end -}}
requests: {{ toJson $resources }}
limits: {{ toJson $resources }}
{{- end -}}

{{- define "quantus-miner.env" -}}
{{- $env := dict "MINER_STATE_DIR" "/var/lib/quantus-miner" "MINER_METRICS_PORT" .Values.metrics.port "MINER_METRICS_HOST" .Values.metrics.host -}}
{{- if .Values.node -}}{{- $_ := set $env "MINER_NODE_ADDR" .Values.node -}}
{{- else -}}{{- $_ := set $env "MINER_URL" (join "," .Values.urls) -}}{{- end -}}
{{- $variables := dict "token" "MINER_AUTH_TOKEN_FILE" "pin" "MINER_TLS_CERT_SHA256_FILE" "password" "MINER_PASSWORD_FILE" "metrics-token" "MINER_METRICS_TOKEN_FILE" -}}
{{- range $file, $_ := include "quantus-miner.secretFiles" . | fromJson -}}
{{- $_ := set $env (index $variables $file) (printf "/etc/quantus-miner/%s" $file) -}}
{{- end -}}
{{- $workers := kindIs "invalid" .Values.cpuWorkers | ternary .Values.cpus .Values.cpuWorkers -}}
{{- if not (kindIs "invalid" $workers) -}}{{- $_ := set $env "MINER_CPU_WORKERS" $workers -}}{{- end -}}
{{- if .Values.gpu.count -}}
{{- $_ := set $env "NVIDIA_DRIVER_CAPABILITIES" "compute,utility" -}}
{{- $_ := set $env "CUDA_CACHE_PATH" "/var/lib/quantus-miner/cuda" -}}
{{- $_ := set $env "XDG_CACHE_HOME" "/var/lib/quantus-miner/cache" -}}
{{- else -}}{{- $_ := set $env "MINER_GPU_DEVICES" "0" -}}{{- end -}}
{{- if not (hasKey .Values.settings "MINER_NAME") -}}
- name: MINER_NAME
  valueFrom:
    fieldRef:
      fieldPath: {{ eq .Values.kind "DaemonSet" | ternary "spec.nodeName" "metadata.name" }}
{{- end }}
{{- range $name, $value := merge $env .Values.settings }}
- name: {{ $name }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- with .Values.login }}
{{- if .secret }}
- name: MINER_LOGIN
  valueFrom:
    secretKeyRef:
      name: {{ .secret }}
      key: {{ .key }}
{{- end }}
{{- end }}
{{- end -}}
