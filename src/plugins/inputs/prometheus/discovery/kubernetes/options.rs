//! The options for pods.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::pod::{Method, Rules};
use super::selector::{FieldSelector, LabelSelector};
use crate::plugin::settings::{SettingsError, Table};
use crate::plugin::{BuildError, Patterns, SharedOptions, values_of};
use crate::system::environment_variable;

/// The fields that pods can be selected by.
const FIELDS: [&str; 7] = [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
];

/// Which pods are targets.
#[derive(Clone, Deserialize, Serialize, Default)]
#[serde(default)]
pub(in super::super::super) struct PodOptions {
    pub(super) monitor_kubernetes_pods: bool,
    monitor_kubernetes_pods_method: String,
    monitor_kubernetes_pods_scheme: String,
    monitor_kubernetes_pods_port: Port,
    monitor_kubernetes_pods_path: String,
    pub(super) monitor_kubernetes_pods_namespace: String,
    pod_scrape_scope: String,
    node_ip: String,
    pub(super) pod_scrape_interval: u64,
    pod_namespace_label_name: String,
    pub(super) kube_config: String,
    kubernetes_label_selector: String,
    kubernetes_field_selector: String,
    pod_annotation_include: Vec<String>,
    pod_annotation_exclude: Vec<String>,
    pod_label_include: Vec<String>,
    pod_label_exclude: Vec<String>,
    pub(super) cache_refresh_interval: u64,
    namespace_annotation_pass: BTreeMap<String, Vec<String>>,
    namespace_annotation_drop: BTreeMap<String, Vec<String>>,
}

/// A number, also as a text; 0 is the default.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
enum Port {
    Number(u16),
    Text(String),
}

impl Default for Port {
    fn default() -> Port {
        Port::Number(0)
    }
}

impl SharedOptions for PodOptions {
    fn read_values(table: &Table) -> Result<Map<String, Value>, Vec<SettingsError>> {
        values_of::<PodOptions>(table)
    }
}

/// Who is asked for pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// The server of the cluster.
    Cluster,
    /// The node of this address.
    Node(IpAddr),
}

impl PodOptions {
    /// Who is asked for pods.
    ///
    /// # Errors
    /// If it is a node, and its address is nowhere.
    pub(super) fn scope(&self) -> Result<Scope, BuildError> {
        if !self.pod_scrape_scope.eq_ignore_ascii_case("node") {
            return Ok(Scope::Cluster);
        }
        let named = environment_variable("NODE_IP").unwrap_or_default();
        [&self.node_ip, &named]
            .iter()
            .find_map(|text| text.parse().ok())
            .map(Scope::Node)
            .ok_or_else(|| {
                BuildError::invalid(
                    "the node_ip config and the environment variable NODE_IP are not set or \
                     invalid; cannot get pod list for monitor_kubernetes_pods using node scrape \
                     scope",
                )
            })
    }

    /// Which pods are targets, and what their metrics get.
    ///
    /// # Errors
    /// If a selector or a pattern makes no sense.
    pub(super) fn rules(&self) -> Result<Rules, BuildError> {
        let labels = LabelSelector::parse(&self.kubernetes_label_selector).map_err(|error| {
            BuildError::invalid(format!("error parsing the specified label selector(s): {error}"))
        })?;
        let fields = FieldSelector::parse(&self.kubernetes_field_selector).map_err(|error| {
            BuildError::invalid(format!("error parsing the specified field selector(s): {error}"))
        })?;
        if let Some(name) = fields.names().find(|name| !FIELDS.contains(name)) {
            return Err(BuildError::invalid(format!(
                "the field selector {name:?} is not supported for pods"
            )));
        }
        let patterns = |option: &str, patterns: &[String]| {
            Patterns::new(patterns).map_err(|error| {
                BuildError::invalid(format!("error compiling '{option}': {error}"))
            })
        };
        let annotations = |option: &str, pairs: &BTreeMap<String, Vec<String>>| {
            let mut filters = Vec::new();
            for (key, values) in pairs {
                if let Some(values) = patterns(option, values)? {
                    filters.push((key.clone(), values));
                }
            }
            Ok::<_, BuildError>(filters)
        };
        Ok(Rules {
            method: match self.monitor_kubernetes_pods_method.as_str() {
                "" | "annotations" => Method::Annotations,
                "settings" => Method::Settings,
                "settings+annotations" => Method::Both,
                other => {
                    return Err(BuildError::invalid(format!(
                        "monitor_kubernetes_pods_method is \"annotations\", \"settings\" or \
                         \"settings+annotations\", not {other:?}"
                    )));
                }
            },
            scheme: self.monitor_kubernetes_pods_scheme.clone(),
            port: match &self.monitor_kubernetes_pods_port {
                Port::Number(port) => port.to_string(),
                Port::Text(port) => port.clone(),
            },
            path: self.monitor_kubernetes_pods_path.clone(),
            namespace: self.monitor_kubernetes_pods_namespace.clone(),
            namespace_tag: match self.pod_namespace_label_name.as_str() {
                "" => "namespace".to_owned(),
                name => name.to_owned(),
            },
            labels,
            fields,
            annotation_include: patterns("pod_annotation_include", &self.pod_annotation_include)?,
            annotation_exclude: patterns("pod_annotation_exclude", &self.pod_annotation_exclude)?,
            label_include: patterns("pod_label_include", &self.pod_label_include)?,
            label_exclude: patterns("pod_label_exclude", &self.pod_label_exclude)?,
            namespace_pass: annotations(
                "namespace_annotation_pass",
                &self.namespace_annotation_pass,
            )?,
            namespace_drop: annotations(
                "namespace_annotation_drop",
                &self.namespace_annotation_drop,
            )?,
        })
    }
}
