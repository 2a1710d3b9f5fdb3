//! `backstay diagnose` on what was saved.

use super::*;

fn pod(name: &str, crashes: bool) -> String {
    let state = match crashes {
        true => {
            r#""waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1, "reason": "Error", "startedAt": "2026-03-01T10:00:08Z", "finishedAt": "2026-03-01T10:00:09Z"}"#
        }
        false => r#""running": {"startedAt": "2026-03-01T10:00:01Z"}"#,
    };
    let (ready, word) = (!crashes, if crashes { "False" } else { "True" });
    format!(
        r#"{{"apiVersion": "v1", "kind": "Pod",
        "metadata": {{"name": "{name}", "namespace": "shop", "uid": "{name}", "creationTimestamp": "2026-03-01T10:00:00Z"}},
        "spec": {{"nodeName": "n1", "containers": [{{"name": "web"}}]}},
        "status": {{"phase": "Running", "conditions": [{{"type": "Ready", "status": "{word}"}}], "containerStatuses": [
            {{"name": "web", "ready": {ready}, "started": {ready}, "restartCount": 3, "state": {{{state}}}}}]}}}}"#
    )
}

fn diagnose(args: &[&str], stdin: Option<&str>) -> Output {
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("HOME", "/nonexistent").arg("diagnose").args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(stdin.unwrap_or_default().as_bytes()).unwrap();
    drop(pipe);
    child.wait_with_output().unwrap()
}

#[test]
fn diagnose_ends_with_what_it_found() {
    let folder = folder("diagnose");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = write("good.json", &pod("good", false));
    let bad = write("bad.json", &pod("bad", true));
    let none = write("none.json", r#"{"kind": "List", "items": []}"#);
    let other = write("other.json", r#"{"kind": "ConfigMap", "metadata": {"name": "a"}}"#);
    let broken = write("broken.json", "{\"kind\":");
    let code = |args: &[&str]| diagnose(args, None).status.code();
    assert_eq!(code(&["-f", &good]), Some(0));
    assert_eq!(code(&["-f", &none]), Some(0));
    assert_eq!(code(&["-f", &good, &bad]), Some(1));
    assert_eq!(code(&["-f", &good, "-f", &bad, "-o", "json"]), Some(1));
    assert_eq!(code(&["pod/good", "-f", &good, &bad]), Some(0));
    assert_eq!(code(&["pod/none", "-f", &good, &bad]), Some(2));
    assert_eq!(code(&["-n", "shop", "-f", &good]), Some(0));
    assert_eq!(code(&["-n", "pay", "-f", &none]), Some(0));
    let output = diagnose(&["-n", "pay", "-f", &good], None);
    let said = "backstay: finding workloads in namespace pay: there is none; those given are in shop\n";
    assert_eq!((output.status.code(), err(&output), out(&output)), (Some(2), said.to_owned(), String::new()));
    for unusable in [&other, &broken, "/nonexistent.json"] {
        let output = diagnose(&["-f", &good, unusable], None);
        let expected = if unusable == other { Some(0) } else { Some(2) };
        assert_eq!(output.status.code(), expected, "{}", err(&output));
    }
    let output = diagnose(&["-f", &broken], None);
    assert_eq!(err(&output), format!("backstay: {broken}:1:8: the JSON ends too early\n"));
    let output = diagnose(&["-f", &other], None);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(err(&output).lines().count(), 2, "{}", err(&output));
}

#[test]
fn what_could_not_be_read_is_not_said_to_be_well() {
    let folder = folder("diagnose-odd");
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    };
    let (good, bad) = (write("good.json", &pod("good", false)), write("bad.json", &pod("bad", true)));
    let odd = pod("good-odd", true).replace("\"restartCount\": 3", "\"restartCount\": \"5\"");
    let odd = write("odd.json", &odd);
    let elsewhere = write("elsewhere.json", &pod("well", false).replace("shop", "pay"));
    let other = write("other.json", r#"{"kind": "Event", "metadata": {"name": 7}}"#);
    let code = |args: &[&str]| diagnose(args, None).status.code();

    let output = diagnose(&["-f", &good, &odd], None);
    let screen = out(&output);
    assert_eq!((output.status.code(), err(&output)), (Some(2), String::new()));
    assert!(screen.starts_with("Nothing that could be read is failing: 1 is Healthy.\n"), "{screen}");
    let told = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("(Pod/shop/good-odd) was left out: invalid type: string \"5\", expected i32"), "{screen}");
    assert!(
        told.ends_with("1 object of a workload was left out, so it cannot be said that nothing is failing"),
        "{screen}"
    );
    let output = diagnose(&["-f", &good, &odd, "-o", "json"], None);
    assert_eq!((output.status.code(), err(&output).lines().count()), (Some(2), 2), "{}", err(&output));
    let output = diagnose(&["-f", &good, &odd, "-o", "markdown"], None);
    assert!(out(&output).starts_with("Nothing that could be read is failing: 1 workloads"), "{}", out(&output));

    assert_eq!(code(&["-f", &good, &odd, &bad]), Some(1));
    assert_eq!(code(&["pod/good", "-f", &good, &odd]), Some(2));
    assert_eq!(code(&["-n", "shop", "-f", &elsewhere, &good, &odd]), Some(2));
    // What was not asked for, and what is no part of a workload, takes nothing from the answer.
    assert_eq!(code(&["pod/well", "-f", &elsewhere, &odd]), Some(0));
    assert_eq!(code(&["-n", "pay", "-f", &elsewhere, &odd]), Some(0));
    assert_eq!(code(&["-f", &good, &other]), Some(0));
    for arguments in [["pod/good-odd", "-f", &good, &odd], ["-n=shop", "-f", &elsewhere, &odd]] {
        let output = diagnose(&arguments, None);
        assert_eq!(output.status.code(), Some(2));
        assert!(err(&output).contains(" was left out: invalid type: string") && err(&output).lines().count() == 1);
    }
}

#[test]
fn a_reader_of_errors_that_has_gone_is_no_panic() {
    let objects = folder("diagnose-stderr").join("bad.json").display().to_string();
    fs::write(&objects, format!("[{}, 7]", pod("bad", true))).unwrap();
    for (code, args) in
        [(1, ["diagnose", "-o", "json", "-f", &objects]), (2, ["diagnose", "-n", "pay", "-f", &objects])]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(PROGRAM);
        command.env_clear().env("HOME", "/nonexistent").args(args).stdout(Stdio::null()).stderr(writer);
        assert_eq!(command.status().unwrap().code(), Some(code));
    }
}

#[test]
fn colour_comes_on_a_terminal_and_can_be_turned_off() {
    let objects = folder("diagnose-colour").join("bad.json").display().to_string();
    fs::write(&objects, pod("bad", true)).unwrap();
    let coloured = |text: &str| text.contains("CrashLoopBackOff") && text.contains('\u{1b}');
    let plain = |text: &str| text.contains("CrashLoopBackOff") && !text.contains('\u{1b}');
    assert!(plain(&out(&diagnose(&["-f", &objects], None))), "a pipe is no terminal");
    for (flag, expected) in [("", &coloured as &dyn Fn(&str) -> bool), ("--no-color", &plain)] {
        let call = format!("'{PROGRAM}' diagnose {flag} -f '{objects}'");
        let mut command = Command::new("script");
        command.env("TERM", "xterm").env_remove("NO_COLOR").args(["-qec", &call, "/dev/null"]).stdin(Stdio::null());
        let output = command.output();
        let output = output.unwrap_or_else(|e| panic!("`script` of Debian's bsdutils, which gives a terminal: {e}"));
        assert_eq!(output.status.code(), Some(1), "{}", err(&output));
        assert!(expected(&out(&output)), "{flag}: {:?}", out(&output));
    }
}

#[test]
fn diagnose_reads_standard_input() {
    let output = diagnose(&["-f", "-", "-o", "json"], Some(&pod("bad", true)));
    let report: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(report["workloads"][0]["findings"][0]["cause"], "ApplicationError");
    assert_eq!((output.status.code(), err(&output)), (Some(1), String::new()));
    let output = diagnose(&["-f", "-", "-o", "yaml"], Some(&format!("[{}, 7]", pod("bad", true))));
    assert!(out(&output).starts_with("schema: backstay.dev/diagnosis/v1\n"), "{}", out(&output));
    assert_eq!(err(&output), "backstay: standard input: items[1] was left out: it is no object\n");
}

#[test]
fn diagnose_reads_logs_that_somebody_saved() {
    let folder = folder("diagnose-logs");
    let logs = folder.join("logs");
    // Of an earlier run of this test.
    let _ = fs::remove_dir_all(&logs);
    fs::create_dir_all(&logs).unwrap();
    let objects = folder.join("bad.json").display().to_string();
    fs::write(&objects, pod("bad", true)).unwrap();
    let arguments = ["-f", &objects, "--logs", logs.to_str().unwrap(), "-o", "json"];

    let output = diagnose(&arguments, None);
    assert_eq!(err(&output), "backstay: 1 more log would tell more and is not there: bad_web.log\n");
    assert_eq!(output.status.code(), Some(1));

    let line = "FATAL postgres://app:hunter2@db/shop: pq: relation \"orders\" does not exist";
    fs::write(logs.join("bad_web.log"), "listening on :8080\n").unwrap();
    fs::write(logs.join("bad_web.previous.log"), format!("starting\n{line}\n")).unwrap();
    let output = diagnose(&arguments, None);
    let report: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
    let finding = &report["workloads"][0]["findings"][0];
    assert_eq!(
        (finding["class"].as_str(), finding["cause"].as_str()),
        (Some("CrashLoopBackOff"), Some("SchemaMismatch"))
    );
    assert_eq!(finding["evidence"][1]["source"], "pod/bad log[web] line 2");
    let said = finding["evidence"][1]["text"].as_str().unwrap();
    assert!(said.ends_with("pq: relation \"orders\" does not exist") && !said.contains("hunter2"), "{said}");
    assert_eq!((output.status.code(), err(&output)), (Some(1), String::new()));
}

#[test]
fn a_file_of_alerts_that_cannot_be_read_is_named() {
    let folder = folder("diagnose-alerts");
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        folder.join(name).display().to_string()
    };
    let objects = write("bad.json", &pod("bad", true));
    let (good, broken) = (write("good.json", "[]"), write("broken.json", "[{"));
    let output = diagnose(&["-f", &objects, "--alerts", &good], None);
    assert_eq!((output.status.code(), err(&output)), (Some(1), String::new()));
    let with_objects = ["-f", &objects, "--alerts", &broken];
    // Nor is a cluster asked that is not there.
    for arguments in [&with_objects[..], &["--alerts", &broken]] {
        let output = diagnose(arguments, None);
        let said = err(&output);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        assert!(said.starts_with(&format!("backstay: {broken}:1:2: no JSON, such as ")), "{said}");
    }
}

#[test]
fn a_folder_of_logs_that_cannot_be_read_is_named() {
    let objects = folder("diagnose-no-logs").join("bad.json").display().to_string();
    fs::write(&objects, pod("../bad", true)).unwrap();
    let output = diagnose(&["-f", &objects, "--logs", "/nonexistent"], None);
    assert_eq!(output.status.code(), Some(2));
    assert!(err(&output).starts_with("backstay: reading /nonexistent: "), "{}", err(&output));
    // A name that leads out of the folder is not followed, nor is it said to be missing.
    let output = diagnose(&["-f", &objects, "--logs", "/tmp", "-o", "json"], None);
    assert_eq!((output.status.code(), err(&output)), (Some(1), String::new()));
}

#[rstest]
#[case(&["diagnose", "--logs", "/tmp"])]
#[case(&["diagnose", "service/web"])]
#[case(&["diagnose", "-o", "xml"])]
#[case(&["diagnose", "-A", "-n", "shop"])]
#[case(&["diagnose", "--now", "yesterday", "-f", "x"])]
#[case(&["diagnose", "--now", "2026-03-01T10:00:00Z"])]
#[case(&["completions", "tcsh"])]
fn wrong_usage_of_diagnose_ends_with_two(#[case] args: &[&str]) {
    let output = backstay(args);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    assert!(err(&output).starts_with("error: "), "{}", err(&output));
}
