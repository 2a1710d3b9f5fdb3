//! The end of a log for people: the last error and the last lines, bounded, cleaned and redacted.

use super::line;
use crate::engine::text;

/// Most bytes of an excerpt.
pub const MAX_EXCERPT: usize = 3072;
/// Lines of it.
const LINES: usize = 20;
/// Of these so many from the last error on, where that stands further up.
const OF_ERROR: usize = 6;
/// Most bytes of one line.
const MAX_LINE: usize = 256;
/// A longer line is read by itself.
const MAX_READ: usize = 8192;
/// Stands where lines are left out.
const GAP: &str = "…";

/// What to keep of a log whose last error is at line `error`.
pub fn excerpt(log: &[u8], error: Option<u32>) -> Box<str> {
    let (log, _) = line::bounded(log);
    let lines = line::lines(log).map(|(number, line)| (number, line::unstamped(line).1));
    let lines: Vec<(u32, &[u8])> = lines.filter(|(_, line)| !line.trim_ascii().is_empty()).collect();
    let last = lines.len().saturating_sub(LINES);
    let error = error.and_then(|error| lines.iter().position(|(number, _)| *number >= error));
    let Some(error) = error.filter(|error| *error < last) else {
        return fitted(&[], &shown(lines.get(last..).unwrap_or_default()));
    };
    let end = error + OF_ERROR;
    if last <= end {
        return fitted(&[], &shown(lines.get(error..).unwrap_or_default()));
    }
    let mut first = shown(lines.get(error..end).unwrap_or_default());
    first.push(GAP.into());
    fitted(&first, &shown(lines.get(last + OF_ERROR..).unwrap_or_default()))
}

/// Lines as they may be shown. They are redacted together, since a key may span several, and before they are cut.
fn shown(lines: &[(u32, &[u8])]) -> Vec<Box<str>> {
    let texts: Vec<String> = (lines.iter())
        .map(|(_, line)| {
            let whole = String::from_utf8_lossy(line);
            if line.len() <= MAX_READ {
                text::strip(&whole, ' ').replace('\n', " ")
            } else {
                text::shown(&whole, MAX_LINE).replace('\n', " ")
            }
        })
        .collect();
    let text = text::redact(&texts.join("\n")).into_owned();
    text.lines().map(|line| text::clean(line, MAX_LINE)).collect()
}

/// As many of the lines as there is room for: `first` go before, and of `last` the last.
fn fitted(first: &[Box<str>], last: &[Box<str>]) -> Box<str> {
    let size = |lines: &[Box<str>]| lines.iter().map(|line| line.len() + 1).sum::<usize>();
    let mut room = MAX_EXCERPT.saturating_sub(size(first));
    let fits = |size: &usize| {
        let left = room.checked_sub(*size);
        room = left.unwrap_or(0);
        left.is_some()
    };
    let kept = last.iter().rev().map(|line| line.len() + 1).take_while(fits).count();
    let last = last.get(last.len() - kept..).unwrap_or_default();
    let all: Vec<&str> = first.iter().chain(last).map(|line| &**line).collect();
    all.join("\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(lines: usize) -> String {
        (1..=lines).map(|n| format!("2026-01-02T03:04:05Z line {n}\n")).collect()
    }

    #[test]
    fn the_last_lines_are_kept_without_their_stamps() {
        assert_eq!(&*excerpt(b"", None), "");
        assert_eq!(&*excerpt(log(2).as_bytes(), None), "line 1\nline 2");
        assert_eq!(&*excerpt(b"2026-01-02T03:04:05Z a\n2026-01-02T03:04:05Z \n\n2026-01-02T03:04:05Z b", None), "a\nb");
        let long = excerpt(log(500).as_bytes(), None);
        assert_eq!((long.lines().count(), long.lines().next()), (LINES, Some("line 481")));
    }

    #[test]
    fn an_error_further_up_is_kept_too() {
        let kept = excerpt(log(500).as_bytes(), Some(100));
        let lines: Vec<&str> = kept.lines().collect();
        assert_eq!(
            lines.get(..8),
            Some(&["line 100", "line 101", "line 102", "line 103", "line 104", "line 105", "…", "line 487"][..])
        );
        assert_eq!(lines.last(), Some(&"line 500"));
        // Close to the end nothing is told twice, and nothing is left out.
        let kept = excerpt(log(500).as_bytes(), Some(479));
        assert_eq!(kept.lines().collect::<Vec<_>>(), (479..=500).map(|n| format!("line {n}")).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_secret_and_nothing_odd_gets_in() {
        let mut log = format!(
            "{}\n\x1b[31mpassword=hunter2\x1b[0m\n-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n",
            "x".repeat(300)
        )
        .into_bytes();
        log.extend(b"\xff\x07end\n");
        let kept = excerpt(&log, None);
        assert!(!kept.contains("hunter2") && !kept.contains("MIIEvQ") && kept.ends_with("end"), "{kept}");
        assert!(kept.lines().all(|line| line.len() <= MAX_LINE) && !kept.contains('\x1b'), "{kept}");
    }

    #[test]
    fn a_secret_across_the_place_of_a_cut_is_taken_out_whole() {
        let line = format!("{} token={} {}", "a".repeat(100), "s3cr3t".repeat(60), "b".repeat(90));
        assert!(!excerpt(line.as_bytes(), None).contains("s3cr3t"));
    }

    #[test]
    fn it_is_bounded_and_keeps_its_end() {
        let log: String = (1..=100).map(|n| format!("{n} {}\n", "ü".repeat(500))).collect();
        for error in [None, Some(3)] {
            let kept = excerpt(log.as_bytes(), error);
            assert!(kept.len() <= MAX_EXCERPT, "{}", kept.len());
            assert!(kept.lines().last().is_some_and(|line| line.starts_with("100 ")), "{kept}");
            assert_eq!(kept.starts_with("3 "), error.is_some());
        }
    }
}
