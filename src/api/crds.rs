//! The CustomResourceDefinitions as they are written into `crds/`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

use super::{ClusterIncidentPolicy, Incident, IncidentPolicy, WorkloadHealth};

/// All definitions, in the order of their file names.
pub fn all() -> Vec<CustomResourceDefinition> {
    let crds = vec![ClusterIncidentPolicy::crd(), Incident::crd(), IncidentPolicy::crd(), WorkloadHealth::crd()];
    crds.into_iter().map(readable).collect()
}

/// A definition as YAML, as it is written into `crds/`.
///
/// # Errors
/// A definition that cannot be written as YAML, which its own types rule out.
pub fn yaml(crd: &CustomResourceDefinition) -> Result<String, serde_saphyr::ser_error::Error> {
    serde_saphyr::to_string(crd)
}

/// What the derive leaves unfinished: `kubectl explain` shows the kind's own description, and integers carry no
/// formats that the API server warns about.
fn readable(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) else { continue };
        let spec = schema.properties.as_ref().and_then(|p| p.get("spec"));
        schema.description = spec.and_then(|s| s.description.clone());
        plain_integers(schema);
    }
    crd
}

fn plain_integers(schema: &mut JSONSchemaProps) {
    if schema.format.as_deref().is_some_and(|f| f.starts_with("uint")) {
        schema.format = None;
    }
    schema.properties.iter_mut().flatten().for_each(|(_, property)| plain_integers(property));
    match schema.items.as_mut() {
        Some(JSONSchemaPropsOrArray::Schema(one)) => plain_integers(one),
        Some(JSONSchemaPropsOrArray::Schemas(many)) => many.iter_mut().for_each(plain_integers),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt;

    use super::*;

    #[test]
    fn the_files_are_what_the_types_say() {
        for crd in all() {
            let path = format!("{}/crds/{}.yaml", env!("CARGO_MANIFEST_DIR"), crd.spec.names.plural);
            let file = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(file, yaml(&crd).unwrap(), "{} differs from its type: run `make generate`", crd.name_any());
        }
    }

    #[test]
    fn every_kind_describes_itself() {
        for crd in all() {
            let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
            let text = schema.description.clone().unwrap_or_default();
            assert!(text.len() > 40 && !text.contains("Auto-generated"), "{}: {text}", crd.name_any());
        }
    }
}
