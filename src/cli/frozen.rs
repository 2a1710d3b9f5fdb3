//! `backstay frozen`: which Deployments Backstay holds paused. Asked by people, and by the chart before it is
//! uninstalled, since nobody would resume them after that.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use kube::api::ListParams;
use kube::{Api, ResourceExt};

use super::page::{one_line, table};
use super::reach::{Cluster, ReachArgs};
use super::{FAILING, print};
use crate::api::keys;
use crate::cluster::oneshot;
use crate::cluster::slim::SlimDeployment;

#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 none is held, 1 some are, 2 the cluster cannot be asked.")]
pub struct FrozenArgs {
    /// The namespaces, separated by commas. Without any, the one of the context
    #[arg(short, long = "namespace", value_delimiter = ',', value_name = "NAMESPACE", help_heading = "Cluster")]
    pub namespaces: Vec<String>,
    /// All namespaces
    #[arg(short = 'A', long, conflicts_with = "namespaces", help_heading = "Cluster")]
    pub all_namespaces: bool,
    /// The context of the kubeconfig. Without it, the current one
    #[arg(long, value_name = "CONTEXT", help_heading = "Cluster")]
    pub context: Option<String>,
    /// The kubeconfig. Without it, $KUBECONFIG, then ~/.kube/config, then the account of the pod
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub kubeconfig: Option<PathBuf>,
}

/// A Deployment that starts nothing until somebody resumes it.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    namespace: String,
    name: String,
    incident: String,
}

pub async fn run(args: &FrozenArgs) -> anyhow::Result<ExitCode> {
    let reach = ReachArgs { namespace: None, context: args.context.clone(), kubeconfig: args.kubeconfig.clone() };
    let cluster = reach.connect().await?;
    let mut held = Vec::new();
    for place in places(args, &cluster) {
        let (api, doing) = match &place {
            None => (Api::all(cluster.client.clone()), "listing Deployments in all namespaces".to_owned()),
            Some(namespace) => {
                let api = Api::namespaced(cluster.client.clone(), namespace);
                (api, format!("listing Deployments in namespace {namespace}"))
            }
        };
        let listed = oneshot::pages::<SlimDeployment>(&api, ListParams::default()).await;
        held.extend(listed.map_err(|error| cluster.failed(doing, &error))?.iter().filter_map(of));
    }
    if held.is_empty() {
        print("No Deployment is held by Backstay.\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    print(&render(&held))?;
    Ok(ExitCode::from(FAILING))
}

/// Where to look; `None` is everywhere.
fn places(args: &FrozenArgs, cluster: &Cluster) -> Vec<Option<String>> {
    match args.namespaces.as_slice() {
        _ if args.all_namespaces => vec![None],
        [] => vec![Some(cluster.namespace.clone())],
        some => some.iter().cloned().map(Some).collect(),
    }
}

/// Paused, and by Backstay. A mark without the pause is a leftover that holds nothing.
fn of(deployment: &SlimDeployment) -> Option<Held> {
    let incident = deployment.annotations().get(keys::PAUSED_FOR)?;
    (deployment.spec.paused == Some(true)).then(|| Held {
        namespace: deployment.namespace().unwrap_or_default(),
        name: deployment.name_any(),
        incident: incident.clone(),
    })
}

fn render(held: &[Held]) -> String {
    let mut rows = vec![["NAMESPACE", "NAME", "INCIDENT"].map(str::to_owned).to_vec()];
    rows.extend(held.iter().map(|h| [&h.namespace, &h.name, &h.incident].map(|cell| one_line(cell)).to_vec()));
    let mut text = table(&rows);
    text.push_str(
        "\nTheir templates start nothing. A new template resumes them by itself, or let the present one roll out:\n",
    );
    for Held { namespace, name, incident } in held {
        let command =
            format!("kubectl annotate -n {namespace} deployment/{name} {}={incident} --overwrite", keys::RESUME);
        text.push_str(&format!("  {}\n", one_line(&command)));
    }
    text.push_str("Where Backstay does not run, only observes or is to ignore them, a person resumes:\n");
    for Held { namespace, name, .. } in held {
        let command = format!("kubectl rollout resume -n {namespace} deployment/{name}");
        text.push_str(&format!("  {}\n", one_line(&command)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(paused: bool, mark: Option<&str>) -> SlimDeployment {
        let annotations = mark.map(|incident| serde_json::json!({keys::PAUSED_FOR: incident}));
        serde_json::from_value(serde_json::json!({
            "metadata": {"namespace": "shop", "name": "web", "annotations": annotations},
            "spec": {"paused": paused},
        }))
        .unwrap()
    }

    #[test]
    fn only_what_backstay_paused_and_is_still_paused_is_held() {
        assert_eq!(of(&deployment(true, None)), None, "somebody else paused it");
        assert_eq!(of(&deployment(false, Some("web-1"))), None, "somebody resumed it");
        assert_eq!(of(&deployment(true, Some("web-1"))).map(|h| h.incident), Some("web-1".to_owned()));
    }

    #[test]
    fn every_held_deployment_comes_with_the_ways_to_resume_it() {
        let web = of(&deployment(true, Some("web-7d9-1a-1"))).unwrap();
        let pay = Held { namespace: "billing".into(), name: "pay\u{1b}[2J".into(), incident: "pay-5f-2b-3".into() };
        insta::assert_snapshot!(render(&[web, pay]));
    }
}
