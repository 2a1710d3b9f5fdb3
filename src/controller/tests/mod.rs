//! The controller before a scripted API server, on paused time: what becomes of each of its writes when the server
//! refuses it, is busy, is silent, or loses the answer.

mod around;
mod counts;
mod denied;
mod freeze;
mod gauges;
mod logs;
mod loops;
mod meanwhile;
mod memory;
mod own;
mod policies;
mod resumed;
mod retention;
mod rig;
mod server;
mod stale;
mod start;
mod storms;
mod story;
mod traces;
mod untouched;
