pub mod api;
pub mod cluster;
pub mod controller;
pub mod engine;
