//! An API server that keeps objects, checks preconditions as the real one does, and strikes where a test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{Method, Request, Response};
use kube::Client;
use kube::client::{Body, ClientBuilder};
use serde_json::{Value, json};
use tower_test::mock::{self, SendResponse};

use crate::cluster::client::BusyLayer;

/// What happens to a call.
#[derive(Clone, Copy, Debug)]
pub enum Strike {
    /// It is refused with this code, and not carried out.
    Refuse(u16),
    /// It is refused with this code, and `Retry-After` asks for so many seconds.
    Busy(u16, u64),
    /// The same as `Refuse`, so many seconds later.
    RefuseLate(u16, u64),
    /// It is neither carried out nor answered.
    Silence,
    /// It is carried out, and nobody is told.
    LoseAnswer,
    /// The connection breaks before it arrives.
    Break,
    /// It is carried out, and answered so many seconds later.
    Late(u64),
    /// Somebody does something just before it arrives.
    Meanwhile(fn(&mut Server)),
}

/// A strike at calls with this method and a path that ends so.
#[derive(Clone, Debug)]
struct Plan {
    method: Method,
    path: String,
    /// So many are let through first.
    skip: usize,
    times: usize,
    strike: Strike,
}

/// One call, and the code it was answered with; 0 without an answer.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    pub path: String,
    pub content_type: String,
    pub body: Value,
    pub code: u16,
}

/// The objects by their paths.
#[derive(Debug, Default)]
pub struct Server {
    objects: BTreeMap<String, Value>,
    version: u64,
    plans: Vec<Plan>,
    calls: Vec<Call>,
}

impl Server {
    /// The `nth` call that matches is struck, from 1. The path is compared at its end.
    pub fn strike(&mut self, method: Method, path: &str, nth: usize, strike: Strike) {
        self.plans.push(Plan { method, path: path.to_owned(), skip: nth - 1, times: 1, strike });
    }

    /// All calls that match are struck, until it is calm.
    pub fn strike_all(&mut self, method: Method, path: &str, strike: Strike) {
        self.plans.push(Plan { method, path: path.to_owned(), skip: 0, times: usize::MAX, strike });
    }

    /// All is well from now on.
    pub fn calm(&mut self) {
        self.plans.clear();
    }

    /// The calls since the last time, without the lease's.
    pub fn calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls).into_iter().filter(|call| !call.path.contains("/leases")).collect()
    }

    /// Puts an object there as somebody else would, and gives it what it lacks.
    pub fn put(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = json!(self.version.to_string());
        if metadata["uid"].is_null() {
            metadata["uid"] = json!(format!("00000000-0000-4000-8000-{:012}", self.version));
        }
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    pub fn get(&self, path: &str) -> Option<&Value> {
        self.objects.get(path)
    }

    pub fn remove(&mut self, path: &str) -> Option<Value> {
        self.objects.remove(path)
    }

    /// Changes an object's spec, as a person would.
    pub fn edit(&mut self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.objects[path].clone();
        let before = object["spec"].clone();
        change(&mut object);
        if object["spec"] != before {
            let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
            object["metadata"]["generation"] = json!(generation + 1);
        }
        self.put(path, object);
    }

    /// The objects of one kind, by the plural in their paths.
    pub fn all(&self, plural: &str) -> Vec<Value> {
        let of_kind = |path: &&String| path.rsplit('/').nth(1) == Some(plural);
        self.objects.keys().filter(of_kind).map(|path| self.objects[path].clone()).collect()
    }

    fn struck(&mut self, method: &Method, path: &str) -> Option<Strike> {
        let plan = self.plans.iter_mut().find(|p| p.times > 0 && p.method == *method && path.ends_with(&p.path))?;
        if plan.skip > 0 {
            plan.skip -= 1;
            return None;
        }
        plan.times -= 1;
        Some(plan.strike)
    }

    fn carry_out(&mut self, method: &Method, path: &str, body: &Value) -> (u16, Value) {
        match method.as_str() {
            "GET" => self.get(path).map_or_else(|| failure(404), |object| (200, object.clone())),
            "POST" => self.create(path, body.clone()),
            "PUT" => self.replace(path, body.clone()),
            "PATCH" => self.patch(path, body),
            "DELETE" => self.remove(path).map_or_else(|| failure(404), |object| (200, object)),
            _ => panic!("unexpected call {method} {path}"),
        }
    }

    fn create(&mut self, collection: &str, mut object: Value) -> (u16, Value) {
        let path = format!("{collection}/{}", object["metadata"]["name"].as_str().expect("a name"));
        if self.objects.contains_key(&path) {
            return failure(409);
        }
        object["metadata"]["generation"] = json!(1);
        // The API server drops the status of kinds that have it as a subresource.
        object.as_object_mut().unwrap().remove("status");
        (201, self.put(&path, object))
    }

    fn replace(&mut self, path: &str, object: Value) -> (u16, Value) {
        let Some(stored) = self.get(path) else { return failure(404) };
        if stored["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"] {
            return failure(409);
        }
        (200, self.put(path, object))
    }

    fn patch(&mut self, path: &str, patch: &Value) -> (u16, Value) {
        let (object, part) = match path.rsplit_once('/') {
            Some((object, part @ ("status" | "scale"))) => (object, part),
            _ => (path, ""),
        };
        let Some(stored) = self.get(object).cloned() else { return failure(404) };
        let patch: json_patch::Patch = serde_json::from_value(patch.clone()).expect("a JSON Patch");
        let mut patched = stored.clone();
        if json_patch::patch(&mut patched, &patch).is_err() {
            return failure(422);
        }
        if part == "status" {
            let status = patched["status"].take();
            patched = stored;
            patched["status"] = status;
        }
        self.edit(object, |stored| *stored = patched);
        let stored = self.objects[object].clone();
        if part == "scale" {
            let scale = json!({"replicas": stored["spec"]["replicas"]});
            return (
                200,
                json!({"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": stored["metadata"], "spec": scale}),
            );
        }
        (200, stored)
    }
}

fn failure(code: u16) -> (u16, Value) {
    let reason = match code {
        403 => "Forbidden",
        404 => "NotFound",
        409 => "AlreadyExists",
        422 => "Invalid",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    let message = format!("the test says {code}");
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code}),
    )
}

type Answer = SendResponse<Response<Body>>;

/// A client of the server, with what the operator's client does to answers.
pub fn connect(server: &Arc<Mutex<Server>>) -> Client {
    let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
    let server = server.clone();
    tokio::spawn(async move {
        while let Some((request, send)) = handle.next_request().await {
            tokio::spawn(serve(server.clone(), request, send));
        }
    });
    ClientBuilder::new(service, "default").with_layer(&BusyLayer).build()
}

async fn serve(server: Arc<Mutex<Server>>, request: Request<Body>, send: Answer) {
    let (parts, body) = request.into_parts();
    let bytes = body.collect_bytes().await.unwrap();
    let body: Value = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
    let (method, path) = (parts.method, parts.uri.path().to_owned());
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (answer, late) = {
        let mut server = server.lock().unwrap_or_else(PoisonError::into_inner);
        let strike = server.struck(&method, &path);
        let (code, answer) = match strike {
            Some(Strike::Refuse(code) | Strike::Busy(code, _) | Strike::RefuseLate(code, _)) => failure(code),
            Some(Strike::Silence | Strike::Break) => (0, Value::Null),
            Some(Strike::Meanwhile(something)) => {
                something(&mut server);
                server.carry_out(&method, &path, &body)
            }
            Some(Strike::LoseAnswer | Strike::Late(_)) | None => server.carry_out(&method, &path, &body),
        };
        server.calls.push(Call { method, path, content_type: content_type.to_owned(), body, code });
        match strike {
            Some(Strike::Silence | Strike::LoseAnswer) => (None, 0),
            Some(Strike::Break) => return send.send_error(std::io::Error::other("connection reset")),
            Some(Strike::Busy(_, after)) => (Some(response(code, &answer, Some(after))), 0),
            Some(Strike::Late(seconds) | Strike::RefuseLate(_, seconds)) => {
                (Some(response(code, &answer, None)), seconds)
            }
            Some(Strike::Refuse(_) | Strike::Meanwhile(_)) | None => (Some(response(code, &answer, None)), 0),
        }
    };
    tokio::time::sleep(Duration::from_secs(late)).await;
    match answer {
        Some(answer) => send.send_response(answer),
        // Whoever waits gives up by itself; a sender that is dropped would be a broken connection.
        None => {
            std::future::pending::<()>().await;
            drop(send);
        }
    }
}

fn response(code: u16, answer: &Value, after: Option<u64>) -> Response<Body> {
    let mut response = Response::builder().status(code);
    if let Some(after) = after {
        response = response.header(http::header::RETRY_AFTER, after);
    }
    response.body(Body::from(serde_json::to_vec(answer).unwrap())).unwrap()
}
