//! Logs of containers: lines of any program, in any encoding.

use std::sync::Arc;

use backstay::cli::diagnose::diagnose;
use backstay::cluster::intake::Intake;
use backstay::engine::diagnose::of_deployment;
use backstay::engine::facts::LogFacts;
use backstay::engine::listen::{Wanted, heard};
use backstay::engine::logs::{MAX_EXCERPT, MAX_LINES, MAX_QUOTE};
use proptest::prelude::*;

use crate::hostile;
use crate::json::Json;
use crate::mutate::mutated;
use crate::oracle::{Checked, hides_the_secret, is_bounded, is_plain, is_seen};
use crate::seeds;

pub fn input() -> BoxedStrategy<Vec<u8>> {
    let json = serde_json::json!({"level": "error", "ts": 1_767_323_045.5, "msg": "cannot book", "error": {"type": "E", "message":
        "{\"msg\": \"dial tcp 10.0.0.5:5432: connect: connection refused\"}", "stack": "a\n\tat b\nCaused by: c"}, "fields": [1, {"err": "x"}]});
    let line = prop_oneof![
        6 => hostile::text(),
        4 => hostile::word(),
        2 => mutated(vec![Json::from(&json)], 3).prop_map(|json| json.write()),
        1 => (hostile::time(), hostile::text()).prop_map(|(at, text)| format!("{at} stderr F {text}")),
        1 => hostile::plant(),
    ];
    let lines =
        proptest::collection::vec((line, prop_oneof![30 => Just(1_usize), 2 => 2..30_usize, 1 => Just(2000)]), 0..24);
    let odd = proptest::collection::vec((any::<u32>(), any::<u8>()), 0..4);
    let ends = prop_oneof![4 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\n\n"), 1 => Just("\r")];
    (lines, ends, odd)
        .prop_map(|(lines, end, odd)| {
            let mut log = Vec::new();
            for (line, times) in lines {
                let times = times.min(1 + hostile::most() / (line.len() + 1));
                (0..times).for_each(|_| log.extend(line.bytes().chain(end.bytes())));
            }
            for (at, byte) in odd {
                let at = at as usize % (log.len() + 1);
                log.insert(at, byte);
            }
            log
        })
        .boxed()
}

pub fn check(log: &[u8]) -> Checked {
    let intake = || {
        let mut intake = Intake::default();
        seeds::crashing().into_iter().for_each(|object| intake.take(object, None).unwrap());
        intake
    };
    let now = seeds::now();
    let mut workloads = diagnose(intake(), now);
    let snapshot = &mut workloads[0].case.snapshot;
    let pod = snapshot.pods.iter().find(|pod| &*pod.revision == "r-2").unwrap().clone();
    for ended in [true, false] {
        let wanted = Wanted {
            uid: pod.uid.clone(),
            pod: pod.name.clone(),
            container: "web".into(),
            ended,
            run: None,
            exits: 2,
            rules: None,
        };
        let facts = heard(&wanted, log);
        said(&facts, is_seen(&String::from_utf8_lossy(log)))?;
        if heard(&wanted, log) != facts {
            return Err("the same log is read in two ways".to_owned());
        }
        // What an incident keeps of a log is read anew after a restart.
        said(&heard(&wanted, facts.excerpt.as_bytes()), false)?;
        snapshot.logs = vec![Arc::new(facts)];
        for finding in of_deployment(snapshot, now).findings {
            for evidence in finding.evidence {
                is_bounded("evidence", &evidence.text, 1024)?;
                is_plain("evidence", &evidence.text)?;
            }
        }
    }
    Ok(())
}

fn said(facts: &LogFacts, secret_is_seen: bool) -> Checked {
    let reading = &facts.reading;
    if reading.lines as usize > MAX_LINES {
        return Err(format!("{} lines were read", reading.lines));
    }
    let quotes = [&reading.fatal, &reading.root].into_iter().flatten().map(|quote| &*quote.text);
    let quotes = quotes.chain(reading.seen.iter().map(|seen| &*seen.text));
    for quote in quotes {
        is_plain("a quote", quote)?;
        is_bounded("a quote", quote, MAX_QUOTE)?;
        if secret_is_seen {
            hides_the_secret("a quote", quote)?;
        }
    }
    is_plain("an excerpt", &facts.excerpt)?;
    is_bounded("an excerpt", &facts.excerpt, MAX_EXCERPT)?;
    if secret_is_seen { hides_the_secret("an excerpt", &facts.excerpt) } else { Ok(()) }
}
