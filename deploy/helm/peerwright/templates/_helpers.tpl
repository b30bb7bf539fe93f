{{- define "peerwright.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough that "-migrate" still fits into a label. */}}
{{- define "peerwright.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 53 | trimSuffix "-" -}}
{{- else if contains (include "peerwright.name" .) .Release.Name -}}
{{- .Release.Name | trunc 53 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "peerwright.name" .) | trunc 53 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the workers; it never changes between versions of the chart. */}}
{{- define "peerwright.selector" -}}
app.kubernetes.io/name: {{ include "peerwright.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: worker
{{- end -}}

{{/* Call it with (dict "root" $ "component" "worker"). */}}
{{- define "peerwright.labels" -}}
app.kubernetes.io/name: {{ include "peerwright.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "peerwright.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "peerwright.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "peerwright.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The hook runs before the chart's own account exists: in the namespace's default one, or in one that was there. */}}
{{- define "peerwright.migrationServiceAccountName" -}}
{{- if .Values.serviceAccount.create -}}default{{- else -}}{{ include "peerwright.serviceAccountName" . }}{{- end -}}
{{- end -}}

{{- define "peerwright.configFile" -}}/etc/peerwright/config/peerwright.yaml{{- end -}}

{{- define "peerwright.adminPort" -}}
{{- regexFind "[0-9]+$" .Values.config.admin.listen -}}
{{- end -}}

{{/* peerwright.yaml: `config` as it is written, and the paths of the mounted secrets where it doesn't name others. */}}
{{- define "peerwright.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- range $name, $setting := dict "postgres" "password_file" "ssh" "private_key_file" "encryption" "key_file" -}}
  {{- $secret := index $.Values $name -}}
  {{- $section := default dict (get $config $name) -}}
  {{- if and $secret.existingSecret (not (hasKey $section $setting)) -}}
    {{- $_ := set $section $setting (printf "/etc/peerwright/%s/%s" $name $secret.key) -}}
    {{- $_ := set $config $name $section -}}
  {{- end -}}
{{- end -}}
{{- if .Values.kafka.secretProperties -}}
  {{- $files := default dict $config.kafka.secret_property_files -}}
  {{- range $property, $key := .Values.kafka.secretProperties -}}
    {{- if not (hasKey $files $property) -}}
      {{- $_ := set $files $property (printf "/etc/peerwright/kafka/%s" $key) -}}
    {{- end -}}
  {{- end -}}
  {{- $_ := set $config.kafka "secret_property_files" $files -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* One mounted Secret: its volume, its mount. A directory, never a subPath: so that a changed Secret reaches it. */}}
{{- define "peerwright.secretVolume" -}}
- name: {{ .name }}
  secret:
    secretName: {{ .secret | quote }}
    defaultMode: 0440
{{- end -}}
{{- define "peerwright.mount" -}}
- name: {{ .name }}
  mountPath: /etc/peerwright/{{ .name }}
  readOnly: true
{{- end -}}

{{/* What both pods have in common. */}}
{{- define "peerwright.podSpec" -}}
automountServiceAccountToken: false
# Else Kubernetes makes variables like PEERWRIGHT_PORT, and those with this prefix are settings.
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "peerwright.container" -}}
image: {{ include "peerwright.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- toYaml .Values.securityContext | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
{{- end -}}

{{/* Everything that is missing or can't work, at once. */}}
{{- define "peerwright.validate" -}}
{{- $problems := list -}}
{{- $config := .Values.config -}}
{{- $roles := default (list "intake" "deliver" "sweep" "publish") $config.roles -}}
{{- if not .Values.image.repository -}}
  {{- $problems = append $problems
    "image.repository: name the image that you built with deploy/Dockerfile" -}}
{{- end -}}
{{- if not $config.kafka.brokers -}}
  {{- $problems = append $problems
    "config.kafka.brokers: where the cluster is found, host:port,host:port" -}}
{{- end -}}
{{- if not $config.postgres.dsn -}}
  {{- $problems = append $problems
    "config.postgres.dsn: the connection string, without a password" -}}
{{- end -}}
{{- if regexMatch "(?i)password\\s*=|://[^/?@]*:[^/?@]*@" (default "" $config.postgres.dsn) -}}
  {{- $problems = append $problems
    "config.postgres.dsn holds a password: put it into the Secret postgres.existingSecret" -}}
{{- end -}}
{{- range $property, $value := default dict $config.kafka.properties -}}
  {{- $secret := regexMatch "(?i)password|passwd|passphrase|private[_.]key|key\\.pem|(secret|token)$" $property -}}
  {{- if and $secret (not (regexMatch "(?i)(_file|_files|\\.location)$" $property)) -}}
    {{- $problems = append $problems
      (printf "config.kafka.properties.%s is a secret: it belongs into kafka.secretProperties" $property) -}}
  {{- end -}}
{{- end -}}
{{- if not (or .Values.postgres.existingSecret (hasKey $config.postgres "password_file")) -}}
  {{- $problems = append $problems
    "postgres.existingSecret: the Secret with the password (none needed? set config.postgres.password_file to \"\")" -}}
{{- end -}}
{{- if and (has "deliver" $roles) (not .Values.ssh.existingSecret)
    (not (dig "private_key_file" "" (default dict $config.ssh))) -}}
  {{- $problems = append $problems
    "ssh.existingSecret: the Secret with the private key that logs in to the hosts" -}}
{{- end -}}
{{- if and (has "intake" $roles) (not .Values.encryption.existingSecret)
    (not (dig "key_file" "" (default dict $config.encryption))) -}}
  {{- $problems = append $problems
    "encryption.existingSecret: the Secret with the key-encryption key" -}}
{{- end -}}
{{- if and .Values.kafka.secretProperties (not .Values.kafka.existingSecret) -}}
  {{- $problems = append $problems
    "kafka.secretProperties needs kafka.existingSecret, the Secret that holds their values" -}}
{{- end -}}
{{- if regexMatch "^(127\\.|localhost:|\\[::1\\])|:0+$" $config.admin.listen -}}
  {{- $problems = append $problems
    "config.admin.listen: probes come from outside the pod: use 0.0.0.0 or [::], and a fixed port" -}}
{{- end -}}
{{- if $problems -}}
  {{- fail (printf "\n\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end -}}
