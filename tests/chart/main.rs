//! The Helm chart, rendered by real helm and read as a cluster would read it.
//!
//! helm is taken from `BACKSTAY_TEST_HELM`, or from where `make cluster` builds it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod contract;
mod examples;
mod monitoring;
mod objects;
mod rbac;
mod render;
mod sources;
mod values;
