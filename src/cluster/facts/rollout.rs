//! How many pods a rolling update may add and take away.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::cluster::slim::RollingUpdate;

/// Resolved against `replicas`, as `ResolveFenceposts`, `MaxUnavailable` and `MaxSurge` do in
/// `pkg/controller/deployment/util/deployment_util.go`: surge rounds up, unavailable rounds down, and both 0 would
/// never move, so unavailable is 1 then; it is never more than `replicas`.
///
/// Returns the surge and the unavailable pods.
pub fn limits(update: Option<&RollingUpdate>, replicas: i32) -> (i32, i32) {
    let surge = update.and_then(|update| update.max_surge.as_ref());
    let unavailable = update.and_then(|update| update.max_unavailable.as_ref());
    // A strategy that says nothing is given these by `SetDefaults_Deployment` in `pkg/apis/apps/v1/defaults.go`.
    let quarter = IntOrString::String("25%".to_owned());
    let surge = resolve(surge.unwrap_or(&quarter), replicas, true);
    let unavailable = resolve(unavailable.unwrap_or(&quarter), replicas, false);
    let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
    (surge, unavailable.min(replicas))
}

/// How many pods of a StatefulSet or DaemonSet a rolling update may take away at a time: one, where nothing is said
/// (`SetDefaults_DaemonSet` in pkg/apis/apps/v1/defaults.go), and none only where pods may be added.
pub fn unavailable(update: Option<&RollingUpdate>, replicas: i32) -> i32 {
    let one = IntOrString::Int(1);
    let surge = update.and_then(|update| update.max_surge.as_ref()).map_or(0, |surge| resolve(surge, replicas, true));
    let told = update.and_then(|update| update.max_unavailable.as_ref()).unwrap_or(&one);
    resolve(told, replicas, true).max(i32::from(surge == 0))
}

/// As `GetScaledValueFromIntOrPercent` in `apimachinery/pkg/util/intstr`; nonsense is 0.
fn resolve(value: &IntOrString, total: i32, round_up: bool) -> i32 {
    let resolved = match value {
        IntOrString::Int(number) => i64::from(*number),
        IntOrString::String(text) => {
            let percent = text.strip_suffix('%').and_then(|percent| percent.parse::<i32>().ok());
            let hundredths = i64::from(percent.unwrap_or_default()).saturating_mul(i64::from(total)).max(0);
            if round_up { hundredths.saturating_add(99) / 100 } else { hundredths / 100 }
        }
    };
    i32::try_from(resolved.max(0)).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case(json!({}), 10, (3, 2))]
    #[case(json!({"maxSurge": "25%", "maxUnavailable": "25%"}), 4, (1, 1))]
    #[case(json!({"maxSurge": "25%", "maxUnavailable": "25%"}), 1, (1, 0))]
    #[case(json!({"maxSurge": 0, "maxUnavailable": "25%"}), 1, (0, 1))]
    #[case(json!({"maxSurge": 0, "maxUnavailable": 0}), 3, (0, 1))]
    #[case(json!({"maxSurge": 2, "maxUnavailable": 5}), 3, (2, 3))]
    #[case(json!({"maxSurge": "100%", "maxUnavailable": "0%"}), 7, (7, 0))]
    #[case(json!({"maxSurge": "1%", "maxUnavailable": "99%"}), 10, (1, 9))]
    #[case(json!({"maxSurge": "many", "maxUnavailable": "-5%"}), 10, (0, 1))]
    #[case(json!({"maxSurge": "2147483647%", "maxUnavailable": 1}), i32::MAX, (i32::MAX, 1))]
    #[case(json!({}), 0, (0, 0))]
    fn limits_are_those_of_the_deployment_controller(
        #[case] update: Value,
        #[case] replicas: i32,
        #[case] expected: (i32, i32),
    ) {
        let update: RollingUpdate = serde_json::from_value(update).unwrap();
        assert_eq!(limits(Some(&update), replicas), expected);
    }

    #[rstest]
    #[case(json!({}), 3, 1)]
    #[case(json!({"partition": 0}), 3, 1)]
    #[case(json!({"maxUnavailable": "50%"}), 3, 2)]
    #[case(json!({"maxUnavailable": 0}), 3, 1)]
    #[case(json!({"maxUnavailable": 0, "maxSurge": 1}), 3, 0)]
    fn of_other_kinds_one_pod_may_be_missing_unless_they_say_otherwise(
        #[case] update: Value,
        #[case] replicas: i32,
        #[case] expected: i32,
    ) {
        let update: RollingUpdate = serde_json::from_value(update).unwrap();
        assert_eq!(unavailable(Some(&update), replicas), expected);
        assert_eq!(unavailable(None, replicas), 1);
    }
}
