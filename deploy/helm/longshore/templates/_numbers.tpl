{{/* A value of `env` as text: YAML numbers go through Helm as floats, and 16777216 would become 1.6777216e+07. */}}
{{- define "longshore.text" -}}
{{- if kindIs "float64" . }}
{{- if eq . (floor .) }}{{ printf "%.0f" . }}{{ else }}{{ toString . }}{{ end }}
{{- else if not (kindIs "invalid" .) }}{{ toString . }}
{{- end }}
{{- end }}

{{/* A quantity of Kubernetes as a number: bytes of memory, or thousandths of a core with (list "200m" 1000). */}}
{{- define "longshore.quantity" -}}
{{- $text := include "longshore.text" (index . 0) }}
{{- $unit := regexFind "[A-Za-z]+$" $text }}
{{- $factors := dict "" 1 "m" 0.001 "k" 1000 "K" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- if not (hasKey $factors $unit) }}
{{- fail (printf "resources: %s is no quantity that Kubernetes knows; give one like 256Mi or 200m" $text) }}
{{- end }}
{{- mulf (float64 (trimSuffix $unit $text)) (get $factors $unit) (index . 1) }}
{{- end }}

{{/* Resources of a part: (list $ "worker"). Requests above the limits, as ours may be above yours, are lowered. */}}
{{- define "longshore.resources" -}}
{{- $root := index . 0 }}
{{- $given := get (get $root.Values (index . 1) | default dict) "resources" | default $root.Values.resources | default dict }}
{{- $requests := dict }}
{{- range $name, $amount := $given.requests }}
{{- $limit := get ($given.limits | default dict) $name }}
{{- if and $limit (has $name (list "memory" "cpu")) (gt (float64 (include "longshore.quantity" (list $amount 1000))) (float64 (include "longshore.quantity" (list $limit 1000)))) }}
{{- $amount = $limit }}
{{- end }}
{{- $_ := set $requests $name $amount }}
{{- end }}
{{- $all := deepCopy $given }}
{{- if $requests }}{{ $_ := set $all "requests" $requests }}{{ end }}
{{- toYaml $all }}
{{- end }}

{{/* "true" where a part runs with LONGSHORE_PROFILE=small: (list $ "agent"). */}}
{{- define "longshore.smallProfile" -}}
{{- $root := index . 0 }}
{{- $limit := dig "limits" "memory" "" (include "longshore.resources" . | fromYaml) }}
{{- if eq $root.Values.profile "small" }}true
{{- else if and (eq $root.Values.profile "auto") $limit }}
{{- if le (float64 (include "longshore.quantity" (list $limit 1))) 268435456.0 }}true{{ end }}
{{- end }}
{{- end }}

{{/* Seconds between SIGTERM and SIGKILL: all is over in WEBHOOK_INVOKER_TIMEOUT + 5 s, or DRAIN_S + 2 s if that is more;
and three for a busy node. Only variables in `env` can be seen here, not those of a Secret of your own. */}}
{{- define "longshore.grace" -}}
{{- if not (kindIs "invalid" .Values.terminationGracePeriodSeconds) }}
{{- int .Values.terminationGracePeriodSeconds }}
{{- else }}
{{- $given := include "longshore.given" . | fromJson }}
{{- $timeout := float64 (include "longshore.text" (get $given "WEBHOOK_INVOKER_TIMEOUT") | default "30") }}
{{- $drain := float64 (include "longshore.text" (get $given "DRAIN_S") | default "0") }}
{{- add (ceil (maxf (addf $timeout 5) (addf $drain 2))) 3 (int .Values.preStopSleepSeconds) }}
{{- end }}
{{- end }}
