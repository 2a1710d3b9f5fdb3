//! The program as people call it: usage, exit codes, and one clear line for what goes wrong.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

#[path = "cli/cluster.rs"]
mod cluster;
#[path = "cli/diagnose.rs"]
mod diagnose;
#[path = "cli/named.rs"]
mod named;

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rstest::rstest;

const PROGRAM: &str = env!("CARGO_BIN_EXE_backstay");

fn run(program: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    // Nothing of the caller's clusters, and no color.
    command.env_clear().env("HOME", "/nonexistent").args(args).stdin(Stdio::null());
    command.output().unwrap()
}

fn backstay(args: &[&str]) -> Output {
    run(Path::new(PROGRAM), args)
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A kubeconfig for a port of this machine on which nothing listens.
fn nowhere(name: &str) -> String {
    kubeconfig(name, "https://127.0.0.1:1")
}

fn kubeconfig(name: &str, server: &str) -> String {
    let path = folder(name).join("kubeconfig");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         contexts: [{{name: c, context: {{cluster: c, user: u, namespace: shop}}}}]\n\
         clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\nusers: [{{name: u, user: {{}}}}]\n"
    );
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn the_plugin_shows_how_kubectl_calls_it() {
    let link = folder("plugin").join("kubectl-backstay");
    let _ = fs::remove_file(&link);
    symlink(PROGRAM, &link).unwrap();
    let usage = out(&run(&link, &["incident", "show", "--help"]));
    assert!(usage.contains("Usage: kubectl backstay incident show [OPTIONS] <NAME>"), "{usage}");
    let usage = out(&backstay(&["incident", "show", "--help"]));
    assert!(usage.contains("Usage: backstay incident show [OPTIONS] <NAME>"), "{usage}");
}

#[rstest]
#[case(&["incident", "--help"])]
#[case(&["incident", "list", "--help"])]
#[case(&["incident", "show", "--help"])]
#[case(&["incident", "approve", "--help"])]
#[case(&["policy", "explain", "--help"])]
#[case(&["policy", "lint", "--help"])]
#[case(&["frozen", "--help"])]
#[case(&["selftest", "--help"])]
#[case(&["diagnose", "--help"])]
#[case(&["completions", "--help"])]
#[case(&["man", "--help"])]
fn help_is_for_people(#[case] args: &[&str]) {
    let output = backstay(args);
    assert_eq!(output.status.code(), Some(0));
    let name = args.join("_").replace("_--help", "");
    insta::assert_snapshot!(name, out(&output));
}

#[rstest]
#[case(&["incident", "show"])]
#[case(&["incident", "show", "pod/web"])]
#[case(&["incident", "list", "-o", "xml"])]
#[case(&["policy", "explain", "statefulset/web"])]
#[case(&["policy", "lint"])]
#[case(&["frobnicate"])]
fn wrong_usage_ends_with_two(#[case] args: &[&str]) {
    let output = backstay(args);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).starts_with("error: "), "{}", err(&output));
}

#[rstest]
#[case("list", &["incident", "list"], "listing incidents in namespace shop")]
#[case("all", &["incident", "list", "-A"], "listing incidents in all namespaces")]
#[case("show", &["incident", "show", "web-1"], "reading incident shop/web-1")]
#[case("deny", &["incident", "deny", "web-1", "-n", "pay"], "reading incident pay/web-1")]
#[case("explain", &["policy", "explain", "web"], "in namespace shop")]
#[case("frozen", &["frozen"], "listing Deployments in namespace shop")]
#[case("frozen-all", &["frozen", "-A"], "listing Deployments in all namespaces")]
#[case("selftest", &["selftest"], "asking for the version")]
#[case("diagnose", &["diagnose"], "listing pods in namespace shop")]
#[case("diagnose_all", &["diagnose", "-A"], "listing pods in all namespaces")]
fn a_cluster_that_does_not_answer_is_one_line_and_a_hint(
    #[case] name: &str,
    #[case] args: &[&str],
    #[case] doing: &str,
) {
    let config = nowhere(name);
    let output = backstay(&[args, &["--kubeconfig", &config]].concat());
    let said = err(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("backstay: ") && lines[0].contains(doing), "{said}");
    assert!(lines[0].contains("https://127.0.0.1:1 does not answer: ") && lines[0].contains("refused"), "{said}");
    assert!(lines[1].starts_with("hint: "), "{said}");
    assert_eq!(out(&output), "");
}

#[test]
fn a_kubeconfig_that_is_not_there_is_named() {
    let output = backstay(&["incident", "list", "--kubeconfig", "/nonexistent/config"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        err(&output).starts_with("backstay: reading kubeconfig /nonexistent/config: No such file"),
        "{}",
        err(&output)
    );
    let config = nowhere("context");
    let output = backstay(&["incident", "list", "--kubeconfig", &config, "--context", "other"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("other"), "{}", err(&output));
}

#[test]
fn without_any_configuration_the_way_to_name_one_is_said() {
    let output = backstay(&["incident", "list"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).contains("hint: name a kubeconfig"), "{}", err(&output));
}

#[test]
fn lint_ends_with_what_it_found() {
    let folder = folder("lint");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let head = "apiVersion: backstay.dev/v1alpha1\nkind: IncidentPolicy\nmetadata: {name: a}\nspec:\n  selector: {matchLabels: {a: b}}\n";
    let good = write("good.yaml", head);
    let bad = write("bad.yaml", &format!("{head}  mode: Sometimes\n"));
    let doubtful = write("doubtful.yaml", &format!("{head}  rules: [{{name: a}}, {{name: b}}]\n"));
    let broken = write("broken.yaml", "kind: [\n");
    let other = write("other.yaml", "kind: ConfigMap\n");
    let code = |args: &[&str]| backstay(&[&["policy", "lint", "-f"], args].concat()).status.code();
    assert_eq!(code(&[&good]), Some(0));
    assert_eq!(code(&[&good, &bad]), Some(1));
    assert_eq!(code(&[&doubtful]), Some(0));
    assert_eq!(code(&[&doubtful, "--strict"]), Some(1));
    assert_eq!(code(&[&good, &broken]), Some(2));
    assert_eq!(code(&[&other]), Some(2));
    assert_eq!(code(&["/nonexistent.yaml"]), Some(2));
    let output = backstay(&["policy", "lint", "-f", &good, "-f", &bad]);
    assert_eq!(
        out(&output),
        format!(
            "{bad}:6:9: error: spec.mode: Sometimes is not one of Enforce, Observe\npolicies 2: errors 1, warnings 0\n"
        )
    );
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let mut child = Command::new(PROGRAM).arg("crds").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), err(&output)), (Some(0), String::new()));
}

/// A pod of no Deployment; its container is ready, or it crashes.
#[test]
fn shells_accept_the_completions() {
    for (shell, checker) in [("bash", "bash"), ("zsh", "zsh"), ("fish", "fish")] {
        let script = out(&backstay(&["completions", shell]));
        assert!(script.contains("diagnose") && script.contains("no-color"), "{shell}");
        let path = folder("completions").join(shell);
        fs::write(&path, script).unwrap();
        // Bash is everywhere; the others are checked where they are.
        match Command::new(checker).arg("-n").arg(&path).output() {
            Ok(checked) => assert!(checked.status.success(), "{shell}: {}", err(&checked)),
            Err(error) => assert_ne!(shell, "bash", "{error}"),
        }
    }
}

#[test]
fn every_command_has_a_manual_page() {
    assert!(out(&backstay(&["man"])).contains(".TH backstay 1"));
    let folder = folder("man");
    let output = backstay(&["man", "--out", &folder.display().to_string()]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let page = fs::read_to_string(folder.join("backstay-diagnose.1")).unwrap();
    assert!(page.contains("kubectl get"), "{page}");
}
