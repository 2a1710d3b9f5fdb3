//! How many of what should be found is found: precision and recall of every label over a set of fixtures.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::io::Write;

/// How often a label was expected, rightly found, and found at all.
#[derive(Clone, Copy, Default)]
struct Count {
    expected: u32,
    right: u32,
    found: u32,
}

/// Counts by label. One fixture may carry several labels, and one of them several times.
#[derive(Default)]
pub struct Scores(BTreeMap<String, Count>);

impl Scores {
    /// Counts one fixture: the labels that are true of it and those that were found. A label `CLASS/CAUSE` counts for its
    /// class too, and where there is none, that nothing fails is what there is to find.
    pub fn add(&mut self, expected: &[String], found: &[String]) {
        let expected = with_classes(expected);
        let mut rest = with_classes(found);
        for label in &rest {
            self.of(label).found += 1;
        }
        for label in expected {
            self.of(&label).expected += 1;
            if let Some(at) = rest.iter().position(|found| *found == label) {
                rest.swap_remove(at);
                self.of(&label).right += 1;
            }
        }
    }

    fn of(&mut self, label: &str) -> &mut Count {
        self.0.entry(label.to_owned()).or_default()
    }

    /// Prints the table past the test harness, which swallows what passing tests print with macros.
    pub fn print(&self, title: &str) {
        let text = format!("\n{title}\n{self}\n");
        std::io::stdout().lock().write_all(text.as_bytes()).unwrap();
    }
}

/// Precision: how many of those found are true. Recall: how many of the true ones are found.
impl Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.keys().map(String::len).max().unwrap_or_default().max(5);
        writeln!(f, "{:width$} {:>5} {:>5} {:>9} {:>6}", "", "true", "found", "precision", "recall")?;
        for (label, count) in &self.0 {
            let share = |of: u32| if of == 0 { 1.0 } else { f64::from(count.right) / f64::from(of) };
            let (precision, recall) = (share(count.found), share(count.expected));
            writeln!(f, "{label:width$} {:>5} {:>5} {precision:>9.2} {recall:>6.2}", count.expected, count.found)?;
        }
        Ok(())
    }
}

fn with_classes(labels: &[String]) -> Vec<String> {
    let classes = labels.iter().filter_map(|label| label.split_once('/')).map(|(class, _)| class.to_owned());
    let all: Vec<String> = classes.chain(labels.iter().cloned()).collect();
    if all.is_empty() { vec!["(nothing fails)".to_owned()] } else { all }
}
