//! Whole logs, as programs of many kinds leave them: `ended/` of runs that are over, `running/` of programs that go on.
//! A file is named after the cause that it is to be read as, `None` where it says nothing. What is missed and what is
//! seen where nothing is counts per cause.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../support/scores.rs"]
mod scores;

use std::fs;
use std::path::Path;

use backstay::engine::logs;
use backstay::engine::words::Cause;
use scores::Scores;

const NONE: &str = "None";

/// A log that was read: the file, what it should and what it did say.
struct Case {
    file: String,
    expected: String,
    found: String,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (folder, ended) in [("ended", true), ("running", false)] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs").join(folder);
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_stem().unwrap().to_string_lossy().into_owned();
            let reading = logs::read(&fs::read(&path).unwrap());
            let found = reading.lead(ended).map_or(NONE.to_owned(), |lead| lead.cause.to_string());
            let expected = file.split("--").next().unwrap().to_owned();
            cases.push(Case { file, expected, found });
        }
    }
    cases.sort_by(|a, b| a.file.cmp(&b.file));
    cases
}

#[test]
fn every_log_is_read_as_what_it_says() {
    let cases = cases();
    print(&cases);
    let wrong: Vec<String> = (cases.iter())
        .filter(|case| case.found != case.expected)
        .map(|case| format!("{}: {}", case.file, case.found))
        .collect();
    assert!(cases.len() > 50, "the logs have moved");
    assert!(wrong.is_empty(), "read as something else:\n{}", wrong.join("\n"));
}

/// Of every cause how much is read, and how much of what is read is right.
fn print(cases: &[Case]) {
    let mut scores = Scores::default();
    for case in cases {
        scores.add(std::slice::from_ref(&case.expected), std::slice::from_ref(&case.found));
    }
    scores.print(&format!("Causes in {} logs", cases.len()));
}

/// The last words and the innermost reason of logs whose reason is not on their last line.
#[test]
fn the_innermost_reason_is_found_in_stack_traces() {
    let root = |file: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/logs/ended").join(file);
        let reading = logs::read(&fs::read(path).unwrap());
        (reading.fatal.unwrap().text.into_string(), reading.root.unwrap().text.into_string())
    };
    for (file, fatal, innermost) in [
        (
            "DependencyUnreachable--hikari-innermost.log",
            "2026-01-02 03:04:35.001 ERROR 1 --- [           main] o.s.boot.SpringApplication               : Application run failed",
            "java.net.ConnectException: Connection refused",
        ),
        (
            "SchemaMismatch--python-chain.log",
            "sqlalchemy.exc.ProgrammingError: (psycopg2.errors.UndefinedColumn) column orders.discount does not exist",
            "sqlalchemy.exc.ProgrammingError: (psycopg2.errors.UndefinedColumn) column orders.discount does not exist",
        ),
        (
            "Panic--rust.log",
            "thread 'main' (12) panicked at src/main.rs:14:27: index out of bounds: the len is 3 but the index is 7",
            "thread 'main' (12) panicked at src/main.rs:14:27: index out of bounds: the len is 3 but the index is 7",
        ),
        (
            "DependencyUnreachable--rust-anyhow.log",
            "Error: cannot prepare the store",
            "Connection refused (os error 111)",
        ),
        (
            "TlsFailure--node-cause.log",
            "TypeError: fetch failed",
            "Error: self-signed certificate in certificate chain",
        ),
        (
            "DependencyUnreachable--node-unhandled.log",
            "Error: connect ECONNREFUSED 10.0.0.5:5432",
            "Error: connect ECONNREFUSED 10.0.0.5:5432",
        ),
        (
            "DependencyUnreachable--dotnet-inner.log",
            "Unhandled exception. System.Net.Http.HttpRequestException: Connection refused (orders:8080)",
            "System.Net.Sockets.SocketException (111): Connection refused",
        ),
        (
            "DnsFailure--java-json-stack.log",
            "Application run failed",
            "java.net.UnknownHostException: orders: Name or service not known",
        ),
        (
            "Panic--go-nil.log",
            "panic: runtime error: invalid memory address or nil pointer dereference",
            "panic: runtime error: invalid memory address or nil pointer dereference",
        ),
    ] {
        assert_eq!(root(file), (fatal.to_owned(), innermost.to_owned()), "{file}");
    }
}

/// Every cause that a log can name has a log that names it.
#[test]
fn every_cause_of_logs_is_shown() {
    let shown: Vec<String> = cases().into_iter().map(|case| case.expected).collect();
    use Cause::*;
    for cause in [
        PoolExhausted,
        TooManyConnections,
        DatabaseDeadlock,
        DatabaseLockTimeout,
        SchemaMismatch,
        MigrationFailed,
        DatabaseAuth,
        DatabaseUnavailable,
        DependencyUnreachable,
        DnsFailure,
        TlsFailure,
        UpstreamTimeout,
        KubernetesForbidden,
        ConfigError,
        MissingCode,
        WrongArchitecture,
        CommandNotFound,
        PortInUse,
        PermissionDenied,
        StorageFull,
        RuntimeOutOfMemory,
        Panic,
        NativeCrash,
    ] {
        assert!(shown.contains(&cause.to_string()), "{cause}");
    }
}
