{{/* Before each name. Without one for the release that is called as the chart is. */}}
{{- define "log-pong.prefix" -}}
{{- if ne .Release.Name .Chart.Name }}{{ .Release.Name }}-{{ end }}
{{- end }}

{{/* Of all objects. */}}
{{- define "log-pong.labels" -}}
{{ include "log-pong.podLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Of what the Prometheus operator reads. */}}
{{- define "log-pong.monitoringLabels" -}}
{{ include "log-pong.labels" . }}
{{- with .Values.monitoring.labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of pods: none that the next version of the chart would change. */}}
{{- define "log-pong.podLabels" -}}
app.kubernetes.io/part-of: log-pong
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Of one of .Values.images. */}}
{{- define "log-pong.image" -}}
{{ .repository }}{{ with .tag }}:{{ . }}{{ end }}{{ with .digest }}@{{ . }}{{ end }}
{{- end }}

{{/* The Secret with the database's password. */}}
{{- define "log-pong.secret" -}}
{{ .Values.database.existingSecret | default (printf "%spostgres-app" (include "log-pong.prefix" .)) }}
{{- end }}

{{/* Whether the chart's own Job makes it. */}}
{{- define "log-pong.ownSecret" -}}
{{- if and (ne .Values.database.kind "external") (not .Values.database.existingSecret) }}yes{{ end }}
{{- end }}

{{/* What a program reads, given as (list ROOT CONFIGMAP SETTINGS): the manifests' literals, those for the kind of
database, and the settings of the values; the last wins. Large numbers have no exponent. */}}
{{- define "log-pong.settings" -}}
{{- $root := index . 0 }}{{ $name := index . 1 -}}
{{- $data := include (printf "log-pong.literals.%s" $name) $root | fromYaml }}
{{- if eq $root.Values.database.kind "cloudnativepg" }}
{{- $data = include (printf "log-pong.literals.%s.cloudnativepg" $name) $root | fromYaml | mergeOverwrite $data }}
{{- end }}
{{- range $key, $value := index . 2 }}
{{- $data = set $data $key (kindIs "string" $value | ternary $value (toJson $value)) }}
{{- end }}
{{- toYaml $data }}
{{- end }}

{{/* Seconds that a pod has to end, given what it reads: the drain, what may be in flight after it, and a margin. */}}
{{- define "log-pong.grace" -}}
{{- $data := fromYaml . -}}
{{ add 15 (div ($data.DRAIN_MS | int) 1000) (div ($data.HTTP_REQUEST_TIMEOUT_MS | default "10000" | int) 1000) }}
{{- end }}

{{/* Failures after which pingpong is not ready, one each 2 s: where pings wait for the database, as long as they do. */}}
{{- define "log-pong.patience" -}}
{{- with (include "log-pong.data.pingpong-config" . | fromYaml).PING_TIMEOUT_MS }}{{ add 2 (div (int .) 2000) }}{{ else }}2{{ end }}
{{- end }}

{{/* The name of a ConfigMap of configs.yaml, given as (list ROOT NAME): it ends in a hash of the content, so that an
edit starts new pods. */}}
{{- define "log-pong.config" -}}
{{- $root := index . 0 }}{{ $name := index . 1 -}}
{{ include "log-pong.prefix" $root }}{{ $name }}-{{ include (printf "log-pong.data.%s" $name) $root | sha256sum | trunc 10 }}
{{- end }}

{{- define "log-pong.data.log-output-config" -}}
MESSAGE: {{ .Values.logOutput.message | quote }}
information.txt: {{ .Values.logOutput.information | default (.Files.Get "files/information.txt") | quote }}
{{- end }}

{{- define "log-pong.data.reader-config" -}}
{{ include "log-pong.settings" (list . "reader-config" .Values.logOutput.reader.settings) }}
{{- end }}

{{- define "log-pong.data.pingpong-config" -}}
{{- $data := include "log-pong.settings" (list . "pingpong-config" .Values.pingpong.settings) | fromYaml }}
{{- $data = set $data "DB_HOST" (printf "%s%s" (include "log-pong.prefix" .) $data.DB_HOST) }}
{{- with .Values.database }}
{{- if eq .kind "external" }}
{{- $data = dict "DB_HOST" .external.host "DB_PORT" (toString .external.port) "DB_SSLMODE" .external.sslMode | mergeOverwrite $data }}
{{- end }}
{{- end }}
{{- toYaml $data }}
{{- end }}

{{- define "log-pong.data.database-config" -}}
DB_NAME: {{ .Values.database.name | quote }}
DB_USER: {{ .Values.database.user | quote }}
{{- end }}

{{- define "log-pong.data.postgres-scripts" -}}
initialise.sh: {{ .Files.Get "files/initialise.sh" | quote }}
{{- end }}
