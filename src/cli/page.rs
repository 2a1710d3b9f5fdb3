//! Text on a screen: headings, wrapped paragraphs, tables, and colour where there is a terminal that wants it.
//!
//! Everything that comes from the cluster goes through [`one_line`] or [`lines`], so that no escape sequence reaches
//! a terminal but our own.

use std::ffi::OsString;
use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

use crate::cluster::text;

/// Columns where no terminal says how many it has.
const DEFAULT_WIDTH: usize = 100;
/// Longer lines are hard to read.
const MAX_WIDTH: usize = 120;
const MIN_WIDTH: usize = 40;
/// A last column narrower than this goes below the others.
const MIN_COLUMN: usize = 24;
/// Bytes of one text that are shown; the resources bound them to less.
const MAX_TEXT: usize = 2048;

/// What is written on.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    pub width: usize,
    pub colour: bool,
}

impl Screen {
    /// The same without colour.
    #[must_use]
    pub fn plain(self) -> Self {
        Self { colour: false, ..self }
    }

    /// Standard output.
    pub fn stdout() -> Self {
        let size = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        Self::of(std::io::stdout().is_terminal(), size, |name| std::env::var_os(name))
    }

    /// Colour only on a terminal, and not where `NO_COLOR` is set (no-color.org) or the terminal is dumb.
    fn of(terminal: bool, columns: Option<usize>, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let width = columns.filter(|_| terminal).unwrap_or(DEFAULT_WIDTH).clamp(MIN_WIDTH, MAX_WIDTH);
        let unwanted = variable("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = variable("TERM").is_some_and(|term| term == "dumb");
        Self { width, colour: terminal && !unwanted && !dumb }
    }
}

/// How urgent a word looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Warn,
    Plain,
}

/// A page that is being written.
#[derive(Debug)]
pub struct Page {
    screen: Screen,
    text: String,
}

/// Columns of the labels of [`Page::pair`].
const LABEL: usize = 12;

impl Page {
    pub fn new(screen: Screen) -> Self {
        Self { screen, text: String::new() }
    }

    pub fn finish(self) -> String {
        self.text
    }

    /// A heading, with an empty line before it.
    pub fn heading(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        let title = self.styled(title, Style::new().bold());
        self.push(&title);
    }

    /// A wrapped paragraph. A text of several lines keeps them.
    pub fn para(&mut self, indent: usize, text: &str) {
        self.wrap(&" ".repeat(indent), &" ".repeat(indent), text);
    }

    /// A wrapped paragraph after a dash.
    pub fn item(&mut self, indent: usize, text: &str) {
        self.wrap(&format!("{}- ", " ".repeat(indent)), &" ".repeat(indent + 2), text);
    }

    /// A label and what it stands for.
    pub fn pair(&mut self, label: &str, text: &str) {
        self.wrap(&format!("  {label:<LABEL$}"), &" ".repeat(LABEL + 2), text);
    }

    /// A line that is not wrapped, since it is meant to be copied.
    pub fn verbatim(&mut self, indent: usize, text: &str) {
        self.push(&format!("{}{text}", " ".repeat(indent)));
    }

    /// Rows in columns, the last of which is wrapped.
    pub fn columns(&mut self, indent: usize, rows: &[Vec<String>]) {
        let widths = widths(rows);
        for row in rows {
            let Some((last, first)) = row.split_last() else { continue };
            let mut start = " ".repeat(indent);
            for (cell, width) in first.iter().zip(&widths) {
                start.push_str(&padded(cell, width + 2));
            }
            let rest = " ".repeat(display_width(&start));
            if self.screen.width < rest.len() + MIN_COLUMN {
                self.push(&start);
                self.para(indent + 2, last);
            } else {
                self.wrap(&start, &rest, last);
            }
        }
    }

    /// A word in the colour of its tone.
    pub fn toned(&self, word: &str, tone: Tone) -> String {
        let colour = match tone {
            Tone::Good => AnsiColor::Green,
            Tone::Bad => AnsiColor::Red,
            Tone::Warn => AnsiColor::Yellow,
            Tone::Plain => return word.to_owned(),
        };
        self.styled(word, colour.on_default().bold())
    }

    fn styled(&self, text: &str, style: Style) -> String {
        if self.screen.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn wrap(&mut self, first: &str, rest: &str, text: &str) {
        let mut start = first;
        let mut lines = text.lines().peekable();
        if lines.peek().is_none() {
            self.push(first);
        }
        for line in lines {
            let options = Options::new(self.screen.width)
                .initial_indent(start)
                .subsequent_indent(rest)
                .word_separator(WordSeparator::AsciiSpace)
                .word_splitter(WordSplitter::NoHyphenation)
                .break_words(false);
            for wrapped in textwrap::wrap(line, options) {
                self.push(&wrapped);
            }
            start = rest;
        }
    }

    fn push(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// A table as kubectl prints them: three spaces between columns, nothing cut.
pub fn table(rows: &[Vec<String>]) -> String {
    let widths = widths(rows);
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&padded(cell, width + 3));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Text from the cluster as one line, free of what a terminal would obey and of what looks like a secret.
pub fn one_line(text: &str) -> String {
    text::shown(text, MAX_TEXT).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The same for text that may have several lines.
pub fn lines(text: &str) -> String {
    text::shown(text, MAX_TEXT).into()
}

/// The name of a person as the API server knows them, on one line. It may be an e-mail address and is no secret to those
/// who may read the record.
pub fn person(name: &str) -> String {
    text::clean(name, MAX_TEXT).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widest = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| display_width(cell)).max();
    (0..columns).map(|column| widest(column).unwrap_or_default()).collect()
}

fn padded(cell: &str, width: usize) -> String {
    let room = width.saturating_sub(display_width(cell));
    format!("{cell}{}", " ".repeat(room))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn rows(rows: &[&[&str]]) -> Vec<Vec<String>> {
        rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = table(&rows(&[&["NAME", "AGE"], &["a-long-name", "3m"], &["ü", "4h"]]));
        assert_eq!(text, "NAME          AGE\na-long-name   3m\nü             4h\n");
    }

    #[test]
    fn paragraphs_keep_within_the_width_and_commands_do_not_break() {
        let mut page = Page::new(Screen { width: 33, colour: false });
        page.pair("baseline", "web-59 was healthy for a long time before");
        page.verbatim(2, "kubectl -n a-namespace describe deployment a-workload");
        let text = page.finish();
        let wrapped = "  baseline    web-59 was healthy\n              for a long time\n              before\n";
        assert_eq!(text, format!("{wrapped}  kubectl -n a-namespace describe deployment a-workload\n"));
    }

    #[test]
    fn colour_is_only_where_it_is_wanted() {
        let page = |colour| Page::new(Screen { width: 80, colour }).toned("Held", Tone::Bad);
        assert_eq!(page(false), "Held");
        assert_eq!(page(true), "\u{1b}[1m\u{1b}[31mHeld\u{1b}[0m");
    }

    #[rstest]
    #[case::terminal(true, &[("TERM", "xterm")], true)]
    #[case::nothing_said(true, &[], true)]
    #[case::said_in_vain(true, &[("NO_COLOR", "")], true)]
    #[case::unwanted(true, &[("NO_COLOR", "0")], false)]
    #[case::dumb(true, &[("TERM", "dumb")], false)]
    #[case::file(false, &[("TERM", "xterm")], false)]
    fn colour_comes_on_terminals_that_want_it(
        #[case] terminal: bool,
        #[case] variables: &[(&str, &str)],
        #[case] colour: bool,
    ) {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into());
        let screen = Screen::of(terminal, Some(90), variable);
        assert_eq!((screen.colour, screen.width), (colour, if terminal { 90 } else { DEFAULT_WIDTH }));
    }

    #[rstest]
    #[case(Some(10), MIN_WIDTH)]
    #[case(Some(400), MAX_WIDTH)]
    #[case(None, DEFAULT_WIDTH)]
    fn a_terminal_says_how_wide_a_page_is_within_reason(#[case] columns: Option<usize>, #[case] width: usize) {
        assert_eq!(Screen::of(true, columns, |_| None).width, width);
    }

    #[test]
    fn text_from_the_cluster_cannot_move_the_cursor_or_show_secrets() {
        assert_eq!(one_line("a\u{1b}[2Jb\r\n  c\ttoken=hunter2"), "ab c token=***");
        assert_eq!(lines("a\u{1b}]0;x\u{7}\nb\u{9b}1m"), "a\nb");
    }
}
