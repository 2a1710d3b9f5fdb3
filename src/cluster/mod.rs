//! Everything that talks to Kubernetes: watching, reading, writing. What is seen becomes facts here, and what is
//! decided becomes writes.

pub mod apply;
pub mod around;
pub mod cases;
pub mod chain;
pub mod client;
pub mod digest;
pub mod events;
pub mod facts;
pub mod gather;
pub mod hints;
pub mod intake;
pub mod lease;
pub mod logs;
pub mod oneshot;
pub mod own;
pub mod patch;
pub mod policies;
pub mod readable;
pub mod shelf;
pub mod slim;
pub mod store;
pub mod streams;
pub mod survey;
pub mod wake;
pub mod watches;

pub use crate::engine::text;
