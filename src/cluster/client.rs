//! Clients of the API server.
//!
//! kube's own retries are off. They would repeat a write minutes after it was decided, and a watch has its back-off. Only
//! commands read again when the API server was too busy, since nothing else would.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::{RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use kube::client::{Body, ClientBuilder, DynBody};
use kube::{Client, Config};
use tower::util::{BoxService, service_fn};
use tower::{BoxError, Layer, Service};

use super::watches::{LivenessLayer, Watches};

const AGENT: HeaderValue = HeaderValue::from_static(concat!("backstay/", env!("CARGO_PKG_VERSION")));
const CONNECT: Duration = Duration::from_secs(5);
/// Until a read is answered; a page of a list at a busy API server takes a while.
const READ_ANSWER: Duration = Duration::from_secs(30);
/// Between two bytes of an answer. Longer than a watch stays silent, which is its timeout and five seconds.
pub const READ_SILENCE: Duration = Duration::from_secs(60);
/// Until a write is answered. A lease must outlive it.
const WRITE: Duration = Duration::from_secs(8);
/// How often a command reads what the API server is too busy for.
const TRIES: usize = 5;
/// Whoever calls a command is told rather than kept waiting for longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

#[derive(Debug, thiserror::Error)]
#[error("building the client for {purpose}")]
pub struct ClientError {
    purpose: &'static str,
    #[source]
    source: kube::Error,
}

/// The client for lists and watches, which stamps `watches`. Make it inside a tokio runtime.
///
/// # Errors
/// Certificates or credentials of `config` that cannot be read.
pub fn read_client(mut config: Config, watches: Arc<Watches>) -> Result<Client, ClientError> {
    config.read_timeout = Some(READ_SILENCE);
    let builder = builder(config, "reading")?;
    Ok(builder.with_layer(&DeadlineLayer(READ_ANSWER)).with_layer(&LivenessLayer(watches)).build())
}

/// The client for everything that is done to objects, and for the live reads before it. Make it inside a tokio
/// runtime.
///
/// # Errors
/// Certificates or credentials of `config` that cannot be read.
pub fn write_client(mut config: Config) -> Result<Client, ClientError> {
    config.read_timeout = Some(WRITE);
    Ok(builder(config, "writing")?.with_layer(&DeadlineLayer(WRITE)).with_layer(&BusyLayer).build())
}

/// The client of a command, for which nothing comes later that would try again. Make it inside a tokio runtime.
///
/// # Errors
/// Certificates or credentials of `config` that cannot be read.
pub fn command_client(config: Config) -> Result<Client, ClientError> {
    let namespace = config.default_namespace.clone();
    Ok(patient(write_client(config)?, namespace))
}

/// A client that reads again once the time has passed that a busy API server asks for, a few times.
fn patient(client: Client, namespace: String) -> Client {
    ClientBuilder::new(service_fn(move |request| patiently(client.clone(), request)), namespace).build()
}

async fn patiently(client: Client, request: Request<Body>) -> Result<Response<Body>, kube::Error> {
    for _ in 1..TRIES {
        let Some(read) = read_again(&request) else { break };
        match client.send(read).await {
            Err(error) => match Busy::of(&error).filter(|busy| busy.after <= LONGEST_WAIT) {
                Some(busy) => tokio::time::sleep(busy.after).await,
                None => return Err(error),
            },
            answered => return answered,
        }
    }
    client.send(request).await
}

/// The same read once more; `None` of a write.
fn read_again(request: &Request<Body>) -> Option<Request<Body>> {
    let mut again = Request::new(request.body().try_clone().filter(|_| request.method() == Method::GET)?);
    again.uri_mut().clone_from(request.uri());
    again.headers_mut().clone_from(request.headers());
    again.extensions_mut().clone_from(request.extensions());
    Some(again)
}

/// What kube builds from a configuration.
type Generic = ClientBuilder<BoxService<Request<Body>, Response<Box<DynBody>>, BoxError>>;

fn builder(mut config: Config, purpose: &'static str) -> Result<Generic, ClientError> {
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    config.write_timeout = Some(WRITE);
    // Else the time for which a pooled connection was idle would count against the next answer.
    config.reset_reader_on_write = true;
    config.headers.retain(|(name, _)| name != USER_AGENT);
    config.headers.push((USER_AGENT, AGENT));
    ClientBuilder::try_from(config).map_err(|source| ClientError { purpose, source })
}

/// A call was not answered in time.
#[derive(Debug, thiserror::Error)]
#[error("no answer from the API server within {} s", .0.as_secs())]
pub struct NoAnswer(Duration);

/// Bounds the time until the head of the answer.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer(pub Duration);

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline { inner, limit: self.0 }
    }
}

/// See [`DeadlineLayer`].
#[derive(Clone, Debug)]
pub struct Deadline<S> {
    inner: S,
    limit: Duration,
}

impl<S, B> Service<Request<Body>> for Deadline<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (answer, limit) = (self.inner.call(request), self.limit);
        Box::pin(async move {
            match tokio::time::timeout(limit, answer).await {
                Ok(response) => response.map_err(Into::into),
                Err(_) => Err(NoAnswer(limit).into()),
            }
        })
    }
}

/// The API server is too busy and says when to come back. kube's own error would lose the latter.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the API server is busy ({code}) and asks to come back in {} s", .after.as_secs())]
pub struct Busy {
    pub code: StatusCode,
    pub after: Duration,
}

impl Busy {
    /// What the error of a call says about it, if that is why it failed.
    pub fn of(error: &kube::Error) -> Option<&Self> {
        match error {
            kube::Error::Service(error) => error.downcast_ref(),
            _ => None,
        }
    }

    fn answered<B>(response: &Response<B>) -> Option<Self> {
        let code = response.status();
        let busy = code == StatusCode::TOO_MANY_REQUESTS || code == StatusCode::SERVICE_UNAVAILABLE;
        let after = response.headers().get(RETRY_AFTER).filter(|_| busy)?.to_str().ok()?;
        // The header may be a date as well; the API server always writes seconds.
        Some(Self { code, after: Duration::from_secs(after.parse().ok()?) })
    }
}

/// Turns an answer with `Retry-After` into [`Busy`].
#[derive(Clone, Copy, Debug)]
pub struct BusyLayer;

impl<S> Layer<S> for BusyLayer {
    type Service = Patient<S>;

    fn layer(&self, inner: S) -> Patient<S> {
        Patient { inner }
    }
}

/// See [`BusyLayer`].
#[derive(Clone, Debug)]
pub struct Patient<S> {
    inner: S,
}

impl<S, B> Service<Request<Body>> for Patient<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<B>, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await.map_err(Into::into)?;
            Busy::answered(&response).map_or(Ok(response), |busy| Err(busy.into()))
        })
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
