//! Whether an error speaks of something else that could not be reached or did not answer in time, in words that no table
//! has.
//!
//! Where that is open, it does: going back does not bring up what a program calls. An error of a kind that comes of the
//! code alone is left to that, whatever words its message holds.

use super::last::Kind;
use super::shape;
use crate::engine::words::Cause;

/// What an error says that came of a call in vain.
const UNREACHED: &[&str] = &[
    "connect to",
    "connecting to",
    "connect failed",
    "connect error",
    "connect timeout",
    "connect timed out",
    "failed to connect",
    "unable to connect",
    "could not connect",
    "couldn't connect",
    "cannot connect",
    "can't connect",
    "not connected",
    "connection to ",
    "connection aborted",
    "connection attempt failed",
    "connection closed",
    "connection error",
    "connection failed",
    "connection failure",
    "connection lost",
    "connection refused",
    "connection reset",
    "connection timed out",
    "connection timeout",
    "lost connection",
    "unable to reach ",
    "failed to reach ",
    "not reach ",
    "n't reach ",
    "not reachable",
    "is unreachable",
    "are unreachable",
    "host unreachable",
    "hosts unreachable",
    "network unreachable",
    "unreachable host",
    "unreachable: ",
    "no route to host",
    "no brokers",
    "transport failure",
    "tcp provider: ",
    "sending to the backend",
    "login timeout",
    "pre-login handshake",
    "econnrefused",
    "econnreset",
    "ehostunreach",
    "etimedout",
];
/// What an error says that came of an answer that was not given in time.
const LATE: &[&str] = &[
    "timed out",
    "timeout after",
    "timeout connecting",
    "timeout during",
    "timeout elapsed",
    "timeout exceeded",
    "timeout expired",
    "timeout of ",
    "timeout period",
    "timeout waiting",
    "timeout while",
    "i/o timeout",
    "read timeout",
    "request timeout",
    "gateway timeout",
    "exceeded timeout",
    "deadline exceeded",
    "deadline_exceeded",
    "deadlineexceeded",
    "value: elapsed(",
    "timedout",
    "status code 502",
    "status code 503",
    "status code 504",
    "503 server error",
    "service unavailable",
    "service temporarily unavailable",
];
/// The same of lines that are only logged or printed, which may speak of anything.
const UNREACHED_AS_LOGGED: &[&str] = &[
    "could not connect to",
    "couldn't connect to",
    "cannot connect to",
    "can't connect to",
    "failed to connect to",
    "unable to connect to",
    "error connecting to",
    "failed connecting to",
    "connection refused",
    "connection timed out",
    "connection timeout",
    "connect timeout",
    "login timeout expired",
    "transport failure",
];
const LATE_AS_LOGGED: &[&str] = &["i/o timeout", "request timed out", "read timed out", "deadline_exceeded"];
/// What errors say that came of the code or a setting.
const OF_ITSELF: &[&str] = &[
    "runtime error: ",
    "assertion failed",
    "assertion `",
    "index out of",
    "nil pointer",
    "must be ",
    "\" is null",
    "of undefined",
    "of null",
    "is undefined",
    "is not defined",
    "nonetype",
    "no attribute",
    "not a function",
    "not implemented",
    "unexpected keyword",
    "on a `none` value",
    "unreachable code",
    "unreachable case",
    "reach here",
    "reach this",
    "flag redefined",
    "unknown flag",
    "unknown option",
    "missing ",
    "invalid argument",
    "invalid value",
    "invalid timeout",
    "invalid connection string",
    "invalid url",
    "invalid uri",
    "invalid dsn",
    "invalid port",
];
/// Kinds of errors that come of the code alone, in lower case and without the ending.
const OF_CODE: &[&str] = &[
    "argument",
    "argumentnull",
    "argumentoutofrange",
    "arithmetic",
    "arrayindexoutofbounds",
    "assertion",
    "attribute",
    "classcast",
    "classnotfound",
    "format",
    "frozen",
    "functionclause",
    "illegalargument",
    "import",
    "index",
    "indexoutofbounds",
    "indexoutofrange",
    "invalidcast",
    "key",
    "keynotfound",
    "match",
    "modulenotfound",
    "name",
    "noclassdeffound",
    "nomethod",
    "nosuchelement",
    "nosuchmethod",
    "notimplemented",
    "nullpointer",
    "nullreference",
    "numberformat",
    "range",
    "recursion",
    "reference",
    "stackoverflow",
    "syntax",
    "type",
    "unboundlocal",
    "undefinedfunction",
    "unsupportedoperation",
    "validation",
    "value",
    "zerodivision",
];
/// How the names of errors end.
const ENDINGS: &[&str] = &["Error", "Exception", "Failure", "Fault", "Timeout"];
/// How many words of an error may come before its name.
const MAX_WORDS: usize = 24;

/// What went wrong elsewhere, if that is what the error speaks of.
pub fn of_error(kind: Kind, text: &str) -> Option<Cause> {
    let name = name(text).unwrap_or_default().to_ascii_lowercase();
    let said = text.to_ascii_lowercase();
    let holds = |words: &[&str]| words.iter().any(|words| said.contains(words));
    if is_of_code(&name) || holds(OF_ITSELF) {
        return None;
    }
    let thrown = kind >= Kind::Fatal || is_thrown(text);
    let unreached = if thrown { holds(UNREACHED) || names_a_call(&name) } else { holds(UNREACHED_AS_LOGGED) };
    let late = if thrown {
        holds(LATE) || said.ends_with(": timeout") || ["timeout", "timedout"].iter().any(|word| name.contains(word))
    } else {
        holds(LATE_AS_LOGGED)
    };
    match (unreached, late) {
        (true, _) => Some(Cause::DependencyUnreachable),
        (false, true) => Some(Cause::UpstreamTimeout),
        (false, false) => None,
    }
}

/// It begins with the name of an error, as loggers print one below their line.
fn is_thrown(text: &str) -> bool {
    let name = first(text).filter(|name| name.contains('.')).map(last_part);
    shape::is_exception(text.as_bytes()) || name.is_some_and(|name| name.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// The first word, if a colon or nothing follows it.
fn first(text: &str) -> Option<&str> {
    let first = text.split_whitespace().next()?;
    (first.ends_with(':') || first.len() == text.len()).then(|| first.trim_end_matches(':'))
}

/// The name of the error without what it is part of: the first word that ends as such names do, what Ruby puts last in
/// brackets, or the word before the first colon.
fn name(text: &str) -> Option<&str> {
    let apart = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '"' | '\'' | ',' | ';' | '=');
    let words = || text.split(apart).map(|word| word.trim_end_matches(':')).filter(|word| !word.is_empty());
    let named = words().take(MAX_WORDS).map(last_part).find(|word| {
        word.starts_with(|c: char| c.is_ascii_uppercase()) && ENDINGS.iter().any(|ending| word.ends_with(ending))
    });
    let of_ruby = || text.strip_suffix(')')?.rsplit_once(" (").map(|(_, name)| last_part(name));
    named.or_else(of_ruby).or_else(|| first(text).map(last_part))
}

fn last_part(name: &str) -> &str {
    name.rsplit(['.', ':', '$', '\\', '/']).next().unwrap_or(name)
}

/// `name` is in lower case.
fn is_of_code(name: &str) -> bool {
    let stem = name.strip_suffix("error").or_else(|| name.strip_suffix("exception"));
    stem.is_some_and(|stem| OF_CODE.contains(&stem))
}

/// `AMQPConnectionError`, `NoBrokersAvailable`; that a connection was not set up in the settings is another matter.
fn names_a_call(name: &str) -> bool {
    let of_settings = ["notfound", "notset", "string", "config", "invalid"].iter().any(|word| name.contains(word));
    let calls = ["connect", "nobrokers", "unreachable", "unavailable"].iter().any(|word| name.contains(word));
    calls && !of_settings
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("kafka.errors.NoBrokersAvailable: NoBrokersAvailable", Some(Cause::DependencyUnreachable))]
    #[case("pika.exceptions.AMQPConnectionError", Some(Cause::DependencyUnreachable))]
    #[case("java.net.ConnectException: null", Some(Cause::DependencyUnreachable))]
    #[case("java.net.ConnectException", Some(Cause::DependencyUnreachable))]
    #[case(
        "app.rb:3:in 'x': nothing is there (Bunny::TCPConnectionFailedForAllHosts)",
        Some(Cause::DependencyUnreachable)
    )]
    #[case("panic: etcdserver: request timed out", Some(Cause::UpstreamTimeout))]
    #[case("TimeoutError", Some(Cause::UpstreamTimeout))]
    #[case("Error: 4 DEADLINE_EXCEEDED", Some(Cause::UpstreamTimeout))]
    #[case("socket.timeout: too slow", Some(Cause::UpstreamTimeout))]
    #[case("panic: upload: timeout", Some(Cause::UpstreamTimeout))]
    #[case("AxiosError: Request failed with status code 503", Some(Cause::UpstreamTimeout))]
    #[case("AxiosError: Request failed with status code 500", None)]
    #[case(
        "thread 'main' panicked at src/main.rs:9:40: called `Result::unwrap()` on an `Err` value: Io(Kind(TimedOut))",
        Some(Cause::UpstreamTimeout)
    )]
    #[case("KeyError: 'timeout'", None)]
    #[case("ValueError: could not connect to None", None)]
    #[case("System.ArgumentNullException: Value cannot be null. (Parameter 'connection to use')", None)]
    #[case(
        "Exception in thread \"main\" java.lang.NullPointerException: Cannot invoke \"a.ConnectionPool.take()\"",
        None
    )]
    #[case("Error: connection timeout must be a number", None)]
    #[case("panic: runtime error: connection to x: index out of range", None)]
    #[case("thread 'main' panicked at src/connection.rs:5:9: assertion failed: timed out", None)]
    #[case("ConnectionNotFoundError: Connection \"default\" was not found.", None)]
    #[case("RuntimeError: tenant 5 has no plan", None)]
    #[case("thread 'main' panicked at src/main.rs:3:5: internal error: entered unreachable code", None)]
    #[case("panic: unreachable", None)]
    #[case("Error: Unreachable case: 3", None)]
    #[case("panic: should not reach here", None)]
    #[case("AssertionFailure: shouldn't reach this", None)]
    #[case("panic: /app/web flag redefined: timeout", None)]
    #[case("FATAL unknown flag: --timeout", None)]
    #[case("RuntimeError: missing setting READ_TIMEOUT", None)]
    #[case("RuntimeError: the network is unreachable", Some(Cause::DependencyUnreachable))]
    #[case("", None)]
    fn an_error_speaks_of_what_it_calls_or_of_itself(#[case] text: &str, #[case] cause: Option<Cause>) {
        assert_eq!(of_error(Kind::Uncaught, text), cause);
    }

    #[rstest]
    #[case("2026-01-02 ERROR main: could not connect to the ledger", Some(Cause::DependencyUnreachable))]
    #[case("2026/01/02 03:04:05 etcdserver: request timed out", Some(Cause::UpstreamTimeout))]
    #[case("a.b.BrokerException: timed out", Some(Cause::UpstreamTimeout))]
    #[case("kafka.errors.NoBrokersAvailable: NoBrokersAvailable", Some(Cause::DependencyUnreachable))]
    #[case(
        "org.postgresql.util.PSQLException: An I/O error occurred while sending to the backend.",
        Some(Cause::DependencyUnreachable)
    )]
    #[case("customer.7: the session timed out", None)]
    #[case("ERROR the session of customer 7 timed out", None)]
    #[case("ERROR could not reach any contact of customer 7", None)]
    fn what_is_only_logged_may_speak_of_anything(#[case] text: &str, #[case] cause: Option<Cause>) {
        assert_eq!(of_error(Kind::Error, text), cause);
    }
}
