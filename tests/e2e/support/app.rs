//! The test application as a Deployment, and the policy that watches it.

use serde_json::{Value, json};

/// A Deployment of the test application, called `web` and shipped whole, as `kubectl apply` does.
#[derive(Clone, Debug)]
pub struct App(pub Value);

impl App {
    /// Two replicas that are ready at once; `/ready` is asked every second and believed at the first answer.
    pub fn new() -> Self {
        Self(json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "labels": {"app": "web"}, "annotations": {"example.com/owner": "shop"}},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{
                            "name": "web",
                            "image": "localhost:5000/testapp:v1",
                            "readinessProbe": {
                                "httpGet": {"path": "/ready", "port": 8080},
                                "periodSeconds": 1,
                                "timeoutSeconds": 5,
                                "failureThreshold": 1,
                            },
                        }],
                    },
                },
            },
        }))
    }

    pub fn replicas(self, replicas: i32) -> Self {
        self.spec(json!({"replicas": replicas}))
    }

    pub fn image(self, image: &str) -> Self {
        self.container(json!({"image": image}))
    }

    /// Sets a variable of the container `web`; `tests/cluster/testapp` lists those that choose its behaviour.
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        let container = &mut self.0["spec"]["template"]["spec"]["containers"][0];
        if container["env"].is_null() {
            container["env"] = json!([]);
        }
        container["env"].as_array_mut().unwrap().push(json!({"name": name, "value": value.to_string()}));
        self
    }

    /// Merges into the container `web`.
    pub fn container(mut self, patch: Value) -> Self {
        merge(&mut self.0["spec"]["template"]["spec"]["containers"][0], patch);
        self
    }

    /// Merges into the pod template's `spec`.
    pub fn pod(mut self, patch: Value) -> Self {
        merge(&mut self.0["spec"]["template"]["spec"], patch);
        self
    }

    /// Merges into the Deployment's `spec`.
    pub fn spec(mut self, patch: Value) -> Self {
        merge(&mut self.0["spec"], patch);
        self
    }

    /// Merges into the Deployment's `metadata`.
    pub fn metadata(mut self, patch: Value) -> Self {
        merge(&mut self.0["metadata"], patch);
        self
    }
}

/// An IncidentPolicy for `app: web` with times that a test can wait for; `terms` is merged into its `spec`.
pub fn policy(terms: Value) -> Value {
    let mut spec = json!({
        "selector": {"matchLabels": {"app": "web"}},
        "rollout": {"stableSeconds": 3},
        "guards": {"cooldownSeconds": 0},
    });
    merge(&mut spec, terms);
    json!({"apiVersion": "backstay.dev/v1alpha1", "kind": "IncidentPolicy", "metadata": {"name": "web"}, "spec": spec})
}

/// RFC 7386: objects are merged, `null` removes, everything else replaces.
pub fn merge(into: &mut Value, patch: Value) {
    json_patch::merge(into, &patch);
}
