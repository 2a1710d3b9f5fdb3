//! `backstay selftest`: can this installation do its work? Run from inside the cluster, as `helm test` does.
//!
//! One line per check. Nothing is written but access reviews, which the API server does not keep.

mod rights;

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Args};
use futures::{StreamExt, stream};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::PostParams;
use tokio::time::Instant;

use self::rights::Right;
use super::failure::{Failed, is_unserved};
use super::page::one_line;
use super::reach::{Cluster, ReachArgs};
use super::{FAILING, print};
use crate::api::crds;
use crate::config::{AroundArgs, Mode};

/// A leader renews every two seconds and gives up after ten (client-go's times), so this is long enough to see it.
const RENEWAL: Duration = Duration::from_secs(15);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Access reviews under way at a time.
const REVIEWS: usize = 8;

#[derive(Args, Debug)]
#[command(after_help = "Exit codes: 0 every check passed, 1 a check failed, 2 the cluster cannot be asked.")]
pub struct SelftestArgs {
    /// The mode the operator was installed in
    #[arg(long, env = "BACKSTAY_MODE", value_enum, default_value = "enforce", value_name = "MODE")]
    pub mode: Mode,
    /// The namespaces the operator watches; without any, the whole cluster
    #[arg(long = "watch-namespace", value_delimiter = ',', value_name = "NAMESPACE")]
    pub watch_namespaces: Vec<String>,
    /// The operator was installed to read logs
    #[arg(long, env = "BACKSTAY_READ_LOGS", action = ArgAction::Set, default_value_t = true, value_name = "BOOL")]
    pub read_logs: bool,
    /// The Lease by which replicas agree on who acts
    #[arg(long, env = "BACKSTAY_LEASE_NAME", default_value = "backstay", value_name = "NAME")]
    pub lease_name: String,
    /// The namespace of the Lease. Without it, the one of the pod or the context
    #[arg(long, env = "POD_NAMESPACE", value_name = "NAMESPACE")]
    pub lease_namespace: Option<String>,
    #[command(flatten)]
    pub around: AroundArgs,
    /// The pod this runs in, for the first line
    #[arg(long, env = "POD_NAME", hide = true)]
    pub pod: Option<String>,
    #[arg(long, value_name = "CONTEXT", help_heading = "Cluster")]
    pub context: Option<String>,
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub kubeconfig: Option<std::path::PathBuf>,
}

/// The outcome of one check: what was checked, and what is wrong with it if anything is.
type Check = (String, Option<String>);

pub async fn run(args: &SelftestArgs) -> anyhow::Result<ExitCode> {
    let reach = ReachArgs {
        namespace: args.lease_namespace.clone(),
        context: args.context.clone(),
        kubeconfig: args.kubeconfig.clone(),
    };
    let cluster = reach.connect().await?;
    let version = version(&cluster).await?;
    let mode = match args.mode {
        Mode::Enforce => "enforce",
        Mode::Observe => "observe",
    };
    let pod = args.pod.as_deref().unwrap_or("this process");
    print(&format!("{pod} asks {} (Kubernetes {version}), mode {mode}\n", cluster.server))?;
    let mut failed = 0_usize;
    let mut total = 0_usize;
    let mut tell = |checks: Vec<Check>| {
        for (what, wrong) in checks {
            total += 1;
            failed += usize::from(wrong.is_some());
            print(&line(&what, wrong.as_deref()))?;
        }
        Ok::<(), anyhow::Error>(())
    };
    tell(kinds(&cluster).await?)?;
    tell(vec![lease(&cluster, &args.lease_name).await])?;
    let installed = rights::Installed { mode: args.mode, around: &args.around, read_logs: args.read_logs };
    let wanted = rights::wanted(installed, &args.watch_namespaces, (&cluster.namespace, &args.lease_name));
    // In order, so that the lines of two runs can be compared.
    let reviews = stream::iter(wanted.iter().map(|right| review(&cluster, right))).buffered(REVIEWS);
    tell(reviews.collect().await)?;
    print(&format!("{} passed, {failed} failed\n", total - failed))?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(FAILING) })
}

fn line(what: &str, wrong: Option<&str>) -> String {
    match wrong {
        None => format!("ok      {what}\n"),
        Some(wrong) => format!("FAILED  {what}: {}\n", one_line(wrong)),
    }
}

async fn version(cluster: &Cluster) -> Result<String, Failed> {
    let answer = cluster.client.apiserver_version().await;
    answer.map(|info| info.git_version).map_err(|error| cluster.failed("asking for the version", &error))
}

/// Every definition is served in the version this build speaks.
async fn kinds(cluster: &Cluster) -> Result<Vec<Check>, Failed> {
    let served = match cluster.client.list_api_group_resources("backstay.dev/v1alpha1").await {
        Ok(list) => list.resources.into_iter().map(|resource| resource.name).collect(),
        Err(error) if is_unserved(&error) => Vec::new(),
        Err(error) => return Err(cluster.failed("asking which resources are served", &error)),
    };
    let check = |plural: String| {
        let wrong = (!served.contains(&plural)).then(|| "it is not served; install the definitions".to_owned());
        (format!("{plural}.backstay.dev/v1alpha1 is served"), wrong)
    };
    Ok(crds::all().into_iter().map(|crd| check(crd.spec.names.plural)).collect())
}

/// Somebody holds the lease and is seen to renew it.
async fn lease(cluster: &Cluster, name: &str) -> Check {
    let what = format!("lease {}/{name} is held and renewed", cluster.namespace);
    let api: Api<Lease> = Api::namespaced(cluster.client.clone(), &cluster.namespace);
    let until = Instant::now() + RENEWAL;
    let mut first: Option<Lease> = None;
    loop {
        let wrong = match api.get_opt(name).await {
            Ok(Some(now)) => match renewed(first.as_ref(), &now) {
                Ok(holder) => return (format!("{what} by {}", one_line(&holder)), None),
                Err(wrong) => {
                    first.get_or_insert(now);
                    wrong
                }
            },
            Ok(None) => "there is no such lease; is the operator running?".to_owned(),
            Err(error) => cluster.failed("reading it", &error).to_string(),
        };
        if Instant::now() >= until {
            return (what, Some(format!("{wrong} within {} s", RENEWAL.as_secs())));
        }
        // A lease may be read by its name only, which does not allow a watch on what it is for.
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The holder, if the lease was renewed between two sights of it. The times are the leader's clock, so they are
/// compared with each other only.
fn renewed(first: Option<&Lease>, now: &Lease) -> Result<String, String> {
    let holder = |lease: &Lease| lease.spec.as_ref().and_then(|s| s.holder_identity.clone()).filter(|h| !h.is_empty());
    let time = |lease: &Lease| lease.spec.as_ref().and_then(|s| s.renew_time.as_ref().map(|t| t.0));
    let Some(name) = holder(now) else { return Err("nobody holds it".to_owned()) };
    match first {
        Some(first) if time(first) != time(now) => Ok(name),
        _ => Err(format!("{} holds it and was not seen to renew it", one_line(&name))),
    }
}

async fn review(cluster: &Cluster, right: &Right) -> Check {
    let mut wrong = Vec::new();
    for verb in &right.verbs {
        match may(cluster, right, verb).await {
            Ok(allowed) if allowed == right.expected => {}
            Ok(true) => wrong.push(format!("it may {verb}")),
            Ok(false) => wrong.push(format!("it may not {verb}")),
            Err(error) => wrong.push(error.to_string()),
        }
    }
    (right.to_string(), (!wrong.is_empty()).then(|| wrong.join(", ")))
}

async fn may(cluster: &Cluster, right: &Right, verb: &str) -> Result<bool, Failed> {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let attributes = ResourceAttributes {
        group: some(right.group),
        resource: some(right.resource),
        subresource: some(right.subresource),
        namespace: right.namespace.clone(),
        name: right.name.clone(),
        verb: some(verb),
        ..ResourceAttributes::default()
    };
    let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), non_resource_attributes: None };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let api: Api<SelfSubjectAccessReview> = Api::all(cluster.client.clone());
    let answer = api.create(&PostParams::default(), &review).await;
    let status = answer.map_err(|error| cluster.failed("asking for this right", &error))?.status;
    Ok(status.is_some_and(|status| status.allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, renewed: &str) -> Lease {
        serde_json::from_value(serde_json::json!({"spec": {"holderIdentity": holder, "renewTime": renewed}})).unwrap()
    }

    #[test]
    fn a_lease_counts_as_renewed_only_when_it_was_seen_to_be() {
        let first = lease("a", "2026-03-01T10:00:00.000000Z");
        assert!(renewed(None, &first).is_err());
        assert!(renewed(Some(&first), &first).is_err());
        let later = lease("a", "2026-03-01T10:00:02.000000Z");
        assert_eq!(renewed(Some(&first), &later), Ok("a".to_owned()));
        assert!(renewed(Some(&first), &lease("", "2026-03-01T10:00:02.000000Z")).is_err());
    }
}
