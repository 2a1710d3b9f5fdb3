//! What takes a failure back: a program that says that it got through after all was not stopped by what it met before.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::engine::words::Cause;

/// It reached what it had called in vain, or went on to serve.
const REACHED: &[&str] = &[
    "connected to",
    "successfully connected",
    "connected successfully",
    "connection established",
    "connection successful",
    "connection restored",
    "connection recovered",
    "reconnected",
    "connection is back",
    ": pong",
    "is now available",
    "is available again",
    "listening on",
    "listening at",
    "uvicorn running on",
    "server started",
    "application startup complete",
    "ready to accept connections",
    "ready to serve",
    "startup complete",
    "tomcat started on",
    "seconds (process running for",
    "seconds (jvm running for",
    "start completed.",
];
/// An attempt that was repeated went well.
const REPEATED: &[&str] =
    &["retry succeeded", "succeeded after", "succeeded on attempt", "completed after", "recovered after"];
/// Words that make the opposite of it.
const DENIALS: &[&str] = &[
    "not ",
    "n't ",
    "fail",
    "unable",
    "disconnected",
    "could",
    "cannot",
    "lost",
    "error",
    "refused",
    "waiting",
    "until",
    "before",
];

/// Kinds of services by the names and ports they go by. A success with one says nothing of another.
const SERVICES: &[&[&str]] = &[
    &["postgres", "pgbouncer", "5432"],
    &["mysql", "mariadb", "3306"],
    &["sql server", "mssql", "1433"],
    &["mongo", "27017"],
    &["redis", "valkey", "6379"],
    &["kafka", "9092"],
    &["rabbit", "amqp", "5672"],
    &["elastic", "opensearch", "9200"],
    &["nats", "4222"],
    &["zookeeper", "2181"],
    &["memcached", "11211"],
    &["vault", "8200"],
];
/// What may be any of the first five.
const DATABASE: &[&str] = &["database", " db ", "db:", " db.", "jdbc"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Success {
    Reached,
    Repeated,
}

static AUTOMATON: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = REACHED.iter().chain(REPEATED);
    AhoCorasick::builder().ascii_case_insensitive(true).kind(Some(AhoCorasickKind::DFA)).build(words).ok()
});

/// Whether a line tells of a success.
pub fn of_line(line: &[u8]) -> Option<Success> {
    let found = AUTOMATON.as_ref()?.find(line)?;
    let start = found.start().saturating_sub(64);
    let around = line.get(start..line.len().min(found.end().saturating_add(64)))?.to_ascii_lowercase();
    let denied = DENIALS.iter().any(|denial| contains(&around, denial));
    let what = if found.pattern().as_usize() < REACHED.len() { Success::Reached } else { Success::Repeated };
    (!denied).then_some(what)
}

/// Whether the success takes back that `cause` was met, given the lines of both.
pub fn takes_back(success: Success, cause: Cause, failure: &str, line: &[u8]) -> bool {
    let of_reaching = matches!(
        cause,
        Cause::DependencyUnreachable
            | Cause::DnsFailure
            | Cause::TlsFailure
            | Cause::DatabaseUnavailable
            | Cause::TooManyConnections
            | Cause::UpstreamTimeout
    );
    let fits = of_reaching || success == Success::Repeated;
    fits && may_be_one(&services(failure.as_bytes()), &services(line))
}

/// A line names a service by its kind or its port.
pub fn names_a_service(line: &[u8]) -> bool {
    !services(line).is_empty()
}

/// Which services a line names, by their place in the list; all databases where it names just a database.
fn services(line: &[u8]) -> Vec<usize> {
    let line = line.to_ascii_lowercase();
    let named = SERVICES.iter().enumerate().filter(|(_, names)| names.iter().any(|name| contains(&line, name)));
    let mut named: Vec<usize> = named.map(|(at, _)| at).collect();
    if named.is_empty() && DATABASE.iter().any(|name| contains(&line, name)) {
        named.extend(0..4);
    }
    named
}

fn may_be_one(a: &[usize], b: &[usize]) -> bool {
    a.is_empty() || b.is_empty() || a.iter().any(|one| b.contains(one))
}

/// `line` is in lower case.
fn contains(line: &[u8], words: &str) -> bool {
    line.windows(words.len()).any(|window| window == words.as_bytes())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const REFUSED: &str = "dial tcp 10.0.0.5:5432: connect: connection refused";

    #[rstest]
    #[case("Connected to postgres", true)]
    #[case("INFO connected to database after 3 attempts", true)]
    #[case("Connected to redis at cache:6379", false)]
    #[case("listening on :8080", true)]
    #[case("INFO redis: PONG", false)]
    #[case("INFO db: PONG", true)]
    #[case("Started Server", false)]
    #[case("not connected to postgres", false)]
    #[case("waiting until connected to postgres", false)]
    #[case("disconnected", false)]
    #[case("retry succeeded", true)]
    fn a_success_takes_back_what_it_may_be_about(#[case] line: &str, #[case] takes: bool) {
        let success = of_line(line.as_bytes());
        let cause = Cause::DependencyUnreachable;
        assert_eq!(success.is_some_and(|s| takes_back(s, cause, REFUSED, line.as_bytes())), takes);
    }

    #[test]
    fn a_connection_takes_no_deadlock_back() {
        let line = b"connected to postgres";
        assert!(!takes_back(of_line(line).unwrap(), Cause::DatabaseDeadlock, "deadlock detected", line));
        let line = b"transaction succeeded after 2 attempts";
        assert!(takes_back(of_line(line).unwrap(), Cause::DatabaseDeadlock, "deadlock detected", line));
    }
}
