//! How severe a line says it is.

/// How severe a line is; the order is that of severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Fatal,
}

/// How much of a line is searched for its level; what stands further behind is said, not meant.
const MAX_PREFIX: usize = 120;

/// The level that a word stands for, in any case.
pub fn of_word(word: &str) -> Option<Level> {
    let is = |words: &[&str]| words.iter().any(|w| word.eq_ignore_ascii_case(w));
    if is(&["debug", "trace", "verbose", "dbg", "trc", "finest", "finer", "fine", "vrb", "dbug"]) {
        Some(Level::Debug)
    } else if is(&["info", "information", "informational", "inf", "notice", "note", "log", "system", "default"]) {
        Some(Level::Info)
    } else if is(&["warn", "warning", "wrn"]) {
        Some(Level::Warning)
    } else if is(&["error", "err", "severe", "fail", "eror"]) {
        Some(Level::Error)
    } else if is(&["fatal", "critical", "crit", "alert", "emerg", "emergency", "panic", "dpanic", "ftl", "pnc", "crt"])
    {
        Some(Level::Fatal)
    } else {
        None
    }
}

/// The level that a number stands for: those of bunyan and pino count up in tens, those of syslog down from 7.
pub fn of_number(number: u64) -> Option<Level> {
    Some(match number {
        0..=2 => Level::Fatal,
        3 => Level::Error,
        4 => Level::Warning,
        5 | 6 => Level::Info,
        7 | 10..=20 => Level::Debug,
        21..=30 => Level::Info,
        31..=40 => Level::Warning,
        41..=50 => Level::Error,
        51..=100 => Level::Fatal,
        _ => return None,
    })
}

/// The level that a line of plain text begins with, if it names one.
pub fn of_line(line: &str) -> Option<Level> {
    let line = crate::engine::text::head(line, MAX_PREFIX);
    of_letter(line).or_else(|| {
        let mut from = 0;
        for word in line.split(|c: char| !c.is_ascii_alphanumeric()) {
            let level = (3..=13).contains(&word.len()).then(|| of_word(word)).flatten();
            if let Some(level) = level.filter(|_| is_mark(line, from, word)) {
                return Some(level);
            }
            from += word.len() + 1;
        }
        None
    })
}

/// `E0102 15:04:05` of klog, `E, [2024-01-02` of Ruby's logger.
fn of_letter(line: &str) -> Option<Level> {
    let mut bytes = line.bytes();
    let level = match bytes.next()? {
        b'D' => Level::Debug,
        b'I' => Level::Info,
        b'W' => Level::Warning,
        b'E' => Level::Error,
        b'F' => Level::Fatal,
        _ => return None,
    };
    let rest = line.get(1..)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    ((digits == 4 && rest.get(4..5) == Some(" ")) || rest.starts_with(", [")).then_some(level)
}

/// The word is put there as a level and not said in a sentence: in capitals, in brackets, as the value of `level=`, or
/// before a colon at the beginning.
fn is_mark(line: &str, at: usize, word: &str) -> bool {
    let before = line.get(..at).unwrap_or_default();
    let after = line.get(at + word.len()..).unwrap_or_default();
    let capitals = word.bytes().all(|b| b.is_ascii_uppercase());
    if word.eq_ignore_ascii_case("log") || word.eq_ignore_ascii_case("note") || word.eq_ignore_ascii_case("system") {
        return (capitals && after.starts_with(':')) || (before.ends_with('[') && after.starts_with(']'));
    }
    let bracketed = (before.ends_with(['[', '<', '(']) && after.starts_with([']', '>', ')', ' ']))
        || (before.ends_with(':') && after.starts_with(']'));
    let assigned = ["level=", "lvl=", "severity=", "level=\"", "lvl=\"", "severity=\"", "level: ", "level\":\""]
        .iter()
        .any(|key| {
            before.len() >= key.len()
                && before.get(before.len() - key.len()..).is_some_and(|b| b.eq_ignore_ascii_case(key))
        });
    let first = before.trim().is_empty() && after.starts_with(':') && !after.starts_with("::");
    let between_tabs = before.ends_with('\t') && after.starts_with('\t');
    let named = before.ends_with(": ") && after.starts_with(": ");
    capitals || bracketed || assigned || first || between_tabs || named
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2024-01-02 03:04:05.678  INFO 1 --- [main] c.e.App : up", Some(Level::Info))]
    #[case("2024-01-02T03:04:05Z ERROR app: down", Some(Level::Error))]
    #[case("[2024-01-02 03:04:05] [12] [CRITICAL] Worker failed to boot.", Some(Level::Fatal))]
    #[case("2024/01/02 03:04:05 [emerg] 1#1: bind() to 0.0.0.0:80 failed", Some(Level::Fatal))]
    #[case("[core:error] [pid 1] AH00072", Some(Level::Error))]
    #[case("time=\"2024-01-02T03:04:05Z\" level=warning msg=\"slow\"", Some(Level::Warning))]
    #[case("ts=1 LEVEL=debug msg=x", Some(Level::Debug))]
    #[case("E0102 03:04:05.678 1 main.go:3] failed", Some(Level::Error))]
    #[case("F, [2024-01-02T03:04:05 #1] FATAL -- : down", Some(Level::Fatal))]
    #[case("ERROR:root:boom", Some(Level::Error))]
    #[case("2024-01-02 03:04:05 UTC [1] LOG:  database system is ready", Some(Level::Info))]
    #[case("2024-01-02 03:04:05 UTC [1] FATAL:  the database system is starting up", Some(Level::Fatal))]
    #[case("2024-01-02T03:04:05.678Z 0 [ERROR] [MY-010119] [Server] Aborting", Some(Level::Error))]
    #[case("3:04AM INF listening", Some(Level::Info))]
    #[case("[03:04:05 ERR] boom", Some(Level::Error))]
    #[case("fail: Microsoft.Hosting[6]", Some(Level::Error))]
    #[case("info: Microsoft.Hosting.Lifetime[14]", Some(Level::Info))]
    #[case("SEVERE: Servlet.service() threw", Some(Level::Error))]
    #[case("2024-01-02\terror\tserver/main.go:3\tfailed", Some(Level::Error))]
    #[case("2024-01-02 03:04:05 - app - WARNING - slow", Some(Level::Warning))]
    #[case("starting, info about errors and debug follows", None)]
    #[case("panic: runtime error: index out of range", Some(Level::Fatal))]
    #[case("java.lang.Error: x", None)]
    #[case("std::error::Error", None)]
    #[case("the LOG says NOTE", None)]
    #[case("", None)]
    fn levels_are_told_from_words(#[case] line: &str, #[case] level: Option<Level>) {
        assert_eq!(of_line(line), level);
    }
}
