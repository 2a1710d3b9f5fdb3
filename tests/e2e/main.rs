//! The operator in a real cluster: real kubelet, real registry, installed by Helm. `tests/e2e/run` starts all that and
//! runs these tests; `README.md` beside it says how.
//!
//! A test asserts on objects, which it waits for by watching, and on the API server's audit log, which tells who wrote
//! what and when.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod alone;
mod around;
mod at_start;
mod gitops;
mod hints;
mod installed;
mod killed;
mod logs;
mod odd;
mod postgres;
mod refuses_environment;
mod refuses_people;
mod refuses_policies;
mod refuses_registry;
mod refuses_workload;
mod restarted;
mod revisions;
mod rights;
mod setup;
mod support;
mod suspicion;
mod uninstalled;
mod while_running;
