pub mod api;
pub mod cluster;
pub mod config;
pub mod controller;
pub mod engine;
pub mod metrics;
pub mod server;
pub mod telemetry;
