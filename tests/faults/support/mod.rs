//! What every test stands on. Waiting and reading the audit log are those of the end-to-end tests.

#[path = "../../e2e/support/audit.rs"]
#[allow(dead_code)]
pub mod audit;
pub mod cluster;
pub mod operator;
pub mod place;
pub mod proxy;
#[path = "../../e2e/support/wait.rs"]
#[allow(dead_code)]
pub mod wait;
