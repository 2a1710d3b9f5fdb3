//! The shell around the engine: gather, decide, apply, record.

pub mod act;
mod blocked;
pub mod chores;
pub mod context;
pub mod fleet;
pub mod health;
mod inquiry;
pub mod listener;
mod looks;
pub mod own_streams;
pub mod parts;
pub mod policy_status;
pub mod record;
pub mod run;
mod scene;
mod sight;
pub mod storm;
pub mod story;
pub mod tally;
pub mod tracker;
pub mod workload;
pub mod write;

#[cfg(test)]
mod tests;
