//! The guards, and the permit that only they can give.

use serde::Serialize;

use super::memory::Intent;

/// Proof that every guard agreed to exactly this intent.
#[derive(Debug, PartialEq, Serialize)]
pub struct Permit {
    intent: Intent,
}

impl Permit {
    pub fn intent(&self) -> &Intent {
        &self.intent
    }
}
