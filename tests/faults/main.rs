//! What goes wrong around the operator: it is killed, the API server is away, everything fails at once, its own objects
//! are not what they should be. `tests/faults/run` starts a simulated cluster and runs these tests against the operator
//! as a process. What simulated pods play is held against its words here too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod alone;
mod definitions;
/// One cluster, one namespace each, side by side.
mod together {
    mod frozen;
    mod killed;
    mod leaders;
    mod played;
}
mod support;
