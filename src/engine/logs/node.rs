//! How Node reports an error that nobody caught: the place, the code there, a mark below it, and the error, whose
//! message may have empty lines and begin as any line does.

/// How many lines the message may have before its first frame.
const MAX_MESSAGE: u32 = 16;

/// What a line of such a report is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The mark, two lines below the place.
    Mark,
    /// Of the error and its message.
    Message,
}

/// Follows a log line by line.
#[derive(Debug, Default)]
pub struct Report<'a> {
    before: [&'a [u8]; 2],
    /// How many more lines the message may have.
    left: u32,
}

impl<'a> Report<'a> {
    pub fn step(&mut self, line: &'a [u8]) -> Option<Part> {
        let [place, code] = self.before;
        self.before = [code, line];
        if is_place(place) && is_mark(line) {
            self.left = MAX_MESSAGE;
            return Some(Part::Mark);
        }
        self.left = self.left.saturating_sub(1);
        if line.starts_with(b"    at ") || line.starts_with(b"Node.js v") {
            self.left = 0;
        }
        (self.left > 0).then_some(Part::Message)
    }
}

/// `/app/main.js:121`, `node:internal/process/promises:288`.
fn is_place(line: &[u8]) -> bool {
    let Some(colon) = line.iter().rposition(|byte| *byte == b':').filter(|at| *at > 0) else { return false };
    let number = line.get(colon + 1..).unwrap_or_default();
    let numbered = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    numbered && !line.first().is_some_and(u8::is_ascii_whitespace)
}

fn is_mark(line: &[u8]) -> bool {
    let mark = line.trim_ascii();
    !mark.is_empty() && mark.iter().all(|byte| matches!(byte, b'^' | b'~'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/app/x.js:12|  throw e;|  ^||AError: b||c|    at d||Node.js v20.11.0", "..^nnnn...")]
    #[case("node:internal/x:3|code|^|error: b|Node.js v20.11.0|c", "..^n..")]
    #[case("  File \"x.py\", line 3|    a b|    ^|SyntaxError: c", "....")]
    #[case("/app/x.js:12|  throw e;|AError: b", "...")]
    #[case("a:|b|^|c", "....")]
    #[case("^|^|^", "...")]
    fn a_report_has_parts(#[case] lines: &str, #[case] parts: &str) {
        let mut report = Report::default();
        let found = lines.split('|').map(|line| match report.step(line.as_bytes()) {
            Some(Part::Mark) => '^',
            Some(Part::Message) => 'n',
            None => '.',
        });
        assert_eq!(found.collect::<String>(), parts);
    }
}
