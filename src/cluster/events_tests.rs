use http::{Request, Response, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};
use tower_test::mock;

use super::*;

fn object(kind: &str, name: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some("apps/v1".to_owned()),
        kind: Some(kind.to_owned()),
        name: Some(name.to_owned()),
        namespace: Some("shop".to_owned()),
        uid: Some(format!("uid-of-{name}")),
        ..ObjectReference::default()
    }
}

/// Runs one step of the story and gives all requests that it made. Every request is answered with `code`.
async fn told(code: u16, step: impl AsyncFnOnce(&Events)) -> Vec<(String, Value)> {
    let (service, mut handle) = mock::pair::<Request<Body>, Response<Body>>();
    let server = tokio::spawn(async move {
        let mut requests = Vec::new();
        while let Some((request, send)) = handle.next_request().await {
            let (parts, body) = request.into_parts();
            let event: Value = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap();
            requests.push((format!("{} {}", parts.method, parts.uri.path()), event.clone()));
            let answer = match code {
                201 => event,
                _ => json!({"kind": "Status", "status": "Failure", "code": code,
                            "reason": if code == 409 { "AlreadyExists" } else { "Forbidden" }}),
            };
            let body = Body::from(serde_json::to_vec(&answer).unwrap());
            send.send_response(Response::builder().status(StatusCode::from_u16(code).unwrap()).body(body).unwrap());
        }
        requests
    });
    let events = Events::new(Client::new(service, "backstay"), "backstay-0");
    step(&events).await;
    drop(events);
    server.await.unwrap()
}

#[tokio::test]
async fn a_rollback_is_one_write_on_the_workload() {
    let (web, incident) = (object("Deployment", "web"), object("Incident", "web-x"));
    let about = About { regarding: &web, related: Some(&incident) };
    let requests =
        told(201, async |events| events.rolled_back(about, "web-new", "web-old", "2 of 3 pods exit").await).await;
    assert_eq!(requests.len(), 1);
    let (call, event) = &requests[0];
    assert_eq!(call, "POST /apis/events.k8s.io/v1/namespaces/shop/events");
    assert_eq!(event["note"], "Rolled back from web-new to web-old: 2 of 3 pods exit");
    assert_eq!(event["reason"], "RolledBack");
    assert_eq!(event["action"], "RollBack");
    assert_eq!(event["type"], "Warning");
    assert_eq!(event["regarding"]["uid"], "uid-of-web");
    assert_eq!(event["related"]["name"], "web-x");
    assert_eq!(event["reportingController"], "backstay.dev/backstay");
    assert_eq!(event["reportingInstance"], "backstay-0");
    assert!(event["eventTime"].as_str().unwrap().ends_with('Z'));
    assert_eq!(event.get("series"), None);
}

#[tokio::test]
async fn every_step_has_its_own_reason() {
    let web = object("Deployment", "web");
    let about = About { regarding: &web, related: None };
    let requests = told(201, async |events| {
        events.rolled_back(about, "new", "old", "why").await;
        events.frozen(about, "new", "old", "why").await;
        events.paused(about, "new", "why").await;
        events.resumed(about, "why").await;
        events.held(about, "Storm", "why").await;
        events.recovered(about, "old", "why").await;
        events.ineffective(about, "old", "why").await;
        events.retaken(about, "why", Some("argocd-controller")).await;
        events.superseded(about, "newer", "why").await;
    })
    .await;
    let told: Vec<(&str, &str, &str)> = requests
        .iter()
        .map(|(_, event)| ["reason", "action", "type"].map(|field| event[field].as_str().unwrap()).into())
        .collect();
    let wanted = [
        ("RolledBack", "RollBack", "Warning"),
        ("Frozen", "Freeze", "Warning"),
        ("Paused", "Pause", "Warning"),
        ("Resumed", "Resume", "Normal"),
        ("Held", "Storm", "Warning"),
        ("Recovered", "Verify", "Normal"),
        ("Ineffective", "Verify", "Warning"),
        ("Retaken", "Verify", "Warning"),
        ("Superseded", "Verify", "Normal"),
    ];
    assert_eq!(told, wanted);
}

#[tokio::test]
async fn what_others_did_is_told_in_the_words_it_was_decided_with() {
    let web = object("Deployment", "web");
    let about = About { regarding: &web, related: None };
    let requests = told(201, async |events| {
        events.retaken(about, "others were quicker", Some("argocd-controller")).await;
        events.retaken(about, "others were quicker", None).await;
        events.superseded(about, "web-6d", "web-6d works by now").await;
    })
    .await;
    let notes: Vec<&str> = requests.iter().map(|(_, event)| event["note"].as_str().unwrap()).collect();
    assert_eq!(
        notes,
        [
            "Left alone: others were quicker. The template was last written by argocd-controller",
            "Left alone: others were quicker",
            "Over with web-6d as the newest revision: web-6d works by now",
        ]
    );
}

#[tokio::test]
async fn the_same_fact_has_one_name_and_another_fact_another() {
    let (web, incident) = (object("Deployment", "web"), object("Incident", "web-x"));
    let alone = About { regarding: &web, related: None };
    let of_incident = About { regarding: &web, related: Some(&incident) };
    let requests = told(201, async |events| {
        events.held(alone, "Storm", "many fail").await;
        events.held(alone, "Storm", "many fail").await;
        events.held(alone, "Storm", "even more fail").await;
        events.held(alone, "Cooldown", "many fail").await;
        events.held(of_incident, "Storm", "many fail").await;
    })
    .await;
    let names: Vec<&str> = requests.iter().map(|(_, event)| event["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names[0], names[1]);
    for (i, name) in names.iter().enumerate().skip(1) {
        assert!(names.iter().skip(i + 1).all(|other| other != name), "{names:?}");
    }
}

#[tokio::test]
async fn neither_a_repeat_nor_a_refusal_disturbs_the_caller() {
    let web = object("Deployment", "web");
    for code in [409, 403] {
        let requests = told(code, async |events| {
            events.resumed(About { regarding: &web, related: None }, "a new template arrived").await;
        })
        .await;
        assert_eq!(requests.len(), 1, "it is not tried again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_holds_nobody_up() {
    let (service, _handle) = mock::pair::<Request<Body>, Response<Body>>();
    let events = Events::new(Client::new(service, "backstay"), "backstay-0");
    let web = object("Deployment", "web");
    let began = tokio::time::Instant::now();
    events.resumed(About { regarding: &web, related: None }, "a new template arrived").await;
    assert_eq!(began.elapsed(), TIMEOUT);
}

#[tokio::test]
async fn hostile_text_and_long_names_stay_within_the_limits() {
    let mut web = object("Deployment", &format!("{}-{}", "a".repeat(235), "b".repeat(17)));
    web.namespace = Some("shop".to_owned());
    let about = About { regarding: &web, related: None };
    let why = format!("\u{1b}[31mFATAL\n\0{}", "ä".repeat(4000));
    let requests = told(201, async |events| events.held(about, &"R".repeat(300), &why).await).await;
    let event = &requests[0].1;
    let text = |field: &str| event[field].as_str().unwrap().to_owned();
    assert!(text("note").len() <= 1024 && text("note").len() > 1000);
    assert!(text("note").chars().all(|c| !c.is_control()));
    assert_eq!(text("action").len(), 128);
    let name = event["metadata"]["name"].as_str().unwrap();
    assert!(name.len() <= 253);
    assert!(
        name.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')),
        "{name}"
    );
}
