//! What a line says of what happened, without what differs from one time to the next. By it two logs can be told to
//! report the same.

use std::ops::Range;

/// Most bytes of a phrase.
const MAX_PHRASE: usize = 256;

/// The phrase that stands at `at` in a line, with its numbers taken out. Addresses and names stay: to call one service
/// in vain is not to call another in vain. What a phrase ends with a colon or a space before belongs to it.
pub fn of(line: &str, at: Range<usize>) -> Box<str> {
    let said = line.get(at.clone()).unwrap_or_default();
    let goes_on = said.ends_with([' ', ':', '"', '\'', '(', '=', '-']);
    let rest = line.get(at.end..).filter(|_| goes_on).unwrap_or_default();
    let gap = rest.len() - rest.trim_start().len();
    let word = rest.get(gap..).and_then(|rest| rest.split_whitespace().next()).unwrap_or_default();
    let whole = line.get(at.start..at.end + gap + word.len()).unwrap_or(said);
    let mut phrase = String::with_capacity(whole.len().min(MAX_PHRASE));
    for word in crate::engine::text::head(whole, MAX_PHRASE).split_whitespace() {
        if !phrase.is_empty() {
            phrase.push(' ');
        }
        push(&mut phrase, word);
    }
    phrase.into()
}

/// A word with one mark for each of its numbers, unless it is an address. Of a connection, such as
/// `10.244.1.7:41822->10.96.0.10:53`, only the far end: the near one is another in every pod and at every time.
fn push(phrase: &mut String, word: &str) {
    let word = word.split_once("->").filter(|(near, _)| near.contains(':')).map_or(word, |(_, far)| far);
    let inner = word.trim_end_matches(|c: char| c.is_ascii_punctuation());
    if inner.contains(['.', ':']) {
        phrase.push_str(word);
        return;
    }
    let mut digits = false;
    for char in word.chars() {
        if !char.is_ascii_digit() {
            phrase.push(char);
        } else if !digits {
            phrase.push('#');
        }
        digits = char.is_ascii_digit();
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ERROR <after 30000ms> (total=10)", "after #ms")]
    #[case(
        "WARN <dial tcp 10.0.0.5:5432: connect: connection refused>, again",
        "dial tcp 10.0.0.5:5432: connect: connection refused"
    )]
    #[case("<read udp 10.244.1.7:41822->10.96.0.10:53: i/o timeout>", "read udp 10.96.0.10:53: i/o timeout")]
    #[case("<Foo->bar>", "Foo->bar")]
    #[case("<connect ECONNREFUSED >10.0.0.5:5432 at 3", "connect ECONNREFUSED 10.0.0.5:5432")]
    #[case("<could not connect:>", "could not connect:")]
    #[case("<relation \"orders\" does not exist> at character 15", "relation \"orders\" does not exist")]
    #[case("<UnknownHostException: >\t orders2", "UnknownHostException: orders#")]
    #[case("ü <x >ü", "x ü")]
    fn numbers_go_and_names_stay(#[case] line: &str, #[case] phrase: &str) {
        let (before, rest) = line.split_once('<').unwrap();
        let (marked, after) = rest.rsplit_once('>').unwrap();
        let (start, end) = (before.len(), before.len() + marked.len());
        let line = [before, marked, after].concat();
        assert_eq!(&*of(&line, start..end), phrase);
    }

    #[test]
    fn a_place_outside_of_the_line_says_nothing() {
        assert_eq!(&*of("short", 3..90), "");
        assert!(of(&"x".repeat(5000), 0..5000).len() <= MAX_PHRASE);
    }
}
