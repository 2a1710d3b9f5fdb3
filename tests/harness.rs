//! The scripts of the tests themselves, where a mistake of theirs would harm somebody or hide a failure.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::client::Body;
use kube::runtime::watcher;
use kube::{Api, Client};
use rstest::rstest;
use serde_json::{Value, json};

#[path = "e2e/support/kubeconfig.rs"]
mod kubeconfig;
#[path = "e2e/support/wait.rs"]
#[allow(dead_code)]
mod wait;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn scratch(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The end-to-end tests on this cluster, with nothing in PATH that could build anything.
fn end_to_end(kubeconfig: &Path) -> Output {
    let mut command = Command::new(root().join("tests/e2e/run"));
    command.env_clear().env("PATH", "/usr/bin:/bin").env("BACKSTAY_TEST_KUBECONFIG", kubeconfig);
    command.stdin(Stdio::null()).output().expect("the script runs")
}

#[rstest]
#[case("production", "apiVersion: v1\nkind: Config\ncurrent-context: production\n")]
#[case("quoted", "current-context: \"my-kind-cluster\"\n")]
#[case("none", "apiVersion: v1\nkind: Config\n")]
#[case("empty", "current-context: \"\"\n")]
fn a_cluster_that_is_not_plainly_for_tests_is_refused_before_anything_is_done(#[case] name: &str, #[case] text: &str) {
    let output = end_to_end(&scratch(&format!("kubeconfig-{name}"), text));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is not plainly a test cluster (kind-… or backstay-test-…)"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_kubeconfig_that_is_not_there_is_named() {
    let output = end_to_end(Path::new("/nonexistent/config"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("there is no file /nonexistent/config"), "{said}");
}

/// A complete kubeconfig whose current context has this name, beside a context for tests.
fn complete(context: &str) -> String {
    let entry = |name: &str| format!("- {{name: {name}, context: {{cluster: here, user: me}}}}\n");
    let server =
        "clusters:\n- {name: here, cluster: {server: 'https://127.0.0.1:1'}}\nusers:\n- {name: me, user: {}}\n";
    let contexts: String = ["kind-kind", context].iter().map(|name| entry(name)).collect();
    format!("apiVersion: v1\nkind: Config\ncurrent-context: {context}\n{server}contexts:\n{contexts}")
}

/// The tests with simulated nodes delete Backstay's definitions, and the bench fills its cluster.
#[rstest]
#[case("production", false)]
#[case("backstay", false)]
#[case("my-kind-cluster", false)]
#[case("backstay-test-faults", true)]
#[case("kind-kind", true)]
#[tokio::test]
async fn the_test_programs_themselves_refuse_it_too(#[case] context: &str, #[case] taken: bool) {
    let path = scratch(&format!("complete-{context}"), &complete(context));
    match kubeconfig::of_test_cluster(&path).await {
        Ok(config) => assert!(taken, "{context}: {}", config.cluster_url),
        Err(error) => {
            assert!(!taken, "{context}: {error:#}");
            assert!(error.to_string().contains("is not plainly a test cluster"), "{error:#}");
        }
    }
}

/// No other way into a cluster, which the check above would not see.
#[test]
fn a_cluster_is_chosen_in_one_place_only() {
    let outside = ["tests/e2e", "tests/faults", "bench"].map(|folder| files(&root().join(folder)));
    let mut seen = 0;
    for path in outside.into_iter().flatten().filter(|path| path.extension().is_some_and(|e| e == "rs")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let chooses = ["Config::infer", "try_default", "Kubeconfig::", "from_kubeconfig"];
        let found: Vec<_> = chooses.into_iter().filter(|call| text.contains(call)).collect();
        let own = path.ends_with("support/kubeconfig.rs");
        seen += usize::from(own);
        assert!(own || found.is_empty(), "{}: {found:?}", path.display());
    }
    assert_eq!(seen, 1);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Docker gets what `.dockerignore` lets in, and a file that is missing there may change the program without a word.
#[test]
fn docker_builds_from_every_file_that_cargo_reads() {
    let text = std::fs::read_to_string(root().join(".dockerignore")).unwrap();
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.next(), Some("*"), "all is left out but what follows");
    let let_in: Vec<&str> = lines.map(|line| line.strip_prefix('!').expect("only exceptions follow")).collect();
    // What cargo and the compiler take from the folder by name, and the compiler's list of what the library is made of.
    let by_name = [".cargo/config.toml", "Cargo.lock", "build.rs", "rust-toolchain.toml"].map(PathBuf::from);
    let by_name = by_name.into_iter().filter(|path| root().join(path).exists());
    let missing: Vec<_> = by_name
        .chain(sources_of_the_library())
        .filter(|path| !let_in.iter().any(|folder| path.starts_with(folder)))
        .collect();
    assert!(missing.is_empty(), "docker build does not get {missing:?}");
    // Whether the manifest is complete with that only cargo knows. A program that does not exist costs no compiling: cargo
    // finds that out when it has read everything.
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker");
    let _ = std::fs::remove_dir_all(&copy);
    std::fs::create_dir_all(&copy).unwrap();
    let copied = Command::new("cp").arg("-a").args(&let_in).arg(&copy).current_dir(root()).status().unwrap();
    assert!(copied.success());
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--offline", "--locked", "--bin", "no-such-program"]).current_dir(&copy);
    let said = command.output().unwrap().stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("no bin target named `no-such-program`"), "{said}");
}

/// Of the build that these tests are made with, relative to the project's folder. What clippy leaves in the same place is
/// passed over: it makes no library.
fn sources_of_the_library() -> Vec<PathBuf> {
    let built = Path::new(env!("CARGO_BIN_EXE_backstay")).with_file_name("deps");
    let lists = files(&built).into_iter().filter(|path| path.extension().is_some_and(|e| e == "d"));
    let lists = lists.filter_map(|path| {
        let name = path.file_stem()?.to_str()?.strip_prefix("backstay-")?;
        built.join(format!("libbackstay-{name}.rlib")).exists().then_some(())?;
        let written = path.metadata().ok()?.modified().ok()?;
        Some((written, std::fs::read_to_string(&path).ok()?))
    });
    let (_, newest) = lists.max().expect("cargo writes what a library is made of beside it");
    let rule = newest.lines().find(|line| line.contains("/libbackstay-")).unwrap();
    let sources: Vec<PathBuf> = rule.split_whitespace().skip(1).map(PathBuf::from).collect();
    assert!(sources.len() > 50, "{sources:?}");
    sources
}

/// The highest version of Go that a module of the test cluster asks for.
fn go_wanted() -> Vec<u32> {
    let modules =
        files(&root().join("tests/cluster")).into_iter().filter(|path| path.extension().is_some_and(|e| e == "mod"));
    let texts = modules.map(|path| std::fs::read_to_string(path).unwrap());
    let versions = texts.filter_map(|text| {
        let version = text.lines().find_map(|line| line.strip_prefix("go "))?;
        Some(version.split('.').map(|part| part.parse().unwrap()).collect())
    });
    versions.max().expect("modules that ask for a version")
}

fn version(parts: &[u32]) -> String {
    parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")
}

/// The build must not fail on a Go that the doctor has found good, since it lets Go fetch no newer one.
#[test]
fn the_doctor_asks_for_the_go_that_every_module_of_the_test_cluster_can_be_built_with() {
    let wanted = go_wanted();
    let [rest @ .., patch] = &*wanted else { panic!("no version") };
    let before = [rest, &[patch.checked_sub(1).unwrap_or_default()]].concat();
    let newer = [rest, &[patch + 1]].concat();
    for (is, good) in [(&before, *patch == 0), (&wanted, true), (&newer, true)] {
        let said = doctor_on_go(&version(is));
        let refusal = format!("missing: Go {} or newer, this is {}", version(&wanted), version(is));
        assert_eq!(!said.contains(&refusal), good, "Go {}: {said}", version(is));
    }
    for document in ["CONTRIBUTING.md", "tests/cluster/README.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        assert!(text.contains(&format!("Go {} or newer", version(&wanted))), "{document}");
    }
}

fn doctor_on_go(version: &str) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("go-{version}"));
    std::fs::create_dir_all(&folder).unwrap();
    let go = folder.join("go");
    std::fs::write(&go, format!("#!/bin/sh\necho go{version}\n")).unwrap();
    std::fs::set_permissions(&go, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path =
        std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
    let output = Command::new(root().join(".ci/doctor")).env("PATH", path.unwrap()).output().expect("the script runs");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What `.ci/count.sh` makes of a step's output.
#[rstest]
#[case("check", 0, "", "1 0")]
#[case("check", 1, "", "0 1")]
#[case(
    "suite",
    0,
    "test result: ok. 3 passed; 0 failed; 0 ignored;\ntest result: ok. 2 passed; 0 failed; 1 ignored;\n",
    "5 0"
)]
#[case("suite", 101, "test result: FAILED. 3 passed; 1 failed; 0 ignored;\n", "3 1")]
#[case("suite", 0, "7 passed, 0 failed\n", "7 0")]
// A suite that breaks without a failed test, one that runs none, and a program that gave no result are failures.
#[case("suite", 2, "test result: ok. 3 passed; 0 failed; 0 ignored;\n", "3 1")]
#[case("suite", 0, "", "0 1")]
#[case("suite", 0, "     Running tests/a.rs (target/a)\n", "0 1")]
fn results_are_counted(#[case] kind: &str, #[case] code: u8, #[case] log: &str, #[case] counted: &str) {
    let path = scratch(&format!("count-{kind}-{code}-{}", log.len()), log);
    let script = "set -euo pipefail; source .ci/count.sh; count \"$1\" \"$2\" \"$3\"";
    let mut command = Command::new("bash");
    command.args(["-c", script, "count", kind, &code.to_string(), path.to_str().unwrap()]).current_dir(root());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), counted, "{}", String::from_utf8_lossy(&output.stderr));
}

/// What is to hold for a while does not hold where nothing was seen of it, and not if it is broken at the very end.
#[rstest]
#[case::all_the_time([Some("good"), Some("good")], None)]
#[case::of_nothing([None, None], Some("nothing was seen"))]
#[case::gone_unseen([Some("good"), None], Some("nothing is there at the end"))]
#[case::broken_from_the_start([Some("bad"), Some("bad")], Some("broken at sight 1"))]
#[case::broken_unseen([Some("good"), Some("bad")], Some("broken at sight 2"))]
#[tokio::test(start_paused = true)]
async fn a_rule_holds_only_for_what_was_seen(#[case] listings: [Option<&str>; 2], #[case] broken: Option<&str>) {
    let api: Api<ConfigMap> = Api::namespaced(server(listings), "shop");
    let rule = |object: &ConfigMap| match object.metadata.name.as_deref() {
        Some("good") => Ok(()),
        name => Err(format!("{name:?} is not good")),
    };
    let held = wait::holds(&api, watcher::Config::default(), "it is good", Duration::from_secs(60), rule);
    let said = AssertUnwindSafe(held).catch_unwind().await.map_err(|panic| *panic.downcast::<String>().unwrap());
    match broken {
        None => assert_eq!(said, Ok(())),
        Some(words) => assert!(said.as_ref().is_err_and(|said| said.contains(words)), "{said:?}"),
    }
}

/// An API server that lists one object or none, in one listing after the other, and tells nothing to whoever watches.
fn server(listings: [Option<&str>; 2]) -> Client {
    let object = |name: &str| json!({"metadata": {"name": name, "namespace": "shop"}});
    let list = |name: Option<&str>| {
        let items: Vec<Value> = name.into_iter().map(object).collect();
        json!({"apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": "1"}, "items": items})
    };
    let rest = Arc::new(Mutex::new(listings.map(list).into_iter()));
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let rest = rest.clone();
        async move {
            if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
                std::future::pending::<()>().await;
            }
            let next = rest.lock().unwrap().next().expect("no more listings than are told");
            Ok::<_, std::convert::Infallible>(http::Response::new(Body::from(next.to_string().into_bytes())))
        }
    });
    Client::new(service, "shop")
}
