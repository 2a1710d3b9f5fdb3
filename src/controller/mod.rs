//! The shell around the engine: gather, decide, apply, record.

pub mod record;
