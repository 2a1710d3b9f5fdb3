//! The loop over workloads: one look at a time per workload, several workloads side by side.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use kube::Resource;
use kube::core::ObjectMeta;
use kube::runtime::controller::{Action, Config as LoopConfig, Error as LoopError, ReconcileRequest, applier};
use kube::runtime::reflector::{self, ObjectRef, store::Writer};
use kube::runtime::watcher::Event;
use tokio::sync::watch;

use super::context::Context;
use super::parts::ended;
use super::workload;
use crate::cluster::apply;
use crate::cluster::chain::chain;
use crate::cluster::store::WorkloadKey;
use crate::cluster::wake::Woken;
use crate::server::Health;

/// A Deployment's name, for the loop that looks at one workload at a time: what is known of it is in the stores.
#[derive(Clone, Debug, Default, Resource)]
#[resource(inherit = Deployment)]
struct WorkloadName {
    metadata: ObjectMeta,
}

/// How long the loop may be silent before the kubelet restarts it. It beats at least every few seconds.
const MAX_SILENCE: Duration = Duration::from_secs(60);

/// Looks at what was woken until `shutdown`.
pub(super) async fn work(
    ctx: Arc<Context>,
    woken: Woken,
    concurrency: u16,
    health: Health,
    shutdown: watch::Receiver<bool>,
) {
    let heart = health.heart("loop", MAX_SILENCE);
    let (names, writer) = reflector::store();
    let queue = requests(ctx.clone(), woken, writer).take_until(ended(shutdown));
    let queue = queue.map(Ok::<_, std::convert::Infallible>);
    let beating = ctx.clone();
    let looks = applier(
        |name: Arc<WorkloadName>, ctx: Arc<Context>| Box::pin(reconcile(name, ctx)),
        |name: Arc<WorkloadName>, error: &apply::Error, ctx: Arc<Context>| {
            Action::requeue(ctx.tracker.failed(&key_of(&name.metadata), error.retry_after()))
        },
        ctx,
        names,
        queue,
        LoopConfig::default().concurrency(concurrency),
    );
    let mut looks = std::pin::pin!(looks);
    let mut tick = tokio::time::interval(MAX_SILENCE / 6);
    loop {
        tokio::select! {
            _ = tick.tick() => heart.beat(),
            look = looks.next() => match look {
                None => return,
                Some(Ok(_)) => {}
                Some(Err(error)) => report(&beating, &error),
            },
        }
    }
}

async fn reconcile(name: Arc<WorkloadName>, ctx: Arc<Context>) -> Result<Action, apply::Error> {
    if !ctx.leads() {
        return Ok(Action::await_change());
    }
    let key = key_of(&name.metadata);
    if let Some(left) = ctx.tracker.rests(&key, ctx.stores.generation(&key)) {
        return Ok(Action::requeue(left));
    }
    let again = workload::look(&ctx, &key).await?;
    ctx.tracker.succeeded(&key);
    Ok(again.map_or_else(Action::await_change, Action::requeue))
}

/// Requests for looks. The loop's own store of names follows the stores, so that what is gone is not looked for.
fn requests(
    ctx: Arc<Context>,
    woken: Woken,
    mut writer: Writer<WorkloadName>,
) -> impl futures::Stream<Item = ReconcileRequest<WorkloadName>> {
    // The loop waits for its store's first listing; ours is filled by name as names come.
    writer.apply_watcher_event(&Event::Init);
    writer.apply_watcher_event(&Event::InitDone);
    let state = (ctx, woken, writer);
    futures::stream::unfold(state, |(ctx, mut woken, mut writer)| async move {
        let key = woken.recv().await?;
        let metadata = ObjectMeta {
            name: Some(key.name.to_string()),
            namespace: Some(key.namespace.to_string()),
            ..ObjectMeta::default()
        };
        let object = WorkloadName { metadata };
        let request = ObjectRef::from_obj(&object).into();
        if ctx.stores.labels(&key).is_some() {
            writer.apply_watcher_event(&Event::Apply(object));
        } else {
            ctx.forget(&key);
            writer.apply_watcher_event(&Event::Delete(object));
        }
        Some((request, (ctx, woken, writer)))
    })
}

fn key_of(metadata: &ObjectMeta) -> WorkloadKey {
    WorkloadKey::new(metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default())
}

fn report(ctx: &Context, error: &LoopError<apply::Error, std::convert::Infallible>) {
    match error {
        LoopError::ObjectNotFound(name) => tracing::debug!(%name, "gone before it was looked at"),
        LoopError::ReconcilerFailed(error, name) => {
            ctx.metrics.reconcile_failed(error.category());
            let (namespace, workload) = (name.namespace.as_deref(), &*name.name);
            tracing::warn!(namespace, workload, error = %chain(error), "a look failed and is tried again");
        }
        other => tracing::warn!(error = %other, "the loop reported an error"),
    }
}
