//! A database of a test's own, on the PostgreSQL of the test cluster, and the service that uses it.

use serde_json::{Value, json};

use super::app::App;
use super::case::Case;
use super::postgres_server;

/// A database with a role that owns it; both are called after the test's namespace.
pub struct Database {
    /// How the role connects, with its password.
    url: String,
    pub password: String,
}

impl Database {
    /// Makes the database, and the Secret `database` that holds its URL. The role may have so many connections.
    pub async fn create(t: &Case, connections: u32) -> Self {
        let cluster = std::env::var("BACKSTAY_CLUSTER_NAME").expect("tests/e2e/run names the cluster");
        let password = format!("pw-of-{}", t.namespace);
        let made = postgres_server::create(&["--name", &cluster], &t.namespace, &password, connections).await;
        let database = Self { url: made.unwrap_or_else(|why| panic!("{why}")), password };
        let url = json!({"DATABASE_URL": database.url});
        t.apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}, "stringData": url}))
            .await;
        database
    }

    /// Carries out statements in the database, and gives what they answer.
    pub async fn sql(&self, statements: &str) -> String {
        postgres_server::sql(&self.url, statements).await.unwrap_or_else(|why| panic!("{why}"))
    }
}

/// The service that `tests/cluster/orders` is.
pub fn orders() -> App {
    App::new().image("localhost:5000/orders:v1").container(json!({"envFrom": [from_secret()]}))
}

/// An init container that carries out a statement before the service starts.
pub fn migration(statement: &str) -> Value {
    json!({
        "name": "migrate", "image": "localhost:5000/orders:v1", "args": ["migrate", statement], "envFrom": [from_secret()],
    })
}

fn from_secret() -> Value {
    json!({"secretRef": {"name": "database"}})
}
