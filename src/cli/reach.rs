//! Which cluster and which namespace a command is about, as kubectl is told.

use std::path::PathBuf;

use clap::Args;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::failure::{Failed, innermost};
use crate::cluster::client;

#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cluster")]
pub struct ReachArgs {
    /// The namespace. Without it, the one of the context
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,

    /// The context of the kubeconfig. Without it, the current one
    #[arg(long, value_name = "CONTEXT")]
    pub context: Option<String>,

    /// The kubeconfig. Without it, $KUBECONFIG, then ~/.kube/config, then the account of the pod
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// A cluster that can be asked.
pub struct Cluster {
    pub client: Client,
    pub namespace: String,
    /// Its address, for messages.
    pub server: String,
}

impl ReachArgs {
    /// Reads the configuration; the cluster itself is not asked yet.
    pub async fn connect(&self) -> Result<Cluster, Failed> {
        let config = self.config().await?;
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let server = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let client = client::command_client(config)
            .map_err(|error| Failed::new("reading the credentials of the context", innermost(&error)))?;
        Ok(Cluster { client, namespace, server })
    }

    async fn config(&self) -> Result<Config, Failed> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        if let Some(path) = &self.kubeconfig {
            let doing = format!("reading kubeconfig {}", path.display());
            let failed = |error: &dyn std::error::Error| Failed::new(doing.clone(), innermost(error));
            let file = Kubeconfig::read_from(path).map_err(|error| failed(&error))?;
            return Config::from_custom_kubeconfig(file, &options).await.map_err(|error| failed(&error));
        }
        let doing = "finding the cluster";
        if let Some(context) = &self.context {
            let failed = |error| Failed::new(format!("{doing} of context {context}"), innermost(&error));
            return Config::from_kubeconfig(&options).await.map_err(failed);
        }
        Config::infer().await.map_err(|error| {
            Failed::new(doing, innermost(&error)).with_hint("name a kubeconfig with --kubeconfig or $KUBECONFIG")
        })
    }
}

impl Cluster {
    /// The failure of a call to this cluster.
    pub fn failed(&self, doing: impl Into<String>, error: &kube::Error) -> Failed {
        Failed::call(doing, &self.server, error)
    }
}
