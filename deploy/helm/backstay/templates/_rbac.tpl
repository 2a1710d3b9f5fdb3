{{/* What the engine's facts are made of, in a namespace. */}}
{{- define "backstay.rules.read" -}}
- apiGroups: [apps]
  resources: [deployments, replicasets]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [watch]
{{- if .Values.logs.read }}
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- end }}
{{- end }}

{{/* Events about nodes live in the namespace `default`. RBAC cannot tell them from the others there. */}}
{{- define "backstay.rules.nodeEvents" -}}
- apiGroups: [""]
  resources: [events]
  verbs: [watch]
{{- end }}

{{/* What has no namespace. Watched with the cluster scope only. */}}
{{- define "backstay.rules.clusterRead" -}}
- apiGroups: [""]
  resources: [nodes, namespaces]
  verbs: [list, watch]
{{- if .Values.rbac.surroundings }}
- apiGroups: [scheduling.k8s.io]
  resources: [priorityclasses]
  verbs: [get]
{{- end }}
- apiGroups: [backstay.dev]
  resources: [clusterincidentpolicies]
  verbs: [list, watch]
- apiGroups: [backstay.dev]
  resources: [clusterincidentpolicies/status]
  verbs: [patch]
{{- end }}

{{/* Backstay's own records. Policies belong to people: only their status is written. */}}
{{- define "backstay.rules.records" -}}
- apiGroups: [backstay.dev]
  resources: [incidentpolicies]
  verbs: [list, watch]
- apiGroups: [backstay.dev]
  resources: [workloadhealths]
  verbs: [get, list, watch, create, delete]
- apiGroups: [backstay.dev]
  resources: [incidents]
  verbs: [get, list, watch, create, delete]
- apiGroups: [backstay.dev]
  resources: [incidentpolicies/status, workloadhealths/status, incidents/status]
  verbs: [patch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end }}

{{/* What lies around a failing workload, read once when it is needed. */}}
{{- define "backstay.rules.surroundings" -}}
- apiGroups: [""]
  resources: [services, resourcequotas]
  verbs: [list]
- apiGroups: [""]
  resources: [configmaps, serviceaccounts, persistentvolumeclaims]
  verbs: [get]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [list]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [list]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [list]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [list]
- apiGroups: [batch]
  resources: [jobs, cronjobs]
  verbs: [list]
{{- end }}

{{/* Secrets in one namespace; Backstay asks for their metadata alone. */}}
{{- define "backstay.rules.secrets" -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- end }}

{{/* The only rights that change workloads. */}}
{{- define "backstay.rules.act" -}}
- apiGroups: [apps]
  resources: [deployments]
  verbs: [patch]
- apiGroups: [apps]
  resources: [replicasets/scale]
  verbs: [patch]
{{- if .Values.rbac.tryBaseline }}
- apiGroups: [""]
  resources: [pods]
  verbs: [create]
{{- end }}
{{- end }}

{{- define "backstay.subjects" -}}
- kind: ServiceAccount
  name: {{ include "backstay.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/* A ClusterRole and its binding. Takes a dict: root, name, rules. */}}
{{- define "backstay.clusterRole" -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ .name }}
  labels:
    {{- include "backstay.labels" .root | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ .name }}
  labels:
    {{- include "backstay.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ .name }}
subjects:
  {{- include "backstay.subjects" .root | nindent 2 }}
{{- end }}

{{/* A Role and its binding. Takes a dict: root, namespace, name, rules. */}}
{{- define "backstay.role" -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels:
    {{- include "backstay.labels" .root | nindent 4 }}
rules:
  {{- .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .name }}
  namespace: {{ .namespace }}
  labels:
    {{- include "backstay.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects:
  {{- include "backstay.subjects" .root | nindent 2 }}
{{- end }}
