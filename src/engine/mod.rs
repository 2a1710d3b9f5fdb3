//! The decision: pure, total and deterministic. No I/O, no clock, no randomness; facts and `now` go in, values come
//! out. `tests/architecture.rs` fails when something else is imported here.

pub mod classify;
pub mod decision;
pub mod facts;
pub mod finding;
pub mod guard;
pub mod knowledge;
pub mod memory;
pub mod observe;
pub mod policy;
pub mod words;
