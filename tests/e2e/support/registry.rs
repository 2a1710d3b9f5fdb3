//! A registry of a test's own, which can go down.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Where it listens, in the node's network; the containerd of `tests/cluster` knows that it speaks plain HTTP.
const ADDRESS: &str = "localhost:5001";

/// The registry of the test cluster, as another process that holds the test application.
pub struct Registry(Child);

impl Registry {
    pub async fn start() -> Self {
        let mut command = Command::new(program("registry"));
        command.args(["--listen", "127.0.0.1:5001"]).stdout(Stdio::piped()).kill_on_drop(true);
        let mut process = command.spawn().expect("the registry starts");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next_line().await.expect("it can be read").expect("it says where it listens");
        assert!(first.contains("listening on"), "{first}");
        // Whoever writes to a pipe that nobody empties stands still.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self::fill().await;
        Self(process)
    }

    async fn fill() {
        let tar = Path::new(env!("CARGO_TARGET_TMPDIR")).join("registry-down.tar");
        let (tar, binary) = (tar.display().to_string(), program("testapp").display().to_string());
        let image = image("v1");
        for arguments in [&["--binary", &binary, "--name", &image, "--out", &tar][..], &["--push", &tar]] {
            let done = Command::new(program("image")).args(arguments).output().await.expect("the program image runs");
            assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
    }

    /// Ends it; nothing listens there when this returns.
    pub async fn end(mut self) {
        self.0.kill().await.expect("the registry ends");
    }
}

/// What an image in it is called.
pub fn image(tag: &str) -> String {
    format!("{ADDRESS}/testapp:{tag}")
}

/// One of the programs that `tests/cluster/build` makes.
fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/cluster/bin").join(name)
}
