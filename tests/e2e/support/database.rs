//! A database of a test's own, on the PostgreSQL of the test cluster, and the service that uses it.

use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use super::app::App;
use super::case::Case;

/// What the service must find. The stock lasts longer than any test.
const SCHEMA: &str = "\
    CREATE TABLE orders (id bigserial PRIMARY KEY, item text NOT NULL, cents int NOT NULL, discount int);\
    CREATE TABLE stock (item text PRIMARY KEY, pieces int NOT NULL);\
    INSERT INTO stock VALUES ('cup', 1000000), ('plate', 1000000);";

/// A database with a role that owns it; both are called after the test's namespace.
pub struct Database {
    /// How the role connects, with its password.
    url: String,
    pub password: String,
}

impl Database {
    /// Makes the database, and the Secret `database` that holds its URL. The role may have so many connections.
    pub async fn create(t: &Case, connections: u32) -> Self {
        let server = server().await;
        let name = &t.namespace;
        let password = format!("pw-of-{name}");
        sql(&server, &format!("CREATE ROLE \"{name}\" LOGIN PASSWORD '{password}' CONNECTION LIMIT {connections}"))
            .await;
        sql(&server, &format!("CREATE DATABASE \"{name}\" OWNER \"{name}\"")).await;
        let (_, address) = server.rsplit_once('@').expect("a URL with a user");
        let (address, _) = address.rsplit_once('/').expect("a URL with a database");
        let database = Self { url: format!("postgres://{name}:{password}@{address}/{name}"), password };
        database.sql(SCHEMA).await;
        let url = json!({"DATABASE_URL": database.url});
        t.apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}, "stringData": url}))
            .await;
        database
    }

    /// Carries out statements in the database, and gives what they answer.
    pub async fn sql(&self, statements: &str) -> String {
        sql(&self.url, statements).await
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

/// By which URL the server is administered; it is started if it does not run.
async fn server() -> String {
    let cluster = std::env::var("BACKSTAY_CLUSTER_NAME").expect("tests/e2e/run names the cluster");
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/cluster"));
    run(command.args(["postgres", "--name", &cluster])).await
}

async fn sql(url: &str, statements: &str) -> String {
    let mut command = Command::new("psql");
    let quietly = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"];
    run(command.arg(url).args(quietly).args(["--command", statements])).await
}

async fn run(command: &mut Command) -> String {
    let output = command.kill_on_drop(true).output().await.unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
