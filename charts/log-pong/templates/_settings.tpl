{{/* Written by scripts/chart (make chart) from manifests/base/kustomization.yaml and manifests/components/ha-database/kustomization.yaml: edit those. */}}
{{- define "log-pong.literals.pingpong-config" -}}
DRAIN_MS: "10000"
DB_HOST: "postgres-svc"
DB_PORT: "5432"
DB_SSLMODE: "prefer"
{{- end }}
{{- define "log-pong.literals.reader-config" -}}
DRAIN_MS: "10000"
{{- end }}
{{- define "log-pong.literals.pingpong-config.cloudnativepg" -}}
DB_HOST: "postgres-primary-svc"
DB_SSLMODE: "require"
PING_TIMEOUT_MS: "20000"
PING_QUEUE_MAX: "16384"
HTTP_REQUEST_TIMEOUT_MS: "25000"
{{- end }}
{{- define "log-pong.literals.reader-config.cloudnativepg" -}}
UPSTREAM_TIMEOUT_MS: "22000"
UPSTREAM_QUEUE_MAX: "16384"
HTTP_REQUEST_TIMEOUT_MS: "25000"
{{- end }}
