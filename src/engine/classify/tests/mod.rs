//! Each class: what is one, what is nearly one, and what only looks like one.

pub(super) mod build;
mod config;
mod crash;
mod evidence;
mod hints;
mod image;
mod logs;
mod oom;
mod pending;
mod phrases;
mod pods;
mod probe;
mod quota;
mod refused;
mod removed;
mod scheduling;
mod setup;
mod start;
mod unready;

use super::text::Table;
use crate::engine::knowledge;

#[test]
fn every_reading_of_every_text_is_a_word_of_the_api() {
    let tables: [&Table; 7] = [
        &super::image::TEXTS,
        &super::config::TEXTS,
        &super::setup::TEXTS,
        &super::start::TEXTS,
        &super::ending::TEXTS,
        &super::scheduling::REASONS,
        &super::create_refused::TEXTS,
    ];
    for table in tables {
        assert!(table.readings().len() > 5, "{:?}", table.speaker());
        for said in table.readings() {
            assert!(knowledge::is_known(said.class, said.cause), "{said:?}");
        }
    }
}
