//! When objects were read, as far as they tell: not before the newest time in them.

use jiff::Timestamp;
use serde_json::Value;

/// The newest time in an object's metadata, its status, or in the object itself where it is an event. Times in a spec
/// or in annotations may lie ahead, and so does the time of a deletion, which is when its grace ends.
pub fn newest(object: &Value) -> Option<Timestamp> {
    let metadata = object.get("metadata");
    let created = metadata.and_then(|metadata| time(metadata.get("creationTimestamp")));
    let managed = metadata.and_then(|metadata| metadata.get("managedFields")?.as_array());
    let managed = managed.into_iter().flatten().filter_map(|entry| time(entry.get("time"))).max();
    let status = object.get("status").and_then(within);
    let seen = object.get("series").and_then(|series| time(series.get("lastObservedTime")));
    let own = ["eventTime", "firstTimestamp", "lastTimestamp", "deprecatedFirstTimestamp", "deprecatedLastTimestamp"];
    let own = own.into_iter().filter_map(|key| time(object.get(key))).max();
    [created, managed, status, seen, own].into_iter().max().flatten()
}

fn within(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Array(items) => items.iter().filter_map(within).max(),
        Value::Object(fields) => {
            let of_field =
                |(key, value): (&String, &Value)| if is_time(key) { time(Some(value)) } else { within(value) };
            fields.iter().filter_map(of_field).max()
        }
        _ => None,
    }
}

/// How Kubernetes names the fields that hold a time.
fn is_time(key: &str) -> bool {
    ["Time", "Timestamp", "At"].iter().any(|end| key.ends_with(end))
}

fn time(value: Option<&Value>) -> Option<Timestamp> {
    value?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_newest_time_is_one_that_was_seen() {
        let object = json!({
            "metadata": {"creationTimestamp": "2026-03-01T10:00:00Z", "deletionTimestamp": "2026-03-01T11:00:00Z",
                "annotations": {"renewedAt": "2027-01-01T00:00:00Z"},
                "managedFields": [{"time": "2026-03-01T10:00:03Z"}]},
            "spec": {"startTime": "2028-01-01T00:00:00Z"},
            "status": {"startTime": "2026-03-01T10:00:01Z", "containerStatuses": [
                {"state": {"running": {"startedAt": "2026-03-01T10:00:05Z"}}, "image": "2029-01-01T00:00:00Z"}]},
        });
        assert_eq!(newest(&object), Some("2026-03-01T10:00:05Z".parse().unwrap()));
    }

    #[test]
    fn an_event_was_seen_last_when_its_series_says() {
        let event = json!({"lastTimestamp": null, "eventTime": "2026-03-01T10:00:00.5Z",
            "series": {"count": 3, "lastObservedTime": "2026-03-01T10:02:00.5Z"}});
        assert_eq!(newest(&event), Some("2026-03-01T10:02:00.5Z".parse().unwrap()));
    }

    #[test]
    fn nonsense_is_no_time() {
        for object in [json!(null), json!([]), json!({"status": {"startTime": 3, "At": "never"}, "metadata": []})] {
            assert_eq!(newest(&object), None);
        }
    }
}
