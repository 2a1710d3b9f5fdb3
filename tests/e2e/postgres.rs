//! A real PostgreSQL, a real driver and its pool: what a service logs of them is what there is.

use backstay::api::Incident;
use backstay::engine::words::{ActionKind, Cause, Class, Fault, RefusalReason};
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::json;

use crate::refuses_environment::hash;
use crate::support::database::{Database, migration, orders};
use crate::support::wait::show;
use crate::support::{Case, Story, case, helm};

/// Connections of a role that needs no limit.
const MANY: u32 = 40;

async fn run<F: Future<Output = ()>>(name: &str, test: impl FnOnce(Case) -> F) {
    case::run_with("the PostgreSQL", name, test).await;
}

#[tokio::test]
async fn t60_a_revision_that_leaks_connections_until_its_pool_is_empty_is_rolled_back() {
    run("pg-leak", async |t| {
        let database = Database::create(&t, MANY).await;
        let baseline = t.healthy(json!({}), &orders()).await;
        t.ship(&orders().env("ORDERS_LEAK", 1).env("ORDERS_GIVE_UP_AFTER", 3)).await;
        let story = Story { class: Class::CrashLoopBackOff, causes: &[Cause::PoolExhausted] };
        let incident = t.rolled_back(&baseline, story).await;
        tells(&t, &database, &incident, "giving up: acquire connection: context deadline exceeded").await;
        let kept = incident.spec.opened.logs.first().expect("the log of a run that ended");
        assert!(
            kept.text.contains("msg=connecting url=postgres://***@"),
            "a URL without what is secret: {}",
            kept.text
        );
        takes_orders(&database).await;
    })
    .await;
}

#[tokio::test]
async fn t60_a_leak_that_only_readiness_shows_is_told_from_a_service_that_answers_badly() {
    run("pg-unready", async |t| {
        let database = Database::create(&t, MANY).await;
        // All new pods are ready before their pools are empty, so that the rollout is over by then.
        let app = || orders().env("ORDERS_POOL", 8).spec(json!({"strategy": {"rollingUpdate": {"maxSurge": "100%"}}}));
        let baseline = t.healthy(json!({}), &app()).await;
        t.ship(&app().env("ORDERS_LEAK", 1)).await;
        let story = Story { class: Class::Unready, causes: &[Cause::ReadinessHttp, Cause::Flapping] };
        let incident = t.rolled_back(&baseline, story).await;
        tells(&t, &database, &incident, "acquire connection: context deadline exceeded").await;
        takes_orders(&database).await;
    })
    .await;
}

#[tokio::test]
async fn t61_a_revision_whose_transactions_lock_each_other_out_is_rolled_back() {
    run("pg-deadlock", async |t| {
        let database = Database::create(&t, MANY).await;
        let app = || orders().env("ORDERS_POOL", 4).env("ORDERS_CUSTOMERS", 2);
        let baseline = t.healthy(json!({}), &app()).await;
        let opposite = app().env("ORDERS_RESERVE", 1).env("ORDERS_GIVE_UP_AFTER", 2);
        t.ship(&opposite).await;
        let story = Story { class: Class::CrashLoopBackOff, causes: &[Cause::DatabaseDeadlock] };
        let incident = t.rolled_back(&baseline, story).await;
        tells(&t, &database, &incident, "ERROR: deadlock detected (SQLSTATE 40P01)").await;
        takes_orders(&database).await;
    })
    .await;
}

#[tokio::test]
async fn t62_a_column_that_a_migration_dropped_under_old_pods_is_not_rolled_back() {
    run("pg-column", async |t| {
        let database = Database::create(&t, MANY).await;
        // No old pod goes before a new one has been ready for so long.
        let app = || orders().spec(json!({"minReadySeconds": 5}));
        let baseline = t.healthy(json!({}), &app()).await;
        // The new revision needs the column no more, and fails some orders later for a reason of its own.
        let drops = migration("ALTER TABLE orders DROP COLUMN discount");
        let new = app().env("ORDERS_DISCOUNT", "off").env("ORDERS_BREAK_AFTER", 3);
        let shipped = t.ship(&new.pod(json!({"initContainers": [drops]}))).await;
        let set = t.revision_with("ORDERS_BREAK_AFTER").await;
        let incident = t.refused(&hash(&set), RefusalReason::SchemaHazard).await;

        let lead = &incident.spec.opened.findings[0];
        let seen = (lead.class, lead.cause, lead.container.as_deref());
        assert_eq!(seen, (Class::CrashLoopBackOff, Cause::ApplicationError, Some("web")), "{lead:?}");
        let status = incident.status.as_ref().unwrap();
        assert_eq!(status.verdict.as_ref().map(|v| v.fault), Some(Fault::Revision), "{}", show(&incident));
        let because = &status.refusal.as_ref().unwrap().because;
        let dropped = "column \"discount\" of relation \"orders\" does not exist";
        for part in [dropped, "by 2 of 2 logs: ", "init container migrate ran and migrates a schema"] {
            assert!(because.contains(part), "{part:?} in {because}");
        }
        // Old pods and new ones log, and both are shown.
        let kept = |line: &str| incident.logs().any(|log| log.text.contains(line));
        assert!(kept("does not exist (SQLSTATE 42703)") && kept("cannot round 1099 cents"), "{}", show(&incident));
        conceals(&t, &database, &incident, dropped).await;

        let now = t.deployment().await;
        assert_eq!(now.spec.template, shipped.spec.template, "the template is what was shipped");
        let old = t.pods_of(&baseline).await;
        assert_eq!(old.len(), 2, "the old pods are there: {old:?}");
        t.untouched().await;
    })
    .await;
}

#[tokio::test]
async fn t62_a_migration_that_took_nothing_from_the_old_pods_is_frozen_on_them() {
    run("pg-migration", async |t| {
        let database = Database::create(&t, MANY).await;
        let baseline = t.healthy(json!({}), &orders()).await;
        let adds = migration("ALTER TABLE orders ADD COLUMN IF NOT EXISTS gift boolean");
        let new = orders().env("ORDERS_BREAK_AFTER", 3).pod(json!({"initContainers": [adds]}));
        let shipped = t.ship(&new).await;
        let incident = t
            .incident("a freeze", |i| {
                let acted = i.status.as_ref()?.actions.first()?;
                (acted.kind == ActionKind::Freeze).then(|| i.clone())
            })
            .await;
        assert!(incident.spec.opened.why.contains("migrates a schema"), "{}", incident.spec.opened.why);
        t.until::<Deployment, _>("web", "a pause with the template as it was shipped", |d| {
            let kept = d.spec.template == shipped.spec.template && d.spec.paused == Some(true);
            let full = d.status.as_ref()?.ready_replicas == Some(baseline.replicas());
            (kept && full).then_some(())
        })
        .await;
        takes_orders(&database).await;
    })
    .await;
}

#[tokio::test]
async fn t63_a_revision_that_wants_more_connections_than_its_role_may_have_is_rolled_back() {
    run("pg-connections", async |t| {
        let database = Database::create(&t, 8).await;
        let app = |pool: u32| orders().env("ORDERS_POOL", pool);
        let baseline = t.healthy(json!({}), &app(2)).await;
        t.ship(&app(20)).await;
        let story = Story { class: Class::CrashLoopBackOff, causes: &[Cause::TooManyConnections] };
        let incident = t.rolled_back(&baseline, story).await;
        tells(&t, &database, &incident, "FATAL: too many connections for role").await;
        takes_orders(&database).await;
    })
    .await;
}

/// The line is evidence on which the incident was opened, a person is shown it, and nothing that is secret.
async fn tells(t: &Case, database: &Database, incident: &Incident, line: &str) {
    let evidence: Vec<_> = incident.spec.opened.findings.iter().flat_map(|finding| &finding.evidence).collect();
    let found = evidence.iter().any(|e| e.source.contains(" log[web] line ") && e.text.contains(line));
    assert!(found, "{line:?} in {evidence:#?}");
    conceals(t, database, incident, line).await;
}

/// `backstay incident show` has the line. The database's password is in nothing that Backstay wrote or printed.
async fn conceals(t: &Case, database: &Database, incident: &Incident, line: &str) {
    let screen = t.shown(incident).await;
    let words = screen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(screen.contains("LAST LOG LINES") && words.contains(line), "{line:?} on the screen:\n{screen}");
    eprintln!("e2e: {}: what a person sees:\n{screen}", t.namespace);
    let (_, own) = t.kubectl(&["get", "incidents,workloadhealths,events", "-o", "json"]).await;
    let (read, log) = helm::kubectl(&["logs", "-l", "app.kubernetes.io/name=backstay", "--tail=-1"]).await;
    assert!(read && log.contains(&t.namespace), "the operator's log tells of the test: {log}");
    for (what, text) in [("objects", own), ("screen", screen), ("log", log)] {
        assert!(!text.contains(&database.password), "no password in its {what}: {text}");
    }
}

/// The baseline does its work: more orders than there are now will be in the database.
async fn takes_orders(database: &Database) {
    let before = database.sql("SELECT max(id) FROM orders").await;
    let more = format!(
        "DO $$ BEGIN FOR i IN 1..300 LOOP IF (SELECT max(id) > {before} FROM orders) THEN RETURN; END IF; \
         PERFORM pg_sleep(0.1); END LOOP; RAISE 'no order came in'; END $$"
    );
    database.sql(&more).await;
}
