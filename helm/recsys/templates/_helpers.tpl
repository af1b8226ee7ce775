{{/* Prefix of every object's name. */}}
{{- define "recsys.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that never change, for selectors. Takes (list $ component). */}}
{{- define "recsys.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* All labels of an object. Takes (list $ component). */}}
{{- define "recsys.labels" -}}
{{- $root := index . 0 -}}
{{ include "recsys.selector" . }}
app.kubernetes.io/part-of: recsys
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Image reference. Takes (list $ image). */}}
{{- define "recsys.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default $root.Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{/* Pod Security "restricted", for a pod. */}}
{{- define "recsys.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end -}}

{{/* Pod Security "restricted", for a container. */}}
{{- define "recsys.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Secret with Valkey's address or password. */}}
{{- define "recsys.valkeySecret" -}}
{{- default (printf "%s-valkey" (include "recsys.fullname" .)) .Values.valkey.existingSecret -}}
{{- end -}}

{{/* Environment of a container that asks nothing but the store of releases. */}}
{{- define "recsys.storeEnv" -}}
- { name: RECSYS_PROFILE, value: {{ .Values.profile | quote }} }
- { name: RECSYS_HOME, value: {{ .Values.release.home | quote }} }
- { name: HOME, value: /tmp }
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Environment of every other container of the project. */}}
{{- define "recsys.env" -}}
{{ include "recsys.storeEnv" . }}
{{- if .Values.valkey.inCluster.enabled }}
- name: VALKEY_PASSWORD
  valueFrom: { secretKeyRef: { name: {{ include "recsys.valkeySecret" . }}, key: password } }
- { name: RECSYS_VALKEY__URL, value: "redis://:$(VALKEY_PASSWORD)@{{ include "recsys.fullname" . }}-valkey:6379/0" }
{{- else }}
- name: RECSYS_VALKEY__URL
  valueFrom: { secretKeyRef: { name: {{ include "recsys.valkeySecret" . }}, key: url } }
{{- end }}
{{- if eq .Values.events.log "sqs" }}
{{- if not (and .Values.events.queueUrl .Values.events.deadLetterUrl) }}
{{- fail "events.queueUrl, events.deadLetterUrl: say which queues of SQS, or set events.log to valkey." }}
{{- end }}
- { name: RECSYS_EVENTS__LOG, value: sqs }
- { name: RECSYS_EVENTS__SQS_QUEUE_URL, value: {{ .Values.events.queueUrl | quote }} }
- { name: RECSYS_EVENTS__SQS_DEAD_LETTER_URL, value: {{ .Values.events.deadLetterUrl | quote }} }
{{- end }}
{{- with .Values.tracing.endpoint }}
- { name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }} }
- { name: OTEL_TRACES_SAMPLER, value: parentbased_traceidratio }
- { name: OTEL_TRACES_SAMPLER_ARG, value: {{ divf 1 $.Values.tracing.oneIn | quote }} }
{{- end }}
{{- end -}}

{{/* Port of a URL, its scheme's where none is written. */}}
{{- define "recsys.urlPort" -}}
{{- $host := (urlParse .).host -}}
{{- if contains ":" $host -}}{{ regexFind "[0-9]+$" $host }}{{- else -}}{{ ternary 443 80 (hasPrefix "https:" .) }}{{- end -}}
{{- end -}}

{{/* Where MLflow is, for whoever changes what is served. */}}
{{- define "recsys.mlflowEnv" -}}
{{- with .Values.mlflow }}
{{- if .uri }}
- { name: RECSYS_MLFLOW__URI, value: {{ .uri | quote }} }
- { name: RECSYS_MLFLOW__EXPERIMENT, value: {{ .experiment | quote }} }
- { name: RECSYS_MLFLOW__MODEL, value: {{ .model | quote }} }
- { name: RECSYS_MLFLOW__TIMEOUT_S, value: {{ .timeoutSeconds | quote }} }
{{- end }}
{{- end }}
{{- end -}}

{{/* Where a release comes from, as arguments. */}}
{{- define "recsys.releaseArgs" -}}
- --source={{ .Values.release.source }}
- --into={{ .Values.release.home }}
- --release={{ .Values.release.number | int }}
{{- end -}}

{{/* Volumes of a pod that starts from a release. */}}
{{- define "recsys.volumes" -}}
- name: home
  emptyDir: { sizeLimit: {{ .Values.release.sizeLimit }} }
- name: tmp
  emptyDir: { sizeLimit: 1Gi }
{{- with .Values.release.claim }}
- name: releases
  persistentVolumeClaim: { claimName: {{ . }}, readOnly: true }
{{- end }}
{{- end -}}

{{/* Mounts of a container that fetches a release. */}}
{{- define "recsys.fetchMounts" -}}
- { name: home, mountPath: {{ .Values.release.home }} }
- { name: tmp, mountPath: /tmp }
{{- if .Values.release.claim }}
- { name: releases, mountPath: /releases, readOnly: true }
{{- end }}
{{- end -}}

{{/* The init container that fetches a release. Takes (list $ image module env). */}}
{{- define "recsys.fetch" -}}
{{- $root := index . 0 -}}
- name: fetch-release
  image: {{ include "recsys.image" (list $root (index . 1)) }}
  imagePullPolicy: {{ (index . 1).pullPolicy }}
  command: [python, -m, {{ index . 2 }}]
  args:
    {{- include "recsys.releaseArgs" $root | nindent 4 }}
  env:
    {{- include "recsys.env" $root | nindent 4 }}
    {{- with index . 3 }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  resources:
    requests: { cpu: 250m, memory: 256Mi, ephemeral-storage: 256Mi }
    limits: { memory: 512Mi, ephemeral-storage: {{ $root.Values.release.sizeLimit }} }
  securityContext:
    {{- include "recsys.containerSecurity" $root | nindent 4 }}
  volumeMounts:
    {{- include "recsys.fetchMounts" $root | nindent 4 }}
{{- end -}}

{{/* Secret with the key of Triton's model control and of the agents. */}}
{{- define "recsys.adminSecret" -}}
{{- default (printf "%s-triton-admin" (include "recsys.fullname" .)) .Values.triton.adminKey.existingSecret -}}
{{- end -}}

{{/* The key, for whoever promotes or is promoted. */}}
{{- define "recsys.adminKey" -}}
- { name: RECSYS_PROMOTION__AGENT_PORT, value: {{ .Values.promotion.port | quote }} }
- name: RECSYS_PROMOTION__ADMIN_KEY
  valueFrom: { secretKeyRef: { name: {{ include "recsys.adminSecret" . }}, key: key } }
{{- end -}}

{{/*
The agent beside a server, which brings releases when a promotion says so: a sidecar, so that it runs before the
server and ends after it. Takes (list $ image env).
*/}}
{{- define "recsys.agent" -}}
{{- $root := index . 0 -}}
- name: agent
  restartPolicy: Always
  image: {{ include "recsys.image" (list $root (index . 1)) }}
  imagePullPolicy: {{ (index . 1).pullPolicy }}
  command: [python, -m, recsys.release.agent]
  args:
    - --source={{ $root.Values.release.source }}
    - --into={{ $root.Values.release.home }}
  env:
    {{- include "recsys.env" $root | nindent 4 }}
    {{- include "recsys.adminKey" $root | nindent 4 }}
    {{- with index . 2 }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  resources:
    {{- toYaml $root.Values.promotion.agentResources | nindent 4 }}
  {{- include "recsys.agentBody" $root | nindent 2 }}
{{- end -}}

{{/* What all agents have in common, wherever they are. */}}
{{- define "recsys.agentBody" -}}
{{- $root := . -}}
ports:
  - { name: agent, containerPort: {{ $root.Values.promotion.port }} }
startupProbe:
  httpGet: { path: /healthz, port: agent }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 60
# A pod that started while a promotion went on is not ready before it serves the release that is current.
readinessProbe:
  httpGet: { path: /readyz, port: agent }
  periodSeconds: 5
  timeoutSeconds: 2
  failureThreshold: 2
livenessProbe:
  httpGet: { path: /healthz, port: agent }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
securityContext:
  {{- include "recsys.containerSecurity" $root | nindent 2 }}
volumeMounts:
  {{- include "recsys.fetchMounts" $root | nindent 2 }}
{{- end -}}

{{/* Names and ports of the servers that hold the index in parts, in order. Takes (list $ port). */}}
{{- define "recsys.indexParts" -}}
{{- $root := index . 0 -}}{{- $port := index . 1 -}}
{{- $name := printf "%s-index" (include "recsys.fullname" $root) -}}
{{- range $at := until (int $root.Values.indexParts.count) -}}
{{- if $at }},{{ end }}{{ $name }}-{{ $at }}.{{ $name }}.{{ $root.Release.Namespace }}.svc:{{ $port }}
{{- end -}}
{{- end -}}

{{/* How the index in parts is asked, for whoever runs the stages; nothing where it is whole. */}}
{{- define "recsys.indexEnv" -}}
{{- if gt (int .Values.indexParts.count) 0 }}
- { name: RECSYS_SERVING__INDEX_SHARDS, value: {{ include "recsys.indexParts" (list $ 8001) | quote }} }
- { name: RECSYS_SERVING__INDEX_TIMEOUT_S, value: {{ .Values.indexParts.timeoutSeconds | quote }} }
- { name: RECSYS_SERVING__INDEX_SILENCE, value: {{ .Values.indexParts.silence }} }
{{- end }}
{{- end -}}

{{/* Where a component's pods go. Takes (list $ component values). */}}
{{- define "recsys.placement" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}{{- $values := index . 2 -}}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $values.topologySpread }}
topologySpreadConstraints:
  {{- range $key, $strictness := dict "topology.kubernetes.io/zone" "ScheduleAnyway" "kubernetes.io/hostname" "ScheduleAnyway" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $strictness }}
    labelSelector:
      matchLabels:
        {{- include "recsys.selector" (list $root $component) | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}

{{/* Head of a pod's spec. Takes (list $ component account). */}}
{{- define "recsys.podHead" -}}
{{- $root := index . 0 -}}
serviceAccountName: {{ include "recsys.fullname" $root }}-{{ index . 1 }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  {{- include "recsys.podSecurity" $root | nindent 2 }}
{{- end -}}

{{/* How far and how fast an HPA moves. Takes an autoscaling section. */}}
{{- define "recsys.scaling" -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail (printf "autoscaling.minReplicas: %d is above maxReplicas, %d. Make one fit the other." (int .minReplicas) (int .maxReplicas)) -}}
{{- end -}}
minReplicas: {{ .minReplicas }}
maxReplicas: {{ .maxReplicas }}
behavior:
  {{- include "recsys.behavior" . | nindent 2 }}
{{- end -}}

{{- define "recsys.behavior" -}}
scaleUp:
  stabilizationWindowSeconds: {{ .scaleUp.stabilizationSeconds }}
  selectPolicy: Max
  policies:
    - { type: Percent, value: {{ .scaleUp.percent }}, periodSeconds: {{ .scaleUp.periodSeconds }} }
    - { type: Pods, value: {{ .scaleUp.pods }}, periodSeconds: {{ .scaleUp.periodSeconds }} }
scaleDown:
  stabilizationWindowSeconds: {{ .scaleDown.stabilizationSeconds }}
  policies:
    - { type: Pods, value: {{ .scaleDown.pods }}, periodSeconds: {{ .scaleDown.periodSeconds }} }
{{- end -}}
