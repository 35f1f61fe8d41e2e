{{/* What the schema cannot say, or not clearly. */}}
{{- define "log-pong.check" -}}
{{- if gt (len .Release.Name) 30 }}
{{- fail (printf "the release's name, %s, has %d characters: names that are made of it have room for 30" .Release.Name (len .Release.Name)) }}
{{- end }}
{{- $set := dict "PORT" "Services have it" "POD_NAME" "the pod's own" "DB_HOST" "database.external.host" "DB_PORT" "database.external.port"
  "DB_SSLMODE" "database.external.sslMode" "DB_NAME" "database.name" "DB_USER" "database.user"
  "DB_PASSWORD" "it would be readable by all: database.existingSecret" "DB_PASSWORD_FILE" "database.existingSecret"
  "PINGPONG_URL" "the Service of the release" "PINGPONG_SERVICE" "the Service of the release" "MESSAGE" "logOutput.message" }}
{{- range $where, $settings := dict "pingpong.settings" .Values.pingpong.settings "logOutput.reader.settings" .Values.logOutput.reader.settings }}
{{- range $name, $_ := $settings }}
{{- with get $set $name }}{{ fail (printf "%s.%s is not taken from there: %s" $where $name .) }}{{ end }}
{{- end }}
{{- end }}
{{- with .Values.database }}
{{- if eq .user "postgres" }}{{ fail "database.user is postgres: the application does not connect as the superuser" }}{{ end }}
{{- if eq .kind "external" }}
{{- if not .external.host }}{{ fail "database.kind external: database.external.host has to say where it is" }}{{ end }}
{{- if not .existingSecret }}{{ fail "database.kind external: database.existingSecret has to name a Secret with its password" }}{{ end }}
{{- else if .external.host }}
{{- fail (printf "database.external.host is set, but database.kind is %s" .kind) }}
{{- end }}
{{- end }}
{{- if gt (int .Values.canary.minReplicas) (int .Values.canary.maxReplicas) }}
{{- fail (printf "canary.minReplicas, %v, is more than canary.maxReplicas, %v" .Values.canary.minReplicas .Values.canary.maxReplicas) }}
{{- end }}
{{- end }}
