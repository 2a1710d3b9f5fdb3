//! Whether a line that stands first in a log is all of a line, or the rest of one that was cut in two.

use super::{last, level, line, shape};

/// How much of a line is looked at.
const MAX_LOOKED_AT: usize = 256;

/// The line begins as programs and runtimes begin theirs: with a time, a level, an object in JSON, or what is said of an
/// error that nobody caught. What may be the rest of a line does not count, and where a line begins so nothing is missing
/// that would tell of a secret in it. A stamp of the API server before it does
/// not count.
pub fn is_whole(line: &[u8]) -> bool {
    let (_, said) = line::unstamped(line);
    let said = said.trim_ascii_end();
    let looked_at = String::from_utf8_lossy(said.get(..MAX_LOOKED_AT).unwrap_or(said));
    let brackets = said.iter().take_while(|byte| **byte == b'[').count();
    let word = shape::first_word(said.get(brackets..).unwrap_or_default());
    said.starts_with(b"{\"") && said.ends_with(b"}")
        || line::stamp(said).is_some()
        || level::of_word(word).is_some()
        || last::is_uncaught(&looked_at)
        || matches!(shape::of_line(said), shape::Shape::Traceback | shape::Shape::Exception)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::go("panic: runtime error: invalid memory address or nil pointer dereference", true)]
    #[case::java("Exception in thread \"main\" java.lang.IllegalStateException: no datasource", true)]
    #[case::java_alone("java.net.ConnectException: Connection refused", true)]
    #[case::python("Traceback (most recent call last):", true)]
    #[case::rust("thread 'main' panicked at src/main.rs:4:5:", true)]
    #[case::json(r#"{"level":"info","msg":"up"}"#, true)]
    #[case::level("INFO listening", true)]
    #[case::level_in_brackets("[ERROR] no such table", true)]
    #[case::time("2026-01-02T03:04:05.123456Z 2026-01-02T03:04:05.123Z up", true)]
    #[case::rest_of_a_secret("2026-01-02T03:04:05.123456789Z hunter2 host=db", false)]
    #[case::rest_of_an_object("hunter2\",\"level\":\"error\"}", false)]
    #[case::object_whose_end_is_elsewhere(r#"{"level":"info","msg":"up"#, false)]
    #[case::prose("listening on port 8080", false)]
    #[case::nothing("", false)]
    fn a_line_begins_as_lines_do(#[case] line: &str, #[case] expected: bool) {
        assert_eq!(is_whole(line.as_bytes()), expected);
    }
}
