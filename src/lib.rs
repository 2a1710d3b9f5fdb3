//! Brings a bad rollout back to the last healthy revision, or says why not.
//!
//! One direction, each arrow a type:
//!
//! ```text
//! watch streams → facts in stores → gather() → Snapshot → decide(&Snapshot, now) → Decision → act() → record()
//! ```
//!
//! [`engine`] decides and is pure; [`cluster`] is the only code that talks to Kubernetes; [`controller`] looks at one
//! workload at a time and carries out; [`api`] has the resources. What must stay true, and what enforces it, is in
//! `docs/architecture.md`.

pub mod api;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod controller;
pub mod engine;
pub mod metrics;
pub mod server;
pub mod telemetry;
