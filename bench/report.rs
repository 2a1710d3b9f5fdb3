//! The figures: as a table with budgets for people, as JSON for everything else.
//!
//! `latest.json` holds the figures that have a name in [`FIGURES`] and nothing else, `details.json` what explains
//! them. Parts of the bench that run on their own add to what earlier runs left there.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};

use crate::waits;

/// A figure of `latest.json`, by dotted path.
struct Figure {
    name: &'static str,
    unit: &'static str,
    budget: Option<Budget>,
}

#[derive(Clone, Copy)]
enum Budget {
    Most(f64),
    Least(f64),
}

impl Budget {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::Most(most) => value <= most,
            Self::Least(least) => least <= value,
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Most(most) => f.pad(&most.to_string()),
            Self::Least(least) => f.pad(&format!("≥ {least}")),
        }
    }
}

const fn figure(name: &'static str, unit: &'static str, most: Option<f64>) -> Figure {
    // Mapping an option is not const.
    let budget = match most {
        Some(most) => Some(Budget::Most(most)),
        None => None,
    };
    Figure { name, unit, budget }
}

const FIGURES: [Figure; 22] = [
    figure(IDLE_P50, "ms", Some(20.0)),
    figure("evidence_to_rollback_ms.idle.p99", "ms", Some(60.0)),
    figure("evidence_to_rollback_ms.load_10k.p50", "ms", None),
    figure("evidence_to_rollback_ms.load_10k.p99", "ms", Some(150.0)),
    figure(FLOOR_P50, "ms", None),
    figure("floor_ms.p99", "ms", None),
    figure("writes_per_incident", "", Some(6.0)),
    figure("lists_steady", "", Some(0.0)),
    figure("lists_per_incident", "", None),
    figure("rss_mib.pods_1000", "MiB", Some(20.0)),
    figure("rss_mib.pods_10000", "MiB", Some(40.0)),
    figure("relist_peak_ratio", "×", Some(1.5)),
    figure("cpu_cores.idle_1000", "cores", None),
    figure("cpu_cores.idle_10000", "cores", Some(0.01)),
    figure("cpu_cores.updates_100", "cores", Some(0.10)),
    figure("updates_per_second.updates_100", "/s", None),
    figure("updates_per_second.load_10k", "/s", None),
    figure("start_to_ready_s", "s", Some(2.0)),
    figure("decide_us", "µs", Some(20.0)),
    figure("diagnose_s.json", "s", Some(1.0)),
    figure("diagnose_s.yaml", "s", Some(1.0)),
    Figure { name: "logs_mb_per_s", unit: "MB/s", budget: Some(Budget::Least(50.0)) },
];
const IDLE_P50: &str = "evidence_to_rollback_ms.idle.p50";
const FLOOR_P50: &str = "floor_ms.p50";
/// The most that the idle median may be of the floor's.
const TIMES_FLOOR: f64 = 2.5;
/// What the stores alone may take at a size that no test cluster on two cores reaches. MiB.
const STORES_100000: (&str, f64) = ("stores_mib.pods_100000", 250.0);

/// Both files, as they are and as they become.
#[derive(Debug)]
pub struct Report {
    out: PathBuf,
    latest: Value,
    details: Value,
}

impl Report {
    /// What earlier parts left in `out`, if anything.
    pub fn open(out: &Path) -> Self {
        let read = |name: &str| {
            let text = std::fs::read_to_string(out.join(name)).ok();
            text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_else(|| json!({}))
        };
        Self { out: out.to_owned(), latest: read("latest.json"), details: read("details.json") }
    }

    /// Puts a figure where it belongs by its name.
    pub fn put(&mut self, name: &str, value: f64) {
        self.put_value(name, json!((value * 10_000.0).round() / 10_000.0));
    }

    pub fn put_value(&mut self, name: &str, value: Value) {
        let known = FIGURES.iter().any(|figure| figure.name == name);
        let file = if known { &mut self.latest } else { &mut self.details };
        set(file, name, value);
    }

    /// `NAME.p50` and `NAME.p99`.
    pub fn put_percentiles(&mut self, name: &str, values: &[f64]) {
        self.put(&format!("{name}.p50"), percentile(values, 50));
        self.put(&format!("{name}.p99"), percentile(values, 99));
    }

    pub fn write(&self) -> anyhow::Result<()> {
        for (name, content) in [("latest.json", &self.latest), ("details.json", &self.details)] {
            let path = self.out.join(name);
            let text = serde_json::to_string_pretty(content)?;
            std::fs::write(&path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
        }
        Ok(())
    }

    /// All that was measured so far, one line per figure, and how many of them exceed their budget.
    pub fn table(&self) -> (String, usize) {
        let mut table = Table::default();
        for Figure { name, unit, budget } in &FIGURES {
            table.line(name, number(&self.latest, name), *budget, unit);
            if *name == FLOOR_P50 {
                let ratio = Option::zip(number(&self.latest, IDLE_P50), number(&self.latest, FLOOR_P50));
                let ratio = ratio.map(|(ours, floor)| ours / floor);
                table.line("idle p50 in floors", ratio, Some(Budget::Most(TIMES_FLOOR)), "×");
            }
        }
        let (name, budget) = STORES_100000;
        table.line(name, number(&self.details, name), Some(Budget::Most(budget)), "MiB");
        (table.text + &waits::table(self.details.get("waits").unwrap_or(&Value::Null)), table.missed)
    }
}

/// Puts `value` at a dotted path, and objects on the way to it.
fn set(into: &mut Value, path: &str, value: Value) {
    let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
    if !into.is_object() {
        *into = json!({});
    }
    let Some(object) = into.as_object_mut() else { return };
    match rest {
        Some(rest) => set(object.entry(first).or_insert_with(|| json!({})), rest, value),
        None => drop(object.insert(first.to_owned(), value)),
    }
}

fn number(of: &Value, name: &str) -> Option<f64> {
    of.pointer(&format!("/{}", name.replace('.', "/")))?.as_f64()
}

#[derive(Default)]
struct Table {
    text: String,
    missed: usize,
}

impl Table {
    fn line(&mut self, name: &str, value: Option<f64>, budget: Option<Budget>, unit: &str) {
        if self.text.is_empty() {
            self.text = format!("{:<38} {:>12} {:>8}  {:<5}  verdict\n", "figure", "measured", "budget", "unit");
        }
        let verdict = match (value, budget) {
            (None, _) => "not measured",
            (Some(_), None) => "",
            (Some(value), Some(budget)) if budget.is_met(value) => "met",
            (Some(_), Some(_)) => {
                self.missed += 1;
                "MISSED"
            }
        };
        let value = value.map_or_else(String::new, |value| format!("{value:.4}"));
        let budget = budget.map_or_else(String::new, |budget| budget.to_string());
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{name:<38} {value:>12} {budget:>8}  {unit:<5}  {verdict}");
    }
}

/// The value that `percent` of all values do not exceed; 0 without values.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}
