//! Putting the operator together: watches, stores, the lease, the loop over workloads, and the way down.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use super::context::Context;
use super::fleet::Fleet;
use super::inquiry::Inquiries;
use super::listener::Listener;
use super::parts::{Ended, Parts, ended};
use super::tally::Tally;
use super::tracker::Tracker;
use super::{chores, looks, own_streams, sight};
use crate::cluster::chain::chain;
use crate::cluster::client::{self, ClientError};
use crate::cluster::events::Events;
use crate::cluster::hints::HintStreams;
use crate::cluster::lease::{self, Leadership, Lease, Standing};
use crate::cluster::own::Own;
use crate::cluster::policies::Policies;
use crate::cluster::streams::{Scope, Streams};
use crate::cluster::wake::{self, Woken};
use crate::cluster::watches::Watches;
use crate::config::RunArgs;
use crate::metrics::Metrics;
use crate::server::{self, Gate, Health, Server};
use crate::telemetry::traces::Traces;

#[derive(Debug, Error)]
pub enum Error {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("preparing the lease")]
    Lease(#[from] lease::Error),
    #[error("serving probes and metrics")]
    Server(#[from] server::Error),
    #[error(transparent)]
    Ended(#[from] Ended),
}

/// Runs until `shutdown`, then gives the lease back.
///
/// # Errors
/// What keeps it from starting, or a part that ended while it was needed; then the process is to be started anew.
pub async fn run(
    args: &RunArgs,
    config: kube::Config,
    traces: Traces,
    shutdown: watch::Receiver<bool>,
) -> Result<(), Error> {
    let metrics = Arc::new(Metrics::new());
    let health = Health::default();
    let stores = health.gate("stores", "nothing listed yet");
    let server = Server::bind(args.listen, server::routes(health.clone(), metrics.clone())).await?;
    if let Ok(address) = server.address() {
        tracing::info!(%address, "listening");
    }
    let settings = args.lease.settings(&config.default_namespace);
    let namespace = settings.namespace.clone();
    let (lease, standing) = Lease::new(lease::client(config.clone(), &settings)?, settings);
    let leadership = standing.watch();
    let (ctx, woken, mut parts) = start(args, config, (metrics, traces), (standing, namespace), &health)?;
    let concurrency = args.concurrency;

    let (end, ending) = watch::channel(false);
    let (release, released) = watch::channel(false);
    let mut services = Parts::default();
    services.run("server", server.run(ended(released.clone())));
    let (fill, filled) = oneshot::channel();
    services.run("lease", stand(lease, filled, released));
    let mut working = tokio::spawn(async move {
        if !wait_for_stores(&ctx, &stores, ending.clone()).await {
            return;
        }
        let _ = fill.send(());
        tokio::select! {
            () = lead(&ctx, leadership) => {}
            () = looks::work(ctx.clone(), woken, concurrency, health, ending) => {}
        }
    });
    let (worked, outcome) = tokio::select! {
        () = ended(shutdown) => (None, Ok(())),
        ended = parts.first_to_end() => (None, Err(ended)),
        ended = services.first_to_end() => (None, Err(ended)),
        worked = &mut working => (Some(()), Err(Ended::new("the loop", worked.err()))),
    };
    if let Err(error) = &outcome {
        tracing::error!(error = %chain(error), "ending, since a part of the program has");
    }
    end.send_replace(true);
    if worked.is_none() {
        let _ = working.await;
    }
    parts.abort().await;
    // The lease is given back last, when nothing is written any more.
    release.send_replace(true);
    services.end().await;
    Ok(outcome?)
}

type Started = (Arc<Context>, Woken, Parts);

/// Starts to watch, and everything that runs beside the loop.
fn start(
    args: &RunArgs,
    config: kube::Config,
    (metrics, traces): (Arc<Metrics>, Traces),
    (standing, namespace): (Standing, String),
    health: &Health,
) -> Result<Started, Error> {
    let scope = Scope {
        namespaces: args.namespaces().unwrap_or_default().into_iter().map(str::to_owned).collect(),
        nodes: args.watch_namespaces.is_empty(),
        watch_seconds: args.watch_timeout_seconds,
        ..Scope::default()
    };
    let namespace = super::storm::home(namespace, &scope.namespaces);
    let mut watches = Watches::default();
    let streams = Streams::new(&scope, &mut watches);
    let own_streams = own_streams::OwnStreams::new(&scope, &mut watches);
    let hint_streams = HintStreams::new(&scope, &mut watches);
    let watches = Arc::new(watches);
    let reader = client::read_client(config.clone(), watches.clone())?;
    let writer = client::write_client(config)?;

    let (wake, woken) = wake::channel();
    let listener = match args.read_logs {
        true => Listener::new(writer.clone(), wake.clone(), metrics.clone()),
        false => Listener::default(),
    };
    let own = Own::new();
    let ctx = Arc::new(Context {
        stores: Arc::default(),
        hints: Arc::default(),
        own: own.clone(),
        watches,
        policies: Policies::new(own, args.mode),
        fleet: Fleet::new((&args.storm).into()),
        tracker: Tracker::default(),
        tally: Tally::default(),
        inquiries: Inquiries::new(
            writer.clone(),
            wake.clone(),
            (args.around.clone(), args.watch_namespaces.is_empty()),
        ),
        listener,
        events: Events::new(writer.clone(), args.lease.identity()),
        client: writer,
        metrics,
        traces,
        standing,
        namespace,
        wake: wake.clone(),
        policies_changed: Notify::new(),
        storm_pen: tokio::sync::Mutex::default(),
        surveyed: AtomicBool::new(false),
    });
    let mut parts = Parts::default();
    parts.add("a watch", streams.spawn(&reader, &ctx.stores, &wake));
    parts.add("a watch of events", hint_streams.spawn(&reader, &ctx.hints, &ctx.stores, &wake));
    parts.add("a watch of own kinds", own_streams.spawn(&reader, &ctx));
    parts.add("a chore", chores::spawn(ctx.clone(), args.incidents.clone(), health));
    Ok((ctx, woken, parts))
}

/// How long cluster policies are waited for. Without an answer by then those of namespaces are served all the same.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Nothing is decided before everything that is needed has been listed once, and, if there is an answer at all, the
/// policies for the whole cluster too: who leads next surveys the workloads that policies govern. Returns whether that came
/// to pass before the end.
pub(super) async fn wait_for_stores(ctx: &Context, gate: &Gate, shutdown: watch::Receiver<bool>) -> bool {
    let (mut told, mut since) = (false, None);
    loop {
        if *shutdown.borrow() {
            return false;
        }
        let missing = ctx.missing();
        if missing.is_empty() {
            let since = since.get_or_insert_with(Instant::now);
            if !ctx.awaits_cluster_policies() || since.elapsed() >= LONGEST_WAIT {
                break;
            }
            gate.close("not listed yet: clusterincidentpolicies");
        } else {
            gate.close(format!("not listed yet: {}", missing.join(", ")));
        }
        if !told && !missing.is_empty() {
            tracing::info!(missing = missing.join(", "), "waiting for the first lists");
            told = true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    ctx.policies.refresh();
    gate.open();
    tracing::info!(workloads = ctx.stores.counts().workloads, pods = ctx.stores.counts().pods, "ready");
    true
}

/// Stands for election once the stores are filled: a replica that cannot judge would hold the lease, and keep it from one
/// that can.
pub(super) async fn stand(lease: Lease, filled: oneshot::Receiver<()>, released: watch::Receiver<bool>) {
    match filled.await {
        Ok(()) => lease.run(ended(released)).await,
        Err(_) => ended(released).await,
    }
}

/// On becoming the leader everything is surveyed before anything is done: the storm brake must know how all
/// workloads do before the first action.
pub(super) async fn lead(ctx: &Context, mut leadership: watch::Receiver<Leadership>) {
    let mut led = false;
    loop {
        let leads = ctx.standing.is_leader();
        ctx.metrics.set_leader(leads);
        if leads && !led {
            ctx.tracker.forget_looks();
            super::storm::adopt(ctx);
            let keys = ctx.stores.keys();
            keys.iter().for_each(|key| sight::survey(ctx, key));
            tracing::info!(workloads = keys.len(), "leading");
            ctx.set_surveyed(true);
            for key in keys {
                ctx.wake.send(key);
            }
        } else if !leads && led {
            tracing::info!("following");
            ctx.set_surveyed(false);
            ctx.tracker.forget_looks();
        }
        led = leads;
        if leadership.changed().await.is_err() {
            return;
        }
    }
}
