//! The words of a case, and how they are carried out.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::database;
use crate::kubectl::Kubectl;
use crate::registry_faults;

/// How a workload is brought to where its capture is made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is done, and what makes it hard to tell, in a sentence or two.
    #[serde(rename = "about")]
    pub _about: String,
    /// Cases of turn 0 are played side by side. The others do something to the node that all would feel, and come after
    /// them, one by one and the lower turns first.
    #[serde(default)]
    pub turn: u32,
    /// Kinds that are captured beside Deployments, ReplicaSets, Pods, Events and Nodes.
    #[serde(default)]
    pub also: Vec<String>,
    /// None where the capture comes from elsewhere and cannot be made again.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What has to be put right on the node afterwards.
    #[serde(default)]
    pub undo: Vec<Step>,
}

/// `NAMESPACE` stands for the case's namespace in all of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Step {
    /// Objects are applied.
    Create(Vec<Value>),
    /// The Deployment is created with this merged in, and its rollout is waited for.
    Run(Value),
    /// This is merged into the Deployment, which is created if there is none.
    Ship(Value),
    /// kubectl is called with these words.
    Kubectl(String),
    /// `tests/cluster/cluster` is called with these words.
    Cluster(String),
    /// The registry is to answer pulls of a repository and of those below it as a mode says: `REPOSITORY MODE`.
    Registry(String),
    /// A database on the cluster's PostgreSQL is made for the service `orders`, whose role may have so many connections, and
    /// the Secret `database` with its URL and its host.
    Database(u32),
    /// Statements are carried out in that database.
    Sql(String),
    /// `kubectl wait` is called with these words.
    Wait(String),
    /// Objects are watched until they show something.
    See(See),
}

/// What to watch for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct See {
    /// What `kubectl get` is to get, such as `pods -l app=web`.
    pub of: String,
    /// What is shown of each object: a JSONPath template.
    pub shows: String,
    /// The regular expression that it must match.
    pub like: String,
    /// On how many objects.
    #[serde(default = "one")]
    pub count: usize,
}

fn one() -> usize {
    1
}

impl Case {
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// A case that is being played.
pub struct Play {
    pub kubectl: Kubectl,
    base: PathBuf,
    runs: bool,
    database: Option<String>,
}

impl Play {
    pub fn new(namespace: &str, base: &Path) -> Self {
        Self { kubectl: Kubectl::new(namespace), base: base.to_owned(), runs: false, database: None }
    }

    pub async fn steps(&mut self, steps: &[Step]) -> Result<(), String> {
        for (number, step) in (1..).zip(steps) {
            self.step(step).await.map_err(|why| format!("step {number}: {why}"))?;
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Create(objects) => self.apply(objects).await,
            Step::Run(patch) => {
                self.ship(patch).await?;
                self.kubectl.call("rollout status deployment/web --timeout=600s").await.map(drop)
            }
            Step::Ship(patch) => self.ship(patch).await,
            Step::Kubectl(words) => self.kubectl.call(words).await.map(drop),
            Step::Cluster(words) => self.kubectl.cluster(words).await,
            Step::Registry(words) => registry_faults::answer(words).await,
            Step::Database(connections) => self.make_database(*connections).await,
            Step::Sql(statements) => {
                let url = self.database.as_deref().ok_or("the step `database` comes first")?;
                database::sql(url, statements).await.map(drop)
            }
            Step::Wait(words) => self.kubectl.call(&format!("wait --timeout=900s {words}")).await.map(drop),
            Step::See(see) => self.kubectl.see(see).await,
        }
    }

    async fn apply(&self, objects: &[Value]) -> Result<(), String> {
        for object in objects {
            self.kubectl.input(&["apply", "--server-side", "-f", "-"], &object.to_string()).await?;
        }
        Ok(())
    }

    async fn make_database(&mut self, connections: u32) -> Result<(), String> {
        let state = std::env::var("BACKSTAY_CLUSTER_STATE").unwrap_or_default();
        let name = self.kubectl.namespace();
        let url = database::create(&["--state", &state], name, &format!("pw-of-{name}"), connections).await?;
        let host = url.rsplit_once('@').and_then(|(_, rest)| rest.split_once(':')).map(|(host, _)| host);
        let data = json!({"DATABASE_URL": url, "DATABASE_HOST": host});
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}, "stringData": data});
        self.database = Some(url);
        self.apply(&[secret]).await
    }

    async fn ship(&mut self, patch: &Value) -> Result<(), String> {
        let patch = if patch.is_null() { "{}".to_owned() } else { patch.to_string() };
        if self.runs {
            self.kubectl.output(&["patch", "deployment/web", "--type=strategic", "--patch", &patch]).await?;
            return Ok(());
        }
        let base = self.base.display().to_string();
        let local = ["patch", "--local", "-f", &base, "--type=strategic", "--patch", &patch, "-o", "json"];
        let deployment = self.kubectl.output(&local).await?;
        self.runs = true;
        self.kubectl.input(&["apply", "-f", "-"], &deployment).await.map(drop)
    }
}
