//! Databases on the PostgreSQL of the test cluster, which `tests/cluster/cluster postgres` starts.

use std::path::Path;

use tokio::process::Command;

/// What the service of `tests/cluster/orders` must find. The stock lasts longer than any test.
const SCHEMA: &str = "\
    CREATE TABLE orders (id bigserial PRIMARY KEY, item text NOT NULL, cents int NOT NULL, discount int);\
    CREATE TABLE stock (item text PRIMARY KEY, pieces int NOT NULL);\
    INSERT INTO stock VALUES ('cup', 1000000), ('plate', 1000000);";

/// Makes a database with what the service needs, and a role that owns it and may have so many connections; both are of one
/// name. `cluster` are words that name the cluster. Gives the URL by which the role connects.
pub async fn create(cluster: &[&str], name: &str, password: &str, connections: u32) -> Result<String, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/cluster");
    let server = run(Command::new(script).arg("postgres").args(cluster)).await?;
    // A cluster that was kept may have them of the time before.
    sql(&server, &format!("DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)")).await?;
    sql(&server, &format!("DROP ROLE IF EXISTS \"{name}\"")).await?;
    sql(&server, &format!("CREATE ROLE \"{name}\" LOGIN PASSWORD '{password}' CONNECTION LIMIT {connections}")).await?;
    sql(&server, &format!("CREATE DATABASE \"{name}\" OWNER \"{name}\"")).await?;
    let address = server.rsplit_once('@').and_then(|(_, address)| address.rsplit_once('/'));
    let (address, _) = address.ok_or_else(|| format!("{server} is no URL of a database"))?;
    let url = format!("postgres://{name}:{password}@{address}/{name}");
    sql(&url, SCHEMA).await?;
    Ok(url)
}

/// Carries out statements, and gives what they answer.
pub async fn sql(url: &str, statements: &str) -> Result<String, String> {
    let quietly = ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"];
    run(Command::new("psql").arg(url).args(quietly).args(["--command", statements])).await
}

async fn run(command: &mut Command) -> Result<String, String> {
    let output = command.kill_on_drop(true).output().await.map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}
