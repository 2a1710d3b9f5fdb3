//! The decision: pure, total and deterministic. No I/O, no clock, no randomness; facts and `now` go in, values come
//! out. `tests/architecture.rs` fails when something else is imported here.

pub mod attribute;
pub mod baseline;
pub mod blast_radius;
pub mod builtin;
pub mod change;
pub mod classify;
pub mod configuration;
pub mod decide;
pub mod decision;
pub mod diagnose;
pub mod evidence;
pub mod facts;
pub mod finding;
pub mod first_signal;
pub mod freeze;
pub mod glance;
pub mod guard;
pub mod hazard;
pub mod hold;
pub mod judge;
pub mod kin;
pub mod knowledge;
pub mod lifecycle;
pub mod memory;
pub mod message;
pub mod moment;
pub mod observe;
pub mod pace;
pub mod policy;
pub mod rollout;
pub mod storm;
pub mod surroundings;
pub mod text;
pub mod words;
