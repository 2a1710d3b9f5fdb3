//! The figures: as a table with budgets for people, as `target/bench/latest.json` for everything else.

use anyhow::Context;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Figures by dotted path, such as `floor_ms.p50`, in the order in which they were measured.
#[derive(Debug, Default)]
pub struct Report {
    figures: Vec<(String, Value)>,
}

/// What a figure may be at most.
struct Budget {
    figure: &'static str,
    at_most: f64,
    unit: &'static str,
}

const fn budget(figure: &'static str, at_most: f64, unit: &'static str) -> Budget {
    Budget { figure, at_most, unit }
}

const BUDGETS: [Budget; 16] = [
    budget("evidence_to_rollback_ms.idle.p50", 20.0, "ms"),
    budget("evidence_to_rollback_ms.idle.p99", 60.0, "ms"),
    budget("evidence_to_rollback_ms.load_10k.p99", 150.0, "ms"),
    budget("times_floor", 2.5, "×"),
    budget("writes_per_incident", 6.0, ""),
    budget("lists_steady", 0.0, ""),
    budget("rss_mib.pods_1000", 20.0, "MiB"),
    budget("rss_mib.pods_10000", 40.0, "MiB"),
    budget("relist_peak_ratio", 1.5, "×"),
    budget("cpu_cores.idle_10000", 0.01, "cores"),
    budget("cpu_cores.updates_100", 0.10, "cores"),
    budget("start_to_ready_s", 2.0, "s"),
    budget("decide_us", 20.0, "µs"),
    budget("evidence_to_rollback_ms.load_10k.p50", f64::INFINITY, "ms"),
    budget("floor_ms.p50", f64::INFINITY, "ms"),
    budget("floor_ms.p99", f64::INFINITY, "ms"),
];

impl Report {
    pub fn put(&mut self, figure: &str, value: f64) {
        let rounded = (value * 10_000.0).round() / 10_000.0;
        self.put_value(figure, json!(rounded));
    }

    pub fn put_value(&mut self, figure: &str, value: Value) {
        self.figures.retain(|(known, _)| known != figure);
        self.figures.push((figure.to_owned(), value));
    }

    /// `FIGURE.p50` and `FIGURE.p99`.
    pub fn put_percentiles(&mut self, figure: &str, values: &[f64]) {
        self.put(&format!("{figure}.p50"), percentile(values, 50));
        self.put(&format!("{figure}.p99"), percentile(values, 99));
    }

    pub fn get(&self, figure: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| known == figure)?.1.as_f64()
    }

    /// Nested objects, as the dots say.
    pub fn json(&self) -> Value {
        let mut root = Map::new();
        for (figure, value) in &self.figures {
            let mut at = &mut root;
            let (path, leaf) = figure.rsplit_once('.').unwrap_or(("", figure));
            for part in path.split('.').filter(|part| !part.is_empty()) {
                let next = at.entry(part).or_insert_with(|| json!({}));
                let Value::Object(object) = next else { return Value::Null };
                at = object;
            }
            at.insert(leaf.to_owned(), value.clone());
        }
        Value::Object(root)
    }

    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(&self.json())?;
        std::fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
    }

    /// One line per figure with a budget, and whether it is kept.
    pub fn table(&self) -> String {
        let mut text = format!("{:<40} {:>10} {:>10}  verdict\n", "figure", "measured", "budget");
        for Budget { figure, at_most, unit } in &BUDGETS {
            let Some(value) = self.get(figure) else {
                text += &format!("{figure:<40} {:>10}\n", "—");
                continue;
            };
            let limit = if at_most.is_finite() { format!("{at_most}") } else { "—".to_owned() };
            let verdict = match (at_most.is_finite(), value <= *at_most) {
                (false, _) => "",
                (true, true) => "kept",
                (true, false) => "MISSED",
            };
            text += &format!("{figure:<40} {value:>10.3} {limit:>10}  {verdict:<7} {unit}\n");
        }
        text
    }
}

/// The value that `percent` of all values do not exceed; 0 without values.
pub fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}
