use rstest::rstest;

use super::*;

fn service(name: &str, ready: u32, expected: u32) -> ServiceImpact {
    ServiceImpact { name: name.to_owned(), ready: Some(ready), expected }
}

fn of(ready: i32, services: &[ServiceImpact], tier: Option<u8>) -> (Effect, Severity, String) {
    let replicas = Replicas { desired: 4, ready, failing: 2 };
    let effect = effect(&replicas, services);
    let impact = Impact { tier, business_service: None };
    let (severity, because) = severity(effect, &replicas, services, 1, Some(&impact));
    (effect, severity, because)
}

#[rstest]
#[case::no_replica(0, &[], None, Effect::Outage, Severity::Critical, "no replica is ready, of 4; 1 host leads to it")]
#[case::dead_service(3, &[("web", 3, 4), ("admin", 0, 4)], None, Effect::Outage, Severity::Critical,
    "Service admin has no ready endpoint; 1 host leads to it")]
#[case::fewer(3, &[("web", 3, 4)], None, Effect::Degraded, Severity::Warning,
    "3 of 4 replicas are ready: less redundancy, no outage")]
#[case::fewer_of_what_matters(3, &[], Some(1), Effect::Degraded, Severity::Critical,
    "3 of 4 replicas are ready: less redundancy, no outage; tier 1 makes it one step more urgent")]
#[case::endpoints_lag(4, &[("web", 3, 4)], None, Effect::Degraded, Severity::Warning,
    "4 of 4 replicas are ready: less redundancy, no outage")]
#[case::surging(4, &[("web", 4, 6)], None, Effect::Unharmed, Severity::Info,
    "4 of 4 replicas are ready: nothing that serves was lost")]
#[case::nothing_lost_of_tier_two(4, &[], Some(2), Effect::Unharmed, Severity::Info,
    "4 of 4 replicas are ready: nothing that serves was lost")]
fn an_outage_is_told_from_lost_redundancy(
    #[case] ready: i32,
    #[case] services: &[(&str, u32, u32)],
    #[case] tier: Option<u8>,
    #[case] effect: Effect,
    #[case] severity: Severity,
    #[case] because: &str,
) {
    let services: Vec<_> = services.iter().map(|(name, ready, expected)| service(name, *ready, *expected)).collect();
    assert_eq!(of(ready, &services, tier), (effect, severity, because.to_owned()));
}

#[test]
fn a_service_that_could_not_be_counted_is_no_outage() {
    let unseen = ServiceImpact { name: "web".to_owned(), ready: None, expected: 4 };
    let (effect, severity, because) = of(4, &[unseen], None);
    assert_eq!((effect, severity), (Effect::Unharmed, Severity::Info), "{because}");
    let none = Endpoints { service: "web".to_owned(), counted: None };
    assert_eq!(dead(&[none]).count(), 0, "nobody calls a dead Service");
}

#[test]
fn many_dead_services_are_counted() {
    let services: Vec<_> = (0..8).map(|n| service(&format!("s{n}"), 0, 1)).collect();
    assert!(of(1, &services, None).2.starts_with("Service s0, s1, s2 and 5 more has no ready endpoint"));
}
