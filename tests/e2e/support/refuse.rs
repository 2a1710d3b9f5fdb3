//! What must be true when the operator must not act.

use backstay::api::{Incident, WorkloadHealth};
use backstay::engine::words::RefusalReason;
use kube::api::ListParams;

use super::audit::lines;
use super::case::Case;
use super::expect::only_own;
use super::wait::show;

impl Case {
    /// Waits for an incident on the revision with this `pod-template-hash` that says why nothing is done.
    pub async fn refused(&self, hash: &str, reason: RefusalReason) -> Incident {
        let incident = self
            .incident(&format!("refusal {reason}"), |i| {
                let refusal = i.status.as_ref()?.refusal.as_ref()?;
                (*i.spec.opened.failing.hash == *hash && refusal.reason == reason).then(|| i.clone())
            })
            .await;
        let status = incident.status.as_ref().unwrap();
        assert!(status.refusal.as_ref().is_some_and(|r| !r.because.is_empty()), "a sentence: {}", show(&incident));
        assert!(status.actions.is_empty(), "no action: {}", show(&incident));
        self.event("Held", &incident).await;
        incident
    }

    /// Waits until the workload itself says why nothing is done.
    pub async fn health_refuses(&self, reason: RefusalReason) {
        self.until::<WorkloadHealth, _>("web", &format!("refusal {reason}"), |h| {
            (h.status.as_ref()?.refusal.as_ref()?.reason == reason).then_some(())
        })
        .await;
    }

    pub async fn incidents(&self) -> Vec<Incident> {
        self.api().list(&ListParams::default()).await.expect("listing incidents").items
    }

    /// The audit log: the operator wrote to nothing but its own objects and Events.
    pub async fn untouched(&self) {
        let ours = self.operator_writes().await;
        let touched: Vec<_> = ours.iter().filter(|w| w.resource == "deployments").collect();
        assert!(touched.is_empty(), "no write to a Deployment, but saw:{}", lines(touched));
        only_own(&ours, &[]);
    }
}
