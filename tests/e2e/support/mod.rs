//! What every test stands on.

pub mod app;
pub mod audit;
pub mod case;
pub mod database;
pub mod expect;
pub mod helm;
mod kubeconfig;
#[path = "../../support/database.rs"]
mod postgres_server;
pub mod process;
mod refuse;
pub mod registry;
#[path = "../../support/registry_faults.rs"]
pub mod registry_faults;
pub mod wait;

pub use app::App;
pub use audit::Write;
pub use case::Case;
pub use expect::Story;
