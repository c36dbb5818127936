{{/* Names and labels. Those of the agent itself follow the rules of the chart port-agent. */}}

{{- define "longshore.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "longshore.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* Name of a part: (list $ "worker"). 52 characters, since Kubernetes adds a hash to those of StatefulSets. */}}
{{- define "longshore.part" -}}
{{- $suffix := index . 1 }}
{{- printf "%s-%s" (include "longshore.fullname" (index . 0) | trunc (int (sub 51 (len $suffix))) | trimSuffix "-") $suffix }}
{{- end }}

{{/* Selector of a part: (list $ "worker"). "agent" is the pod of `mode: single`, whose labels are the original's. */}}
{{- define "longshore.selector" -}}
{{- $root := index . 0 }}{{ $part := index . 1 -}}
{{- if eq $part "agent" -}}
app.kubernetes.io/name: {{ include "longshore.name" $root | quote }}
{{- else -}}
{{- /* A name of its own, or a selector of name and instance alone would take these pods for the agent's. */ -}}
app.kubernetes.io/name: {{ printf "%s-%s" (include "longshore.name" $root | trunc (int (sub 62 (len $part))) | trimSuffix "-") $part | quote }}
{{- end }}
app.kubernetes.io/instance: {{ $root.Release.Name | quote }}
{{- end }}

{{/* Labels of a part, extraLabels not among them: (list $ "worker"). */}}
{{- define "longshore.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
{{ include "longshore.selector" . }}
{{- with $root.Chart.AppVersion }}
app.kubernetes.io/version: {{ . | quote }}
{{- end }}
app.kubernetes.io/managed-by: {{ $root.Release.Service | quote }}
app.kubernetes.io/component: {{ index . 1 | quote }}
app.kubernetes.io/part-of: {{ include "longshore.name" $root | quote }}
{{- end }}

{{- define "longshore.secretName" -}}
{{- default (include "longshore.fullname" .) .Values.secret.name }}
{{- end }}

{{- define "longshore.certificateSecretName" -}}
{{- $own := printf "%s-cert" (include "longshore.fullname" .) }}
{{- if .Values.selfSignedCertificate.secret.useExistingSecret }}
{{- default $own .Values.selfSignedCertificate.secret.name }}
{{- else }}
{{- $own }}
{{- end }}
{{- end }}

{{- define "longshore.serviceAccountName" -}}
{{- if .Values.podServiceAccount.create }}
{{- default (include "longshore.fullname" .) .Values.podServiceAccount.name }}
{{- else }}
{{- .Values.podServiceAccount.name | default "" }}
{{- end }}
{{- end }}

{{/* Whoever keeps a values.yaml of port-agent may have its image in there, which cannot run our commands. */}}
{{- define "longshore.image" -}}
{{- $ours := printf "longshore:%s" .Chart.AppVersion }}
{{- if eq .Values.image.repository "ghcr.io/port-labs/port-agent" }}
{{- $ours }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (toString (default .Chart.AppVersion .Values.image.tag)) }}
{{- end }}
{{- end }}

{{/* The parts that there are: a JSON list. */}}
{{- define "longshore.parts" -}}
{{- $parts := ternary (list "agent") (list "ingest" "worker") (eq .Values.mode "single") }}
{{- $flower := toString .Values.flower.enabled }}
{{- if or (eq $flower "true") (and (eq $flower "auto") (eq .Values.mode "fleet")) }}
{{- $parts = append $parts "flower" }}
{{- end }}
{{- toJson $parts }}
{{- end }}
