//! The release that `tests/e2e/operator` installed, through the programs that people use.

use std::path::{Path, PathBuf};

use tokio::process::Command;

/// Where the release is installed.
pub const NAMESPACE: &str = "backstay-system";

/// Runs helm in the release's namespace; gives whether it succeeded, and all it printed.
pub async fn run(arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new("helm");
    command.envs(homes());
    output(command.args(["-n", NAMESPACE]).args(arguments)).await
}

/// The same with kubectl.
pub async fn kubectl(arguments: &[&str]) -> (bool, String) {
    output(Command::new("kubectl").args(["-n", NAMESPACE]).args(arguments)).await
}

/// Variables that keep helm away from the folders of whoever runs the tests.
pub fn homes() -> [(String, PathBuf); 3] {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
    ["CACHE", "CONFIG", "DATA"].map(|part| (format!("HELM_{part}_HOME"), home.join(part)))
}

async fn output(command: &mut Command) -> (bool, String) {
    let output = command.kill_on_drop(true).output().await.unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// The chart's folder.
pub fn chart() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/helm/backstay").display().to_string()
}
