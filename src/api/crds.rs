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
    use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaPropsOrBool;
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

    /// Every part of the definitions by its path.
    fn parts() -> Vec<(String, JSONSchemaProps)> {
        fn collect(path: &str, schema: &JSONSchemaProps, all: &mut Vec<(String, JSONSchemaProps)>) {
            all.push((path.to_owned(), schema.clone()));
            for (name, property) in schema.properties.iter().flatten() {
                collect(&format!("{path}.{name}"), property, all);
            }
            if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
                collect(&format!("{path}[]"), items, all);
            }
            if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
                collect(&format!("{path}{{}}"), values, all);
            }
        }
        let mut all = Vec::new();
        for crd in super::all() {
            let schema = crd.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
            collect(&crd.spec.names.kind, schema, &mut all);
        }
        all
    }

    #[test]
    fn every_field_says_what_it_is() {
        let fields = parts().into_iter().filter(|(path, _)| path.contains('.') && !path.ends_with(['}', ']']));
        let silent = fields.filter(|(_, schema)| schema.description.as_ref().is_none_or(|text| text.len() < 8));
        assert_eq!(silent.map(|(path, _)| path).collect::<Vec<_>>(), [""; 0], "kubectl explain has nothing to say");
    }

    #[test]
    fn every_list_map_and_text_has_a_maximum() {
        let boundless = |schema: &JSONSchemaProps| match schema.type_.as_deref() {
            Some("array") => schema.max_items.is_none(),
            Some("string") => schema.max_length.is_none() && schema.enum_.is_none() && schema.format.is_none(),
            Some("object") => schema.additional_properties.is_some() && schema.max_properties.is_none(),
            _ => false,
        };
        let boundless = parts().into_iter().filter(|(_, schema)| boundless(schema)).map(|(path, _)| path);
        assert_eq!(boundless.collect::<Vec<_>>(), [""; 0]);
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
