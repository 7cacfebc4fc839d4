{{/*
The labels of every object. Names and selectors carry no release: policies, roles and the lease refer to fixed names, and there
is one operator in a cluster, or in a namespace.
*/}}
{{- define "wechatpay-operator.labels" -}}
app.kubernetes.io/name: wechatpay-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Those of the console, which the operator's policies and Services don't select. */}}
{{- define "wechatpay-operator.consoleLabels" -}}
{{ include "wechatpay-operator.labels" . | replace "app.kubernetes.io/name: wechatpay-operator" "app.kubernetes.io/name: wechatpay-operator-console" }}
{{- end }}

{{/* The component whose pods take callbacks. */}}
{{- define "wechatpay-operator.notified" -}}
{{ .Values.callbacks.separate | ternary "callbacks" "controller-manager" }}
{{- end }}

{{- define "wechatpay-operator.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* The identity of an operator for all namespaces, as files/rbac.yaml has it beside people's roles. */}}
{{- define "wechatpay-operator.identity" -}}
- ServiceAccount/wechatpay-operator-controller-manager
- ClusterRole/wechatpay-operator-manager
- ClusterRoleBinding/wechatpay-operator-manager
- Role/wechatpay-operator-leader-election
- RoleBinding/wechatpay-operator-leader-election
- ClusterRole/wechatpay-operator-metrics-auth
- ClusterRoleBinding/wechatpay-operator-metrics-auth
{{- end }}

{{/*
The objects of a file that `make chart-files` copied from the kustomize manifests, in the release's namespace and with its labels.
root, file; only and without pick objects by kind/name; keep has them outlive the release.
*/}}
{{- define "wechatpay-operator.copied" -}}
{{- $labels := include "wechatpay-operator.labels" .root | fromYaml -}}
{{- range $document := splitList "\n---\n" (.root.Files.Get .file) }}
{{- $object := fromYaml $document }}
{{- $key := printf "%s/%s" $object.kind $object.metadata.name }}
{{- if and (or (not $.only) (has $key ($.only | default list))) (not (has $key ($.without | default list))) }}
{{- $_ := set $object.metadata "labels" (merge (deepCopy $labels) ($object.metadata.labels | default dict)) }}
{{- if hasKey $object.metadata "namespace" }}
{{- $_ := set $object.metadata "namespace" $.root.Release.Namespace }}
{{- end }}
{{- range $subject := $object.subjects }}
{{- $_ := set $subject "namespace" $.root.Release.Namespace }}
{{- end }}
{{- $annotations := $object.metadata.annotations | default dict }}
{{- if $.keep }}
{{- $_ := set $annotations "helm.sh/resource-policy" "keep" }}
{{- end }}
{{- if eq $object.kind "ServiceAccount" }}
{{- $annotations = merge (deepCopy $.root.Values.serviceAccount.annotations) $annotations }}
{{- end }}
{{- with $annotations }}
{{- $_ := set $object.metadata "annotations" . }}
{{- end }}
---
{{ toYaml $object }}
{{- end }}
{{- end }}
{{- end }}

{{/* The Deployment of a component: root, component, replicas, resources, args, notified. */}}
{{- define "wechatpay-operator.deployment" -}}
{{- $values := .root.Values -}}
{{- $selector := dict "app.kubernetes.io/name" "wechatpay-operator" "app.kubernetes.io/component" .component -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: wechatpay-operator-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "wechatpay-operator.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  replicas: {{ .replicas }}
  selector:
    matchLabels:
      {{- toYaml $selector | nindent 6 }}
  strategy:
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
  template:
    metadata:
      labels:
        {{- include "wechatpay-operator.labels" .root | nindent 8 }}
        app.kubernetes.io/component: {{ .component }}
        {{- with $values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        kubectl.kubernetes.io/default-container: manager
        {{- with $values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: wechatpay-operator-{{ .component }}
      {{- with $values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if and $values.priorityClass.name (or (not $values.priorityClass.create) (eq $values.scope "Cluster")) }}
      priorityClassName: {{ $values.priorityClass.name }}
      {{- end }}
      terminationGracePeriodSeconds: 90
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        seccompProfile:
          type: RuntimeDefault
      topologySpreadConstraints:
      {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
      - maxSkew: 1
        topologyKey: {{ $key }}
        whenUnsatisfiable: ScheduleAnyway
        labelSelector:
          matchLabels:
            {{- toYaml $selector | nindent 12 }}
        matchLabelKeys: ["pod-template-hash"]
      {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
      - name: manager
        image: {{ include "wechatpay-operator.image" .root | quote }}
        imagePullPolicy: {{ $values.image.pullPolicy }}
        args:
        {{- range .args }}
        - {{ . | quote }}
        {{- end }}
        env:
        {{- if eq $values.scope "Namespace" }}
        - name: POD_NAMESPACE
          valueFrom:
            fieldRef:
              fieldPath: metadata.namespace
        {{- end }}
        # The garbage collector works harder below the limit, so that the process is not killed at it.
        - name: GOMEMLIMIT
          valueFrom:
            resourceFieldRef:
              resource: limits.memory
        ports:
        {{- if $values.metrics.enabled }}
        - name: metrics
          containerPort: {{ include "wechatpay-operator.metricsPort" .root }}
          protocol: TCP
        {{- end }}
        {{- if .notified }}
        - name: notify
          containerPort: 8088
          protocol: TCP
        {{- end }}
        - name: health
          containerPort: 8081
          protocol: TCP
        livenessProbe:
          httpGet:
            path: /healthz
            port: health
          periodSeconds: 20
          timeoutSeconds: 5
          failureThreshold: 3
        readinessProbe:
          httpGet:
            path: /readyz
            port: health
          periodSeconds: 5
          timeoutSeconds: 5
          failureThreshold: 3
        {{- if .notified }}
        lifecycle:
          preStop:
            sleep:
              seconds: 10
        {{- end }}
        resources:
          {{- toYaml .resources | nindent 10 }}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          runAsNonRoot: true
          capabilities:
            drop:
            - ALL
        {{- if .ledger }}
        volumeMounts:
        - name: ledger
          mountPath: /etc/wechatpay-operator/ledger
          readOnly: true
        {{- end }}
      {{- if .ledger }}
      volumes:
      - name: ledger
        secret:
          secretName: {{ .ledger }}
      {{- end }}
{{- end }}

{{/* Metrics are HTTPS where the operator may ask the API server who scrapes, which takes a ClusterRole. */}}
{{- define "wechatpay-operator.metricsPort" -}}
{{ eq .Values.scope "Cluster" | ternary "8443" "8080" }}
{{- end }}

{{/* The flags that all components share. */}}
{{- define "wechatpay-operator.sharedArgs" -}}
{{- if eq .Values.scope "Namespace" }}
- --watch-namespaces=$(POD_NAMESPACE)
{{- end }}
{{- if not .Values.metrics.enabled }}
- --metrics-bind-address=0
{{- else }}
- --metrics-bind-address=:{{ include "wechatpay-operator.metricsPort" . }}
{{- if eq .Values.scope "Namespace" }}
- --metrics-secure=false
{{- end }}
{{- end }}
- --health-probe-bind-address=:8081
{{- with .Values.endpointHosts }}
- --endpoint-hosts={{ join "," . }}
{{- end }}
{{- end }}
