//! What every test stands on. Waiting, reading the audit log and the choice of a cluster are those of the
//! end-to-end tests.

#[path = "../../e2e/support/audit.rs"]
#[allow(dead_code)]
pub mod audit;
pub mod cluster;
#[path = "../../e2e/support/kubeconfig.rs"]
mod kubeconfig;
pub mod operator;
pub mod place;
pub mod proxy;
#[path = "../../e2e/support/wait.rs"]
#[allow(dead_code)]
pub mod wait;
