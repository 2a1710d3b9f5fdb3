//! Clients of the API server.
//!
//! kube's own retries are off. They would repeat a write minutes after it was decided, and a watch has its back-off.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::header::{RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, Response, StatusCode};
use kube::client::{Body, ClientBuilder, DynBody};
use kube::{Client, Config};
use tower::util::BoxService;
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
mod tests {
    use axum::extract::State;
    use axum::http::{HeaderMap, StatusCode};
    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
    use tower_test::mock;

    use super::*;

    /// An API server on the loopback that is always too busy, and what it saw: the user agent of each request.
    async fn busy() -> (Config, UnboundedReceiver<String>) {
        async fn refuse(State(seen): State<UnboundedSender<String>>, headers: HeaderMap) -> StatusCode {
            let agent = headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or("none");
            seen.send(agent.to_owned()).unwrap();
            StatusCode::TOO_MANY_REQUESTS
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, seen) = unbounded_channel();
        let app = axum::Router::new().fallback(refuse).with_state(sender);
        tokio::spawn(async move { axum::serve(listener, app).await });
        (Config::new(url.parse().unwrap()), seen)
    }

    #[tokio::test]
    async fn a_refused_call_is_not_repeated_and_says_who_calls() {
        let (config, mut seen) = busy().await;
        let read = read_client(config.clone(), Arc::default()).unwrap();
        let write = write_client(config).unwrap();
        for client in [read, write] {
            let error = Api::<Pod>::all(client).list(&kube::api::ListParams::default()).await.unwrap_err();
            assert!(matches!(error, kube::Error::Api(status) if status.code == 429));
            assert_eq!(seen.recv().await.unwrap(), concat!("backstay/", env!("CARGO_PKG_VERSION")));
            assert!(seen.try_recv().is_err(), "the call was repeated");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_nobody_answers_fails_in_time() {
        let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
        let client = ClientBuilder::new(service, "default").with_layer(&DeadlineLayer(WRITE)).build();
        let began = tokio::time::Instant::now();
        let call = tokio::spawn(async move { Api::<Pod>::default_namespaced(client).get("web").await });
        let _unanswered = server.next_request().await.unwrap();
        let error = call.await.unwrap().unwrap_err();
        assert!(error.to_string().contains("no answer from the API server within 8 s"), "{error}");
        assert_eq!(began.elapsed(), WRITE);
    }

    #[tokio::test]
    async fn when_to_come_back_is_kept_and_other_answers_pass() {
        let (service, mut server) = mock::pair::<Request<Body>, Response<Body>>();
        let client = ClientBuilder::new(service, "default").with_layer(&BusyLayer).build();
        let pods = Api::<Pod>::default_namespaced(client);
        let answers = [(429, Some("7"), Some(7)), (503, Some("1"), Some(1)), (429, None, None), (500, Some("7"), None)];
        for (code, header, wanted) in answers {
            let mut answer = Response::builder().status(code);
            if let Some(header) = header {
                answer = answer.header(RETRY_AFTER, header);
            }
            let answer = answer.body(Body::empty()).unwrap();
            let serve = async { server.next_request().await.unwrap().1.send_response(answer) };
            let (error, ()) = tokio::join!(pods.get("web"), serve);
            let busy = Busy::of(&error.unwrap_err()).map(|busy| (busy.code.as_u16(), busy.after.as_secs()));
            assert_eq!(busy, wanted.map(|seconds| (code, seconds)), "{code} {header:?}");
        }
    }
}
