{{- define "backstay.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "backstay.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := include "backstay.name" . }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{/* The name of objects without a namespace. It carries the namespace, so that releases of one name stand side by side. */}}
{{- define "backstay.clusterName" -}}
{{- if eq .Values.rbac.scope "namespaced" }}
{{- printf "%s-%s" .Release.Namespace (include "backstay.fullname" .) }}
{{- else }}
{{- include "backstay.fullname" . }}
{{- end }}
{{- end }}

{{- define "backstay.selectorLabels" -}}
app.kubernetes.io/name: {{ include "backstay.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The selector of the operator's own pods; the test pod has another component. */}}
{{- define "backstay.operatorLabels" -}}
{{ include "backstay.selectorLabels" . }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "backstay.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "backstay.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "backstay.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "backstay.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "backstay.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{- define "backstay.leaseName" -}}
{{- default (include "backstay.fullname" .) .Values.leaderElection.leaseName }}
{{- end }}

{{/* The namespaces that are watched, as a JSON list; empty with the cluster scope. */}}
{{- define "backstay.namespaces" -}}
{{- if eq .Values.rbac.scope "namespaced" }}
{{- default (list .Release.Namespace) .Values.rbac.namespaces | uniq | toJson }}
{{- else }}
{{- if .Values.rbac.namespaces }}
{{- fail "rbac.namespaces has no meaning with rbac.scope cluster: set rbac.scope to namespaced, or remove it" }}
{{- end }}
{{- list | toJson }}
{{- end }}
{{- end }}

{{/* The port of the trace collector, from its address. */}}
{{- define "backstay.otlpPort" -}}
{{- $url := urlParse .Values.otlp.endpoint }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" }}
{{- default (ternary "443" "80" (eq $url.scheme "https")) $port }}
{{- end }}
