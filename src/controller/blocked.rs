//! Actions that the API server does not take. They are tried again, ever more slowly, and meanwhile people are told.

use super::act::{Outcome, Work};
use super::context::{Context, deployment_reference, incident_reference};
use super::{record, write};
use crate::api::incident::{Incident, IncidentStatus};
use crate::cluster::apply::Error;
use crate::cluster::chain::chain;
use crate::cluster::events::About;
use crate::engine::words::ActionKind;
use crate::metrics::{ActionResult, ErrorCategory};

/// What follows from an action that was refused or failed. That it was refused is an outcome, which is recorded like any
/// other: the same answer is to be expected for as long as nobody changes rights or admission. Of what merely failed, and of a
/// pause that could not be ended, only the incident tells.
pub async fn outcome(
    ctx: &Context,
    work: &Work<'_>,
    kind: ActionKind,
    incident: Option<&Incident>,
    error: Error,
) -> Result<Outcome, Error> {
    let denied = is_denial(&error);
    ctx.metrics.acted(kind, if denied { ActionResult::Denied } else { ActionResult::Failed });
    if denied && kind != ActionKind::Resume {
        return Ok(Outcome::Denied(kind, error));
    }
    // The calls may have taken their time, and the record is that of whoever leads.
    let Some(incident) = incident.filter(|_| ctx.standing.is_leader()) else { return Err(error) };
    let (status, news) = record::blocked(incident, (kind, &chain(&error)), work.now);
    if record::differs(incident.status.as_ref(), &status) {
        match work.trace.call("record", write::incident_status(ctx, incident, &status)).await {
            Ok(_) if denied && news => tell(ctx, work, incident, (kind, &error)).await,
            Ok(_) => {}
            Err(unwritten) => {
                let (namespace, workload) = (&*work.key.namespace, &*work.key.name);
                let error = chain(&unwritten);
                tracing::warn!(namespace, workload, %error, "the incident does not say yet that its action failed");
            }
        }
    }
    Err(error)
}

/// The API server, or an admission policy or webhook, said no.
fn is_denial(error: &Error) -> bool {
    matches!(error.category(), ErrorCategory::Forbidden | ErrorCategory::Invalid) && !error.is_terminating()
}

/// Adds to a status that the action was denied, if it was. Returns what of that is news.
pub fn add<'a>(
    status: &mut IncidentStatus,
    work: &Work<'_>,
    incident: &Incident,
    outcome: &'a Outcome,
) -> Option<(ActionKind, &'a Error)> {
    let Outcome::Denied(kind, error) = outcome else { return None };
    record::block(status, incident, (*kind, &chain(error)), work.now).then_some((*kind, error))
}

/// An Event where people look first.
pub async fn tell(ctx: &Context, work: &Work<'_>, incident: &Incident, (kind, error): (ActionKind, &Error)) {
    let (deployment, related) = (deployment_reference(&work.s.workload), incident_reference(incident));
    let about = About { regarding: &deployment, related: Some(&related) };
    ctx.events.blocked(about, kind.into(), &chain(error)).await;
}
