{{/* What the engine's facts are made of, in a namespace. */}}
{{- define "backstay.rules.read" -}}
- apiGroups: [apps]
  resources: [deployments, replicasets]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch]
{{- end }}

{{/* What has no namespace. Watched with the cluster scope only. */}}
{{- define "backstay.rules.clusterRead" -}}
- apiGroups: [""]
  resources: [nodes, namespaces]
  verbs: [list, watch]
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
  verbs: [get, list, watch, create]
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

{{/* The only rights that change workloads. */}}
{{- define "backstay.rules.act" -}}
- apiGroups: [apps]
  resources: [deployments]
  verbs: [patch]
- apiGroups: [apps]
  resources: [replicasets/scale]
  verbs: [patch]
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
