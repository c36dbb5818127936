{{/* Metadata and spec of a pod of the agent: (list $ "worker" (list "worker")), the last one being the arguments. */}}
{{- define "longshore.pod" -}}
{{- $root := index . 0 }}{{ $part := index . 1 }}{{ $arguments := index . 2 }}
{{- $this := list $root $part }}
{{- $values := $root.Values }}
{{- $port := int (include "longshore.metricsPort" $root) }}
{{- $data := and (eq $part "agent") (eq (include "longshore.redis" $root) "embedded") (include "longshore.dataFolder" $root) }}
{{- $ownMounts := list }}
{{- range include "longshore.tpl" (list $root $values.extraVolumeMounts) | fromYamlArray }}
{{- $ownMounts = append $ownMounts (trimSuffix "/" .mountPath) }}
{{- end }}
metadata:
  annotations:
    checksum/config: {{ include "longshore.checksum" $root }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- include "longshore.podLabels" $this | nindent 4 }}
spec:
  {{- with include "longshore.serviceAccountName" $root }}
  serviceAccountName: {{ . | quote }}
  {{- end }}
  automountServiceAccountToken: {{ $values.podServiceAccount.automountToken }}
  enableServiceLinks: false
  {{- with $values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . | quote }}
  {{- end }}
  {{- with $values.runtimeClassName }}
  runtimeClassName: {{ . | quote }}
  {{- end }}
  {{- with $values.hostAliases }}
  hostAliases:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.dnsPolicy }}
  dnsPolicy: {{ . }}
  {{- end }}
  {{- with $values.dnsConfig }}
  dnsConfig:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- include "longshore.podSecurityContext" (list $root $data) | nindent 4 }}
  terminationGracePeriodSeconds: {{ include "longshore.grace" $root }}
  {{- with include "longshore.tpl" (list $root $values.initContainers) }}
  initContainers:
    {{- . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ ternary (include "longshore.name" $root) $part (eq $part "agent") | quote }}
      image: {{ include "longshore.image" $root | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      args: {{ toJson $arguments }}
      securityContext:
        {{- include "longshore.containerSecurityContext" $root | nindent 8 }}
      env:
        {{- include "longshore.env" $this | nindent 8 }}
      {{- with include "longshore.envFrom" $this | fromYamlArray }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if or $port (eq $part "flower") }}
      ports:
        {{- if $port }}
        - name: metrics
          containerPort: {{ $port }}
        {{- end }}
        {{- if eq $part "flower" }}
        - name: flower
          containerPort: 5555
        {{- end }}
      {{- end }}
      {{- include "longshore.probes" (list $root $part $port) | nindent 6 }}
      {{- $lifecycle := $values.lifecycle | default dict }}
      {{- if and (gt (int $values.preStopSleepSeconds) 0) (not $lifecycle.preStop) }}
      {{- $lifecycle = merge (dict "preStop" (dict "exec" (dict "command" (list "sleep" (toString $values.preStopSleepSeconds))))) $lifecycle }}
      {{- end }}
      {{- with $lifecycle }}
      lifecycle:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      resources:
        {{- include "longshore.resources" $this | nindent 8 }}
      volumeMounts:
        {{- if not (has "/tmp/port-agent" $ownMounts) }}
        - name: longshore-scratch
          mountPath: /tmp/port-agent
        {{- end }}
        {{- if $data }}
        - name: longshore-data
          mountPath: {{ $data }}
        {{- end }}
        {{- if or $values.controlThePayloadConfig $values.limits $values.targets }}
        - name: longshore-files
          mountPath: /etc/longshore
          readOnly: true
        {{- end }}
        {{- if include "longshore.pinnedMapping" $root }}
        - name: longshore-files
          mountPath: /app/control_the_payload_config.json
          subPath: control_the_payload_config.json
          readOnly: true
        {{- end }}
        {{- if $values.selfSignedCertificate.enabled }}
        - name: certificates
          mountPath: /usr/local/share/ca-certificates/cert.crt
          subPath: cert.crt
          readOnly: true
        {{- end }}
        {{- include "longshore.tpl" (list $root $values.extraVolumeMounts) | nindent 8 }}
    {{- include "longshore.tpl" (list $root $values.extraContainers) | nindent 4 }}
  volumes:
    {{- if not (has "/tmp/port-agent" $ownMounts) }}
    - name: longshore-scratch
      emptyDir:
        sizeLimit: {{ $values.scratch.sizeLimit }}
    {{- end }}
    {{- if $data }}
    - name: longshore-data
      {{- if or $values.persistence.enabled $values.persistence.existingClaim }}
      persistentVolumeClaim:
        claimName: {{ default (include "longshore.part" (list $root "data")) $values.persistence.existingClaim | quote }}
      {{- else }}
      emptyDir:
        sizeLimit: {{ $values.persistence.size }}
      {{- end }}
    {{- end }}
    {{- if or $values.controlThePayloadConfig $values.limits $values.targets }}
    {{- /* A whole folder, as Kubernetes never changes what is mounted by subPath; its pods read these again by themselves. */}}
    - name: longshore-files
      projected:
        sources:
          {{- if $values.controlThePayloadConfig }}
          - configMap:
              name: {{ include "longshore.fullname" $root | quote }}
              items:
                - key: controlThePayloadConfig
                  path: control_the_payload_config.json
          {{- end }}
          {{- if or $values.limits $values.targets }}
          - configMap:
              name: {{ include "longshore.part" (list $root "tables") | quote }}
          {{- end }}
    {{- end }}
    {{- if $values.selfSignedCertificate.enabled }}
    - name: certificates
      projected:
        sources:
          - secret:
              name: {{ include "longshore.certificateSecretName" $root | quote }}
              items:
                - key: {{ ternary $values.selfSignedCertificate.secret.key "crt" $values.selfSignedCertificate.secret.useExistingSecret | quote }}
                  path: cert.crt
    {{- end }}
    {{- include "longshore.tpl" (list $root $values.extraVolumes) | nindent 4 }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    {{- $constraint := deepCopy . }}
    {{- if not (hasKey $constraint "labelSelector") }}
    {{- $_ := set $constraint "labelSelector" (dict "matchLabels" (include "longshore.selector" $this | fromYaml)) }}
    {{- end }}
    - {{ toYaml $constraint | nindent 6 | trim }}
    {{- end }}
  {{- end }}
{{- end }}

{{/* A value such as extraVolumes, templates in it evaluated: (list $ value). A list or text; empty: nothing. */}}
{{- define "longshore.tpl" -}}
{{- with index . 1 }}
{{- tpl (ternary . (toYaml .) (kindIs "string" .)) (index $ 0) }}
{{- end }}
{{- end }}

{{/* Labels of a part with extraLabels, which never change what selectors look for. */}}
{{- define "longshore.allLabels" -}}
{{- toYaml (merge (dict) (include "longshore.selector" . | fromYaml) ((index . 0).Values.extraLabels | default dict) (include "longshore.labels" . | fromYaml)) }}
{{- end }}

{{/* Labels of a pod of a part: those, and podLabels. */}}
{{- define "longshore.podLabels" -}}
{{- toYaml (merge (dict) (include "longshore.selector" . | fromYaml) ((index . 0).Values.podLabels | default dict) (include "longshore.allLabels" . | fromYaml)) }}
{{- end }}

{{/* The mapping as JSON where a variable of yours may name its place in the chart port-agent; pods never see that one change. */}}
{{- define "longshore.pinnedMapping" -}}
{{- if and .Values.controlThePayloadConfig (hasKey (include "longshore.given" . | fromJson) "CONTROL_THE_PAYLOAD_CONFIG_PATH") }}
{{- toJson .Values.controlThePayloadConfig }}
{{- end }}
{{- end }}

{{/* Changes when what pods read at their start changes, so that they are replaced. */}}
{{- define "longshore.checksum" -}}
{{- $redis := ternary (include "longshore.redisPassword" .) (.Values.redis.external | toJson) (eq (include "longshore.redis" .) "deployed") }}
{{- include "longshore.fingerprint" (list . (list .Values.env (include "longshore.pinnedMapping" .) .Values.selfSignedCertificate .Values.flower.auth $redis)) }}
{{- end }}

{{/* A fingerprint of (list $ secrets) for annotations, which more people may read than Secrets, and a plain hash of a
password tells it to whoever tries many. With Port's client secret, which nobody guesses; else by scrypt, salted with the
release and made once in a rendering, as it is slow. */}}
{{- define "longshore.fingerprint" -}}
{{- $root := index . 0 }}{{ $secrets := index . 1 | toJson }}
{{- $client := include "longshore.text" (get (include "longshore.given" $root | fromJson) "PORT_CLIENT_SECRET") }}
{{- $made := get $root.Values "_made" | default dict }}
{{- $_ := set $root.Values "_made" $made }}
{{- if $client }}{{ list $client $secrets | toJson | sha256sum }}
{{- else }}
{{- if not (hasKey $made $secrets) }}
{{- $_ := set $made $secrets (derivePassword 1 "maximum" $secrets $root.Release.Name $root.Release.Namespace | sha256sum) }}
{{- end }}
{{- get $made $secrets }}
{{- end }}
{{- end }}

{{- define "longshore.podSecurityContext" -}}
{{- $root := index . 0 }}{{ $data := index . 1 }}
{{- $openshift := or (eq (toString $root.Values.openshift) "true") (and (eq (toString $root.Values.openshift) "auto") ($root.Capabilities.APIVersions.Has "security.openshift.io/v1")) }}
{{- $context := $root.Values.podSecurityContext | default dict }}
{{- if not $context }}
{{- $context = dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") }}
{{- /* OpenShift gives each namespace ids of its own and refuses others. */}}
{{- if not $openshift }}
{{- $context = merge $context (dict "runAsUser" 1000 "runAsGroup" 1000 "fsGroup" 1000) }}
{{- end }}
{{- else if and $data (not (hasKey $context "fsGroup")) (not $openshift) }}
{{- /* Without a group of its own the volume belongs to root, and nobody else could write to it. */}}
{{- $context = merge (deepCopy $context) (dict "fsGroup" 1000) }}
{{- end }}
{{- toYaml $context }}
{{- end }}

{{- define "longshore.containerSecurityContext" -}}
{{- $ours := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) }}
{{- toYaml (.Values.containerSecurityContext | default $ours) }}
{{- end }}

{{- define "longshore.probes" -}}
{{- $root := index . 0 }}{{ $part := index . 1 }}{{ $port := index . 2 }}
{{- $probes := $root.Values.probes }}
{{- if and $probes.enabled (or $port (eq $part "flower")) }}
{{- $live := dict "path" "/livez" "port" "metrics" }}
{{- $ready := dict "path" "/readyz" "port" "metrics" }}
{{- if eq $part "flower" }}
{{- $live = dict "path" "/healthcheck" "port" "flower" }}
{{- $ready = $live }}
{{- end }}
startupProbe:
  httpGet: {{ toJson $live }}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: {{ div (add (int $probes.startupSeconds) 4) 5 }}
livenessProbe:
  httpGet: {{ toJson $live }}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 3
readinessProbe:
  httpGet: {{ toJson $ready }}
  periodSeconds: 10
  timeoutSeconds: 10
  failureThreshold: 3
{{- end }}
{{- end }}
