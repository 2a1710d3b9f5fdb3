//! The HTTP server: `/livez`, `/readyz` and `/metrics`, for the kubelet and for Prometheus.
//!
//! It faces the pod network, so everything about a connection is bounded: how many there are, how long a request's
//! head may take, how large head and body may be, how long a connection may live.

mod health;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

use crate::cluster::chain::chain;
use crate::metrics::{self, Metrics};
pub use health::{Gate, Health, Heart};

const MAX_CONNECTIONS: usize = 128;
const MAX_HEAD_BYTES: usize = 16 * 1024;
const MAX_BODY_BYTES: usize = 16 * 1024;
/// Also how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECTION_LIFETIME: Duration = Duration::from_secs(300);
/// What a request under way is given at the end of a connection or of the process.
const GRACE: Duration = Duration::from_secs(5);

#[derive(Debug, Error)]
pub enum Error {
    #[error("cannot listen on {listen}")]
    Listen { listen: SocketAddr, source: std::io::Error },
}

/// The routes that every mode of the program serves.
pub fn routes(health: Health, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .with_state(health)
        .merge(Router::new().route("/metrics", get(scrape)).with_state(metrics))
}

async fn livez(State(health): State<Health>) -> Response {
    report(health.silent_hearts())
}

async fn readyz(State(health): State<Health>) -> Response {
    report(health.closed_gates())
}

/// 200 and `ok`, or 503 and what is wrong, one fact a line.
fn report(wrong: Vec<String>) -> Response {
    if wrong.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", wrong.join("\n"))).into_response()
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Response {
    match metrics.encode() {
        Ok(text) => ([(header::CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE))], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A bound server that does not serve yet, so that a port in use is told before anything else starts.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    router: Router,
}

impl Server {
    pub async fn bind(listen: SocketAddr, router: Router) -> Result<Self, Error> {
        let listener = open(listen).await.map_err(|source| Error::Listen { listen, source })?;
        Ok(Self { listener, router: router.layer(DefaultBodyLimit::max(MAX_BODY_BYTES)) })
    }

    /// Where it listens; of use when port 0 was asked for.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown` resolves, then lets requests under way finish for a few seconds.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        let (closing, _) = watch::channel(false);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(stream, self.router.clone(), closing.subscribe()));
                    }
                    // Out of file descriptors, as a rule: it passes, and a busy loop would not help.
                    Err(error) => {
                        tracing::warn!(error = %chain(&error), "a connection was not accepted");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                },
            }
        }
        drop(self.listener);
        closing.send_replace(true);
        let drained = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, drained).await.is_err() {
            tracing::debug!("closing HTTP connections that did not finish");
        }
    }
}

/// One socket serves all addresses of both families, where the kernel has IPv6: a pod may have no address of IPv4.
async fn open(listen: SocketAddr) -> std::io::Result<TcpListener> {
    if listen.ip() == Ipv4Addr::UNSPECIFIED
        && let Ok(listener) = TcpListener::bind((Ipv6Addr::UNSPECIFIED, listen.port())).await
    {
        return Ok(listener);
    }
    TcpListener::bind(listen).await
}

async fn connection(stream: TcpStream, router: Router, mut closing: watch::Receiver<bool>) {
    let service = router.map_request(|request: axum::http::Request<Incoming>| request.map(Body::new));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = closing.wait_for(|closing| *closing) => {}
        () = tokio::time::sleep(CONNECTION_LIFETIME) => {}
    }
    connection.as_mut().graceful_shutdown();
    // A peer that breaks off or does not read is no concern of ours.
    drop(tokio::time::timeout(GRACE, connection).await);
}
