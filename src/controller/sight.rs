//! What a look sees: the stores, the policy that governs, and what is remembered, put together.

use std::sync::Arc;

use jiff::Timestamp;

use super::context::Context;
use super::fleet::Report;
use crate::cluster::gather;
use crate::cluster::policies::{self, Choice};
use crate::cluster::store::WorkloadKey;
use crate::config::Mode;
use crate::engine::decide::decide;
use crate::engine::facts::Snapshot;
use crate::engine::memory::Memory;
use crate::engine::policy::{LogAccess, NO_POLICY};

/// A look that only counts: how the workload does, for the storm brake, before anyone acts.
pub fn survey(ctx: &Context, key: &WorkloadKey) {
    let now = Timestamp::now();
    if let Some(s) = gather(ctx, key, now) {
        ctx.fleet.report(key, Report::of(&s, &decide(&s, now)));
    }
}

/// The snapshot, or `None` when there is nothing to judge.
pub fn gather(ctx: &Context, key: &WorkloadKey, now: Timestamp) -> Option<Snapshot> {
    let Some(family) = ctx.stores.workload(key) else {
        ctx.forget(key);
        return None;
    };
    let events = ctx.hints.of(&family, now);
    let (workload, revisions, pods, nodes) = family;
    let memory = gather::memory(&ctx.own, &workload, &ctx.tracker.seen(key));
    let Some(Choice { policy, of_cluster, .. }) = choice_for(ctx, key, &memory) else {
        ctx.disregard(key);
        return None;
    };
    let fleet = ctx.fleet.facts(key, now);
    let surroundings = ctx.inquiries.known(key);
    let data_age_seconds = ctx.data_age_seconds(&key.namespace, of_cluster);
    let logs = match policy.logs {
        LogAccess::Read => ctx.listener.heard(key, &pods, || gather::logs(&ctx.own, &workload)),
        LogAccess::Ignore => Vec::new(),
    };
    Some(Snapshot {
        workload,
        revisions,
        pods,
        nodes,
        events,
        policy,
        memory,
        fleet,
        surroundings,
        logs,
        data_age_seconds,
    })
}

/// The policy that governs it. Without one an open incident is still followed to its end, by looking on.
fn choice_for(ctx: &Context, key: &WorkloadKey, memory: &Memory) -> Option<Choice> {
    let labels = ctx.stores.labels(key).unwrap_or_default();
    let none = || {
        let policy = policies::compile(NO_POLICY.to_owned(), None, &Default::default(), Mode::Observe);
        Choice { policy: Arc::new(policy), of_cluster: false, overridden: Vec::new() }
    };
    ctx.policies.choose(&key.namespace, &labels).or_else(|| (!memory.open.is_empty()).then(none))
}
