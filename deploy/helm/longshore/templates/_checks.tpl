{{/* What no schema can say: values that do not go together. Everything is checked, one problem is told. */}}
{{- define "longshore.check" -}}
{{- $redis := include "longshore.redis" . }}
{{- $v := .Values }}
{{- if and (eq $redis "embedded") (eq $v.mode "fleet") }}
{{- fail "redis.mode: embedded is for mode: single, since the pods of a fleet share one Redis. Take it out, or set it to deployed or external." }}
{{- end }}
{{- if and (eq $redis "embedded") (or (gt (int $v.replicaCount) 1) (ne $v.rolloutStrategy "Recreate")) }}
{{- fail "redis.mode: embedded allows one pod at a time: replicaCount must be 1 and rolloutStrategy Recreate. Or take redis.mode out, for a Redis that the chart runs." }}
{{- end }}
{{- if and (eq $redis "external") (not $v.redis.external.url) (not $v.redis.external.existingSecret) (not $v.secret.useExistingSecret) (not $v.envFrom) (not (include "longshore.redisGiven" .)) }}
{{- fail "redis.mode: external needs the address: set redis.external.url, or redis.external.existingSecret, or REDIS_URL under env.secret." }}
{{- end }}
{{- $external := $v.redis.external }}
{{- $keys := or $external.existingSecretPasswordKey $external.sentinel.existingSecretPasswordKey }}
{{- if and $external.url $external.existingSecret (not $keys) }}
{{- fail "redis.external: url and existingSecret are both set; give one of them, or existingSecretPasswordKey for the password." }}
{{- end }}
{{- if and $keys (not $external.existingSecret) }}
{{- fail "redis.external: existingSecretPasswordKey is a key of existingSecret; name that Secret." }}
{{- end }}
{{- if and (has "flower" (include "longshore.parts" . | fromJsonArray)) (eq $redis "embedded") }}
{{- fail "flower.enabled: the Redis embedded in the agent's pod cannot be reached by Flower. Set redis.mode: deployed as well." }}
{{- end }}
{{- if and (eq $v.mode "single") (or $v.worker.autoscaling.enabled $v.worker.keda.enabled) }}
{{- fail "worker.autoscaling and worker.keda scale the workers of a fleet: set mode: fleet as well." }}
{{- end }}
{{- if and $v.worker.autoscaling.enabled $v.worker.keda.enabled }}
{{- fail "worker: autoscaling and keda are both enabled and would fight over the number of pods; enable one of them." }}
{{- end }}
{{- if and $v.worker.keda.enabled (not $v.worker.keda.prometheusAddress) (not $v.worker.keda.triggers) }}
{{- fail "worker.keda: set prometheusAddress, e.g. http://prometheus-operated.monitoring:9090, or triggers of your own." }}
{{- end }}
{{- if and $v.flower.ingress.enabled (not $v.flower.ingress.host) }}
{{- fail "flower.ingress: set host, or everything that reaches the ingress controller would reach Flower." }}
{{- end }}
{{- if $v.controlThePayloadConfig }}
{{- $mapping := $v.controlThePayloadConfig }}
{{- if kindIs "string" $mapping }}
{{- $mapping = fromJsonArray (trimPrefix "\ufeff" $mapping) }}
{{- if and (eq (len $mapping) 1) (kindIs "string" (first $mapping)) }}
{{- fail (printf "controlThePayloadConfig is not a list in strict JSON: %s. YAML, comments and commas at the end of lists are not supported in a text; as a value it may be YAML." (first $mapping)) }}
{{- end }}
{{- else if not (kindIs "slice" $mapping) }}
{{- fail "controlThePayloadConfig is not a list of mappings." }}
{{- end }}
{{- end }}
{{- range $name := list "limits" "targets" }}
{{- $table := get $v $name }}
{{- if and $table (kindIs "string" $table) (hasKey (fromJson $table) "Error") }}
{{- fail (printf "%s is not an object in strict JSON: %s. As a value it may be YAML." $name (get (fromJson $table) "Error")) }}
{{- end }}
{{- end }}
{{- if and $v.metrics.serviceMonitor.enabled (not (int (include "longshore.metricsPort" .))) }}
{{- fail "metrics.serviceMonitor: there are no metrics to scrape while metrics.port (or METRICS_PORT) is 0." }}
{{- end }}
{{- end }}

{{/* What is under way and what could be if there were more workers; the same on every page, as it is in Redis. */}}
{{- define "longshore.backlogQuery" -}}
{{- $labels := printf "{namespace=%q,pod=~\"%s-.*\"}" .Release.Namespace (include "longshore.fullname" .) -}}
max(longshore_fleet_runnable{{ $labels }}) + max(longshore_fleet_in_flight{{ $labels }})
{{- end }}
