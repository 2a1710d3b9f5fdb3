//! Which part of a pod template a field belongs to. The digests of templates and the words about their differences
//! go by the same table, so that a verdict and what it is shown with never disagree.

use crate::engine::words::Aspect;

/// The aspect of a field of a pod's spec.
pub fn of_pod_field(key: &str) -> Aspect {
    match key {
        "volumes" => Aspect::Volumes,
        "nodeSelector"
        | "affinity"
        | "tolerations"
        | "topologySpreadConstraints"
        | "schedulerName"
        | "nodeName"
        | "priorityClassName"
        | "priority"
        | "preemptionPolicy"
        | "runtimeClassName"
        | "schedulingGates"
        | "resourceClaims"
        | "os"
        | "overhead" => Aspect::Scheduling,
        "securityContext" | "hostNetwork" | "hostPID" | "hostIPC" | "hostUsers" | "shareProcessNamespace" => {
            Aspect::Security
        }
        "serviceAccountName" | "serviceAccount" | "automountServiceAccountToken" => Aspect::ServiceAccount,
        "imagePullSecrets" => Aspect::PullSecrets,
        "terminationGracePeriodSeconds" | "activeDeadlineSeconds" | "restartPolicy" => Aspect::Lifecycle,
        "resources" => Aspect::Resources,
        "readinessGates" => Aspect::Probes,
        "enableServiceLinks" => Aspect::Environment,
        _ => Aspect::Other,
    }
}

/// The aspect of a field of a container.
pub fn of_container_field(key: &str) -> Aspect {
    match key {
        "image" | "imagePullPolicy" => Aspect::Image,
        "command" | "args" | "workingDir" | "stdin" | "stdinOnce" | "tty" => Aspect::Command,
        "env" | "envFrom" => Aspect::Environment,
        "resources" | "resizePolicy" => Aspect::Resources,
        "readinessProbe" | "livenessProbe" | "startupProbe" => Aspect::Probes,
        "ports" => Aspect::Ports,
        "volumeMounts" | "volumeDevices" => Aspect::Volumes,
        "securityContext" => Aspect::Security,
        "lifecycle"
        | "restartPolicy"
        | "restartPolicyRules"
        | "terminationMessagePath"
        | "terminationMessagePolicy" => Aspect::Lifecycle,
        _ => Aspect::Other,
    }
}
