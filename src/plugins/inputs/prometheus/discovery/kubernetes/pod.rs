//! Pods, and what makes a target of one.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::super::target::Target;
use super::selector::{FieldSelector, LabelSelector};
use crate::http::UrlError;
use crate::plugin::Patterns;

/// Annotations with which a pod says how it is to be asked.
const SCRAPE: &str = "prometheus.io/scrape";
const SCHEME: &str = "prometheus.io/scheme";
const PORT: &str = "prometheus.io/port";
const PATH: &str = "prometheus.io/path";

const DEFAULT_SCHEME: &str = "http";
const DEFAULT_PORT: &str = "9102";
const DEFAULT_PATH: &str = "/metrics";

/// A pod or a namespace, as far as it matters here.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Object {
    pub(super) metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
    pub(super) resource_version: String,
    annotations: Option<BTreeMap<String, String>>,
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: String,
    restart_policy: String,
    scheduler_name: String,
    service_account_name: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    phase: String,
    #[serde(rename = "podIP")]
    pod_ip: String,
    nominated_node_name: String,
    conditions: Vec<Condition>,
    container_statuses: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
}

/// Where it stands whether and how a pod is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    /// With the pod, which has to ask for it.
    Annotations,
    /// In the settings.
    Settings,
    /// In the settings, and with the pod, which may say no.
    Both,
}

/// Which pods are targets, and what their metrics get.
pub(super) struct Rules {
    pub(super) method: Method,
    pub(super) scheme: String,
    pub(super) port: String,
    pub(super) path: String,
    /// The one namespace that counts; all if empty.
    pub(super) namespace: String,
    /// The tag that carries the namespace.
    pub(super) namespace_tag: String,
    pub(super) labels: LabelSelector,
    pub(super) fields: FieldSelector,
    pub(super) annotation_include: Option<Patterns>,
    pub(super) annotation_exclude: Option<Patterns>,
    pub(super) label_include: Option<Patterns>,
    pub(super) label_exclude: Option<Patterns>,
    /// What annotations of namespaces have to be, by key.
    pub(super) namespace_pass: Vec<(String, Patterns)>,
    /// What they may not be.
    pub(super) namespace_drop: Vec<(String, Patterns)>,
}

impl Object {
    /// Namespace and name.
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.metadata.namespace, self.metadata.name)
    }

    fn annotation(&self, name: &str) -> &str {
        let annotations = self.metadata.annotations.as_ref();
        annotations.and_then(|all| all.get(name)).map_or("", String::as_str)
    }

    fn is_ready(&self) -> bool {
        let has_condition = self.status.conditions.iter().any(|each| each.kind == "Ready");
        has_condition && self.status.phase == "Running"
    }

    fn field(&self, name: &str) -> &str {
        match name {
            "spec.nodeName" => &self.spec.node_name,
            "spec.restartPolicy" => &self.spec.restart_policy,
            "spec.schedulerName" => &self.spec.scheduler_name,
            "spec.serviceAccountName" => &self.spec.service_account_name,
            "status.phase" => &self.status.phase,
            "status.podIP" => &self.status.pod_ip,
            "status.nominatedNodeName" => &self.status.nominated_node_name,
            _ => "",
        }
    }
}

impl Rules {
    /// The target that a pod is, if it is one.
    ///
    /// # Errors
    /// If what it says of itself comes to no URL.
    pub(super) fn target(&self, pod: &Object) -> Result<Option<Target>, UrlError> {
        let empty = BTreeMap::new();
        let labels = pod.metadata.labels.as_ref().unwrap_or(&empty);
        let is_asked_for = match self.method {
            Method::Annotations => pod.annotation(SCRAPE) == "true",
            Method::Settings => true,
            Method::Both => pod.annotation(SCRAPE) != "false",
        };
        let is_target = is_asked_for
            && pod.is_ready()
            && (self.namespace.is_empty() || self.namespace == pod.metadata.namespace)
            && self.labels.matches(labels)
            && self.fields.matches(|name| pod.field(name));
        // One that has no address yet is told of again once it has.
        if !is_target || pod.status.pod_ip.is_empty() {
            return Ok(None);
        }
        let address = &pod.status.pod_ip;
        let host = if address.contains(':') { format!("[{address}]") } else { address.clone() };
        let scheme = self.part(pod, SCHEME, &self.scheme, DEFAULT_SCHEME);
        let port = match self.part(pod, PORT, &self.port, DEFAULT_PORT) {
            "0" => DEFAULT_PORT,
            port => port,
        };
        let path = self.part(pod, PATH, &self.path, DEFAULT_PATH);
        let slash = if path.starts_with(['/', '?']) { "" } else { "/" };
        let mut target = Target::of_url(&format!("{scheme}://{host}:{port}{slash}{path}"))?;
        target.address = Some(address.clone());
        let add = |tags: &mut Vec<(String, String)>,
                   pairs: &BTreeMap<String, String>,
                   include,
                   exclude| {
            let pairs = pairs.iter().filter(|(key, _)| passes(include, exclude, key));
            tags.extend(pairs.map(|(key, value)| (key.clone(), value.clone())));
        };
        let annotations = pod.metadata.annotations.as_ref().unwrap_or(&empty);
        let (include, exclude) = (&self.annotation_include, &self.annotation_exclude);
        add(&mut target.tags, annotations, include.as_ref(), exclude.as_ref());
        target.tags.push(("pod_name".to_owned(), pod.metadata.name.clone()));
        target.tags.push((self.namespace_tag.clone(), pod.metadata.namespace.clone()));
        let (include, exclude) = (&self.label_include, &self.label_exclude);
        add(&mut target.tags, labels, include.as_ref(), exclude.as_ref());
        Ok(Some(target))
    }

    /// What the pod says of itself, what the settings say, or the default.
    fn part<'p>(
        &'p self,
        pod: &'p Object,
        annotation: &str,
        setting: &'p str,
        default: &'p str,
    ) -> &'p str {
        let said = if self.method == Method::Settings { "" } else { pod.annotation(annotation) };
        let set = if self.method == Method::Annotations { "" } else { setting };
        [said, set].into_iter().find(|part| !part.is_empty()).unwrap_or(default)
    }

    /// Whether namespaces matter at all.
    pub(super) fn asks_for_namespaces(&self) -> bool {
        !(self.namespace_pass.is_empty() && self.namespace_drop.is_empty())
    }

    /// Whether pods of a namespace count.
    pub(super) fn counts_namespace(&self, namespace: &Object) -> bool {
        let is = |filters: &[(String, Patterns)]| {
            filters.iter().any(|(key, values)| {
                let annotations = namespace.metadata.annotations.as_ref();
                annotations
                    .and_then(|all| all.get(key))
                    .is_some_and(|value| values.match_any(value))
            })
        };
        (self.namespace_pass.is_empty() || is(&self.namespace_pass)) && !is(&self.namespace_drop)
    }
}

fn passes(include: Option<&Patterns>, exclude: Option<&Patterns>, key: &str) -> bool {
    include.is_none_or(|patterns| patterns.match_any(key))
        && !exclude.is_some_and(|patterns| patterns.match_any(key))
}

/// Whether a node says of a pod what has to be known of it.
pub(super) fn is_complete(pod: &Object) -> bool {
    pod.metadata.annotations.is_some()
        && pod.metadata.labels.is_some()
        && pod.status.container_statuses.is_some()
}
