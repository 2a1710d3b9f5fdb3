use k8s_openapi::api::core::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use super::{Moment, lenient, meta};

/// An Event of either API: events.k8s.io calls some fields of core/v1 by other names.
#[derive(Clone, Debug, Default, Deserialize, Resource)]
#[resource(inherit = "Event")]
#[serde(rename_all = "camelCase", default)]
pub struct SlimEvent {
    #[serde(deserialize_with = "meta::read::<meta::NamesOnly, _>")]
    pub metadata: ObjectMeta,
    #[serde(alias = "regarding", deserialize_with = "lenient::or_default")]
    pub involved_object: Involved,
    pub reason: Option<String>,
    #[serde(alias = "note")]
    pub message: Option<String>,
    #[serde(alias = "deprecatedCount")]
    pub count: Option<i32>,
    #[serde(alias = "deprecatedFirstTimestamp")]
    pub first_timestamp: Moment,
    #[serde(alias = "deprecatedLastTimestamp")]
    pub last_timestamp: Moment,
    pub event_time: Moment,
    #[serde(deserialize_with = "lenient::or_default")]
    pub series: Series,
}

/// The object that an Event is about.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Involved {
    pub kind: Option<String>,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub uid: Option<String>,
    /// `spec.containers{web}`.
    pub field_path: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Series {
    pub count: Option<i32>,
    pub last_observed_time: Moment,
}
