{{/* Variables that you gave and that can be seen here: a JSON object. One of extraEnv that comes from elsewhere is null. */}}
{{- define "longshore.given" -}}
{{- $given := deepCopy (ternary (dict) (.Values.env.secret | default dict) .Values.secret.useExistingSecret) }}
{{- $given = mergeOverwrite $given (.Values.env.normal | default dict) }}
{{- range include "longshore.tpl" (list . .Values.extraEnv) | fromYamlArray }}
{{- $_ := set $given .name .value }}
{{- end }}
{{- toJson $given }}
{{- end }}

{{/* "true" where you gave an address of Redis as a variable. */}}
{{- define "longshore.redisGiven" -}}
{{- $given := include "longshore.given" . | fromJson }}
{{- if or (get $given "REDIS_URL") (and (hasKey $given "REDIS_URL") (kindIs "invalid" (get $given "REDIS_URL"))) }}true{{ end }}
{{- end }}

{{/* `envFrom:` of a part: a YAML list. */}}
{{- define "longshore.envFrom" -}}
{{- $root := index . 0 }}
{{- if $root.Values.secret.useExistingSecret }}
- secretRef:
    name: {{ include "longshore.secretName" $root | quote }}
{{- end }}
{{- if and (eq (index . 1) "flower") $root.Values.flower.auth.existingSecret }}
- secretRef:
    name: {{ $root.Values.flower.auth.existingSecret | quote }}
{{- end }}
{{ include "longshore.tpl" (list $root $root.Values.envFrom) }}
{{- end }}

{{/* `env:` of a part: (list $ "worker"). Yours first: one of `extraEnv` hides the same of `env.normal`, and that one of
`env.secret`; ours only where you gave none. */}}
{{- define "longshore.env" -}}
{{- $root := index . 0 }}{{ $part := index . 1 }}
{{- $normal := $root.Values.env.normal | default dict }}
{{- $given := include "longshore.given" $root | fromJson }}
{{- $extra := include "longshore.tpl" (list $root $root.Values.extraEnv) | fromYamlArray }}
{{- $extraNames := list }}
{{- range $extra }}{{ $extraNames = append $extraNames .name }}{{ end }}
{{- if not $root.Values.secret.useExistingSecret }}
{{- range $name, $_ := $root.Values.env.secret }}
{{- if not (or (hasKey $normal $name) (has $name $extraNames)) }}
- name: {{ $name | quote }}
  valueFrom:
    secretKeyRef:
      name: {{ include "longshore.secretName" $root | quote }}
      key: {{ $name | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- range $name, $value := $normal }}
{{- if not (has $name $extraNames) }}
- name: {{ $name | quote }}
  value: {{ include "longshore.text" $value | quote }}
{{- end }}
{{- end }}
{{- range $extra }}
- {{ toYaml . | nindent 2 | trim }}
{{- end }}
{{- range $entry := include "longshore.ours" . | fromYamlArray }}
{{- if not (hasKey $given $entry.name) }}
- {{ toYaml $entry | nindent 2 | trim }}
{{- end }}
{{- end }}
{{- end }}

{{/* What the chart adds: a YAML list. */}}
{{- define "longshore.ours" -}}
{{- $root := index . 0 }}{{ $part := index . 1 }}
{{- $redis := include "longshore.redis" $root }}
- name: METRICS_PORT
  value: {{ include "longshore.metricsPort" $root | quote }}
{{- if $root.Values.controlThePayloadConfig }}
- name: CONTROL_THE_PAYLOAD_CONFIG_PATH
  value: /etc/longshore/control_the_payload_config.json
{{- end }}
{{- range $name := list "limits" "targets" }}
{{- if get $root.Values $name }}
- name: {{ upper $name }}_FILE
  value: /etc/longshore/{{ $name }}.json
{{- end }}
{{- end }}
{{- if include "longshore.smallProfile" . }}
- name: LONGSHORE_PROFILE
  value: small
{{- end }}
{{- if eq $redis "embedded" }}
- name: LONGSHORE_DATA
  value: {{ include "longshore.dataFolder" $root | quote }}
{{- if and (not $root.Values.persistence.enabled) (not $root.Values.persistence.existingClaim) }}
- name: COMMIT_MODE
  value: finished
{{- end }}
{{- else if include "longshore.redisSecret" $root }}
{{- with include "longshore.redisPasswordSecret" $root }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ . | quote }}
      key: {{ $root.Values.redis.auth.existingSecretKey | quote }}
- name: REDIS_URL
  value: {{ printf "redis://%s:6379/0" (include "longshore.part" (list $root "redis")) | quote }}
{{- else }}
- name: REDIS_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "longshore.redisSecret" $root | quote }}
      key: {{ include "longshore.redisSecretKey" $root | quote }}
{{- end }}
{{- end }}
{{- if and (eq $redis "deployed") (not $root.Values.persistence.enabled) }}
- name: COMMIT_MODE
  value: finished
{{- end }}
{{- with $root.Values.redis.external.masterName }}
- name: REDIS_MASTER_NAME
  value: {{ . | quote }}
{{- end }}
{{- if eq $redis "external" }}
{{- include "longshore.externalRedis" $root }}
{{- end }}
{{- if eq $part "flower" }}
- name: FLOWER_ADDRESS
  value: "" # every address, IPv4 and IPv6
- name: FLOWER_PORT
  value: "5555"
{{- if include "longshore.makesLogin" $root }}
- name: FLOWER_BASIC_AUTH
  valueFrom:
    secretKeyRef:
      name: {{ include "longshore.part" (list $root "flower") | quote }}
      key: FLOWER_BASIC_AUTH
{{- end }}
{{- end }}
{{- end }}

{{/* "true" where the chart gives Flower its logins, and not you by variables: with both, people would need two. */}}
{{- define "longshore.makesLogin" -}}
{{- $given := include "longshore.given" . | fromJson }}
{{- if .Values.flower.auth.basic }}true
{{- else if not (or .Values.flower.auth.existingSecret (hasKey $given "FLOWER_AUTH") (hasKey $given "FLOWER_BASIC_AUTH")) }}true
{{- end }}
{{- end }}

{{- define "longshore.metricsPort" -}}
{{- $given := include "longshore.given" . | fromJson }}
{{- int (include "longshore.text" (get $given "METRICS_PORT") | default (include "longshore.text" .Values.metrics.port)) }}
{{- end }}
