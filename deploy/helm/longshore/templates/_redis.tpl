{{/* Which Redis is used: embedded, deployed or external. */}}
{{- define "longshore.redis" -}}
{{- $external := .Values.redis.external }}
{{- if ne .Values.redis.mode "auto" }}{{ .Values.redis.mode }}
{{- else if or $external.url $external.existingSecret (include "longshore.redisGiven" .) }}external
{{- /* Two pods at once cannot share the folder of one embedded Redis, not even while one replaces the other. */}}
{{- else if and (eq .Values.mode "single") (le (int .Values.replicaCount) 1) (eq .Values.rolloutStrategy "Recreate") }}embedded
{{- else }}deployed
{{- end }}
{{- end }}

{{/* The Secret with the address; empty: REDIS_URL is among your variables. */}}
{{- define "longshore.redisSecret" -}}
{{- $redis := include "longshore.redis" . }}
{{- if eq $redis "deployed" }}{{ include "longshore.part" (list . "redis") }}
{{- else if eq $redis "external" }}
{{- if .Values.redis.external.url }}{{ include "longshore.part" (list . "redis") }}
{{- else if not (include "longshore.redisGiven" .) }}{{ .Values.redis.external.existingSecret }}
{{- end }}
{{- end }}
{{- end }}

{{- define "longshore.redisSecretKey" -}}
{{- if and (eq (include "longshore.redis" .) "external") .Values.redis.external.existingSecret (not .Values.redis.external.url) }}
{{- .Values.redis.external.existingSecretKey }}
{{- else }}redis-url
{{- end }}
{{- end }}

{{/* Your Secret with the password of the deployed Redis, if there is one. */}}
{{- define "longshore.redisPasswordSecret" -}}
{{- if eq (include "longshore.redis" .) "deployed" }}{{ .Values.redis.auth.existingSecret }}{{ end }}
{{- end }}

{{/* A password that stays: given; the one in the Secret (list $ "secret" "key" given); made from the client secret,
since `helm template` and Argo CD see no Secret; random. Made once in a rendering. */}}
{{- define "longshore.password" -}}
{{- $root := index . 0 }}{{ $secret := index . 1 }}{{ $key := index . 2 }}{{ $given := index . 3 }}
{{- $made := get $root.Values "_made" | default dict }}
{{- $_ := set $root.Values "_made" $made }}
{{- if not (hasKey $made $secret) }}
{{- $kept := get (get (lookup "v1" "Secret" $root.Release.Namespace $secret | default dict) "data" | default dict) $key | default "" | b64dec }}
{{- $client := include "longshore.text" (get (include "longshore.given" $root | fromJson) "PORT_CLIENT_SECRET") }}
{{- if $given }}{{ $_ := set $made $secret $given }}
{{- else if $kept }}{{ $_ := set $made $secret $kept }}
{{- else if $client }}{{ $_ := set $made $secret (printf "%s/%s/%s" $client $root.Release.Namespace $secret | sha256sum | trunc 40) }}
{{- else }}{{ $_ := set $made $secret (randAlphaNum 40) }}
{{- end }}
{{- end }}
{{- get $made $secret }}
{{- end }}

{{- define "longshore.redisPassword" -}}
{{- include "longshore.password" (list . (include "longshore.part" (list . "redis")) "redis-password" .Values.redis.auth.password) }}
{{- end }}

{{/* Logins and TLS of your Redis and its sentinels, where the address does not say it: a YAML list. */}}
{{- define "longshore.externalRedis" -}}
{{- $external := .Values.redis.external }}
{{- $own := include "longshore.part" (list . "redis") }}
{{- $passwords := list (list "REDIS_PASSWORD" "redis-password" $external) (list "REDIS_SENTINEL_PASSWORD" "sentinel-password" $external.sentinel) }}
{{- range $passwords }}
{{- $from := index . 2 | default dict }}
{{- if or $from.password $from.existingSecretPasswordKey }}
- name: {{ index . 0 }}
  valueFrom:
    secretKeyRef:
      name: {{ ternary $own $external.existingSecret (not (empty $from.password)) | quote }}
      key: {{ ternary (index . 1) $from.existingSecretPasswordKey (not (empty $from.password)) | quote }}
{{- end }}
{{- end }}
{{- with $external.tls }}
- name: REDIS_TLS
  value: "true"
{{- end }}
{{- with $external.sentinel.username }}
- name: REDIS_SENTINEL_USERNAME
  value: {{ . | quote }}
{{- end }}
{{- with $external.sentinel.tls }}
- name: REDIS_SENTINEL_TLS
  value: "true"
{{- end }}
{{- end }}

{{/* Empty where you gave LONGSHORE_DATA, and with it a volume. */}}
{{- define "longshore.dataFolder" -}}
{{- if not (get (include "longshore.given" . | fromJson) "LONGSHORE_DATA") }}/var/lib/longshore{{ end }}
{{- end }}
