//! A proxy between one operator and the API server, which counts the operator's writes and strikes at one of them.
//! Plain HTTP towards the operator; towards the API server it is the tests' own client.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use http::{Method, Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::Client;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};

use super::operator::signal;

/// What happens at the chosen write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strike {
    /// The operator is killed and the API server never sees the request.
    KillBefore,
    /// The API server carries the request out, then the operator is killed without an answer.
    KillAfter,
    /// The API server carries the request out, the connection breaks, the operator lives.
    LoseAnswer,
}

#[derive(Debug, Default)]
struct State {
    plan: Option<(usize, Strike)>,
    victim: Option<u32>,
    counting: bool,
    writes: Vec<String>,
    struck: bool,
}

/// A running proxy.
#[derive(Clone)]
pub struct Proxy {
    state: Arc<Mutex<State>>,
    address: SocketAddr,
}

impl Proxy {
    /// Listens on a free port. The proxy lives as long as the test.
    pub async fn start(client: Client) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, client.clone(), shared.clone()));
            }
        });
        Self { state, address }
    }

    /// A kubeconfig for the operator behind it.
    pub async fn kubeconfig(&self) -> PathBuf {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("proxy-{}.kubeconfig", self.address.port()));
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "proxy",
            "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        });
        tokio::fs::write(&path, config.to_string()).await.unwrap();
        path
    }

    /// From now on writes are counted; at the `at`-th, from 1, `strike` happens.
    pub fn arm(&self, victim: u32, at: usize, strike: Strike) {
        *self.state.lock().unwrap() =
            State { plan: Some((at, strike)), victim: Some(victim), counting: true, ..State::default() };
    }

    /// Nothing happens any more; writes are still counted.
    pub fn disarm(&self) {
        self.state.lock().unwrap().plan = None;
    }

    pub fn struck(&self) -> bool {
        self.state.lock().unwrap().struck
    }

    /// The writes counted, in order.
    pub fn writes(&self) -> Vec<String> {
        self.state.lock().unwrap().writes.clone()
    }
}

async fn serve(stream: TcpStream, client: Client, state: Arc<Mutex<State>>) {
    let service = service_fn(move |request| pass(request, client.clone(), state.clone()));
    // A connection that breaks is what some of the tests are about.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Breaks the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
struct NoAnswer;

async fn pass(
    request: Request<Incoming>,
    client: Client,
    state: Arc<Mutex<State>>,
) -> Result<Response<Body>, NoAnswer> {
    let strike = count(&request, &state);
    if strike == Some(Strike::KillBefore) {
        kill(&state).await;
        return Err(NoAnswer);
    }
    let (head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), 8 << 20).await.map_err(|_| NoAnswer)?;
    let mut request = Request::new(kube::client::Body::from(body));
    *request.method_mut() = head.method;
    *request.uri_mut() = head.uri.path_and_query().map(|p| p.as_str().parse().unwrap()).unwrap_or_default();
    *request.headers_mut() = head.headers;
    // Both belong to this connection, not to the one behind it.
    request.headers_mut().remove(http::header::HOST);
    request.headers_mut().remove(http::header::CONTENT_LENGTH);
    let answer = client.send(request).await.map_err(|_| NoAnswer)?;
    match strike {
        Some(Strike::KillAfter) => {
            kill(&state).await;
            Err(NoAnswer)
        }
        Some(Strike::LoseAnswer) => Err(NoAnswer),
        Some(Strike::KillBefore) | None => Ok(answer.map(Body::new)),
    }
}

/// Counts a write of an incident, and says what is to happen to it.
fn count(request: &Request<Incoming>, state: &Mutex<State>) -> Option<Strike> {
    let path = request.uri().path();
    let writes = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    let about_incidents = !path.contains("/leases") && !path.contains("/incidentpolicies");
    let mut state = state.lock().unwrap();
    if !writes || !about_incidents || !state.counting {
        return None;
    }
    state.writes.push(format!("{} {path}", request.method()));
    let (at, strike) = state.plan.filter(|(at, _)| *at == state.writes.len())?;
    state.struck = true;
    eprintln!("faults: {strike:?} at write {at}: {} {path}", request.method());
    Some(strike)
}

async fn kill(state: &Mutex<State>) {
    let victim = state.lock().unwrap().victim.expect("armed with a process");
    signal(victim, "KILL").await;
}
