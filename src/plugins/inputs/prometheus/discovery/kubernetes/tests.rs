//! Tests of the discovery against a server on this machine that stands in for a cluster.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::config::toml;
use crate::http::ServerResponse;
use crate::http::recorder::Recorder;
use crate::plugin::settings::Table;
use crate::system::RealClock;

fn options(text: &str) -> PodOptions {
    table(text).read().map_err(|errors| format!("{errors:?}")).unwrap()
}

fn table(text: &str) -> Table {
    toml::parse("test", text).unwrap()
}

fn pod(name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut pod = json!({
        "metadata": {
            "name": name, "namespace": "shop", "resourceVersion": "7",
            "annotations": {"prometheus.io/scrape": "true", "note": "n"},
            "labels": {"app": "web", "hash": "x"},
        },
        "spec": {"nodeName": "n1", "containers": [{"ports": [{"containerPort": 1}]}]},
        "status": {
            "phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [],
        },
    });
    change(&mut pod);
    pod
}

/// What the target of a pod shows, and its tags; nothing if it is none.
fn target(options_text: &str, pod: Value) -> Option<(String, String)> {
    let rules = options(options_text).rules().map_err(|error| error.to_string()).unwrap();
    let pod: Object = serde_json::from_value(pod).unwrap();
    let target = rules.target(&pod).unwrap()?;
    assert_eq!(target.address.as_deref().map(str::is_empty), Some(false));
    let tags: Vec<_> = target.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    Some((target.shown, tags.join(",")))
}

fn annotate(pod: &mut Value, annotations: &[(&str, &str)]) {
    for (key, value) in annotations {
        pod["metadata"]["annotations"][*key] = json!(value);
    }
}

#[test]
fn pods_say_how_they_are_to_be_asked() {
    let shown = |text: &str, annotations: &[(&str, &str)]| {
        target(text, pod("p", |pod| annotate(pod, annotations))).map(|(shown, _)| shown)
    };
    let said = [
        ("prometheus.io/scheme", "https"),
        ("prometheus.io/port", "8080"),
        ("prometheus.io/path", "/x?y=z"),
    ];
    let set = "monitor_kubernetes_pods_scheme = 'https'\nmonitor_kubernetes_pods_port = 99\n\
               monitor_kubernetes_pods_path = 'set'\nmonitor_kubernetes_pods_method =";
    let no = [("prometheus.io/scrape", "false")];
    for (text, annotations, expected) in [
        ("", &[][..], Some("http://10.0.0.1:9102/metrics")),
        ("", &said, Some("https://10.0.0.1:8080/x?y=z")),
        ("", &no, None),
        (&format!("{set} 'annotations'"), &[], Some("http://10.0.0.1:9102/metrics")),
        (&format!("{set} 'settings'"), &said, Some("https://10.0.0.1:99/set")),
        (&format!("{set} 'settings'"), &no, Some("https://10.0.0.1:99/set")),
        (&format!("{set} 'settings+annotations'"), &said, Some("https://10.0.0.1:8080/x?y=z")),
        (&format!("{set} 'settings+annotations'"), &no, None),
        (
            "monitor_kubernetes_pods_method = 'settings'\nmonitor_kubernetes_pods_port = '9'",
            &no,
            Some("http://10.0.0.1:9/metrics"),
        ),
    ] {
        assert_eq!(shown(text, annotations).as_deref(), expected, "{text} {annotations:?}");
    }
}

#[test]
fn only_pods_that_run_and_are_selected_are_targets() {
    let is_target = |text: &str, change: fn(&mut Value)| target(text, pod("p", change)).is_some();
    for (change, expected) in [
        ((|_| {}) as fn(&mut Value), true),
        (|pod| pod["status"]["phase"] = json!("Pending"), false),
        (|pod| pod["status"]["conditions"] = json!([]), false),
        (|pod| pod["status"]["podIP"] = json!(""), false),
        (|pod| pod["metadata"]["annotations"] = Value::Null, false),
    ] {
        assert_eq!(is_target("", change), expected);
    }
    for (text, expected) in [
        ("monitor_kubernetes_pods_namespace = 'shop'", true),
        ("monitor_kubernetes_pods_namespace = 'other'", false),
        ("kubernetes_label_selector = 'app=web'", true),
        ("kubernetes_label_selector = 'app!=web'", false),
        ("kubernetes_field_selector = 'spec.nodeName=n1'", true),
        ("kubernetes_field_selector = 'spec.nodeName=n2'", false),
    ] {
        assert_eq!(is_target(text, |_| {}), expected, "{text}");
    }
}

#[test]
fn metrics_get_annotations_and_labels_that_are_not_left_out() {
    let tags = |text: &str| target(text, pod("p", |_| {})).unwrap().1;
    assert_eq!(
        tags(""),
        "note=n,prometheus.io/scrape=true,pod_name=p,namespace=shop,app=web,hash=x"
    );
    let text = "pod_annotation_exclude = ['prometheus*']\npod_label_include = ['a*', 'h*']\n\
                pod_label_exclude = ['hash']\npod_namespace_label_name = 'ns'";
    assert_eq!(tags(text), "note=n,pod_name=p,ns=shop,app=web");
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let build = |text: &str| Pods::new(&options(text), &System::real()).map(|pods| pods.is_some());
    for (text, message) in [
        ("kubernetes_label_selector = 'a b'", "error parsing the specified label selector(s): "),
        ("kubernetes_field_selector = 'a'", "error parsing the specified field selector(s): "),
        ("kubernetes_field_selector = 'a=b'", "the field selector \"a\" is not supported for pods"),
        ("pod_scrape_scope = 'node'\nnode_ip = 'x'", "the node_ip config and the environment"),
        ("monitor_kubernetes_pods_method = 'x'", "monitor_kubernetes_pods_method is "),
        ("pod_label_include = ['[']", "error compiling 'pod_label_include': "),
    ] {
        let error = build(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    assert!(!build("").unwrap());
    assert!(build("monitor_kubernetes_pods = true").unwrap());
}

/// Reads the header of a request, and returns what it asks for and who says to ask.
fn request(stream: &mut TcpStream) -> (String, bool) {
    let mut header = Vec::new();
    let mut byte = [0];
    while !header.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
        header.extend_from_slice(&byte);
    }
    let header = String::from_utf8(header).unwrap();
    let target = header.split(' ').nth(1).unwrap().to_owned();
    (target, header.contains("Authorization: Bearer hush\r\n"))
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

fn event(kind: &str, object: &Value) -> String {
    chunk(&format!("{}\n", json!({"type": kind, "object": object})))
}

#[test]
fn pods_come_and_go_as_the_server_tells() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let text = json!({
        "current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": format!("http://{}", listener.local_addr().unwrap())}}],
        "users": [{"name": "u", "user": {"token": "hush"}}],
    });
    std::fs::write(&config, text.to_string()).unwrap();
    let (events, to_tell) = crossbeam_channel::unbounded::<String>();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = asked.clone();
    let server = std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let (target, is_known) = request(&mut stream);
            assert!(is_known);
            kept.lock().unwrap().push(target.clone());
            if target.contains("watch=1") {
                stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
                // Until the client goes away.
                for event in &to_tell {
                    stream.write_all(event.as_bytes()).unwrap();
                }
                return;
            }
            let list = json!({"metadata": {"resourceVersion": "5"}, "items": [pod("a", |_| {})]});
            let list = list.to_string();
            let header = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{list}",
                list.len()
            );
            stream.write_all(header.as_bytes()).unwrap();
        }
    });
    let text = format!("monitor_kubernetes_pods = true\nkube_config = {config:?}");
    let mut pods = Pods::new(&options(&text), &System::real())
        .map_err(|error| error.to_string())
        .unwrap()
        .unwrap();
    let log = PluginLog::new("inputs.prometheus");
    pods.start(&log).map_err(|error| error.source.to_string()).unwrap();
    let mut names = || {
        let name =
            |target: Target| target.tags.into_iter().find(|(key, _)| key == "pod_name").unwrap().1;
        pods.targets(&log).into_iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["a"]);
    let address = |pod: &mut Value| pod["status"]["podIP"] = json!("10.0.0.2");
    for (event, expected) in [
        (event("ADDED", &pod("b", address)), &["a", "b"][..]),
        (event("DELETED", &pod("a", |_| {})), &["b"]),
        (event("MODIFIED", &pod("b", |pod| annotate(pod, &[("prometheus.io/scrape", "no")]))), &[]),
    ] {
        events.send(event).unwrap();
        let clock = RealClock::new();
        while names() != expected {
            assert!(clock.elapsed() < Duration::from_secs(30), "{expected:?}");
            std::thread::yield_now();
        }
    }
    // It ends at once, though the server would go on.
    pods.stop();
    drop(events);
    server.join().unwrap();
    assert_eq!(
        *asked.lock().unwrap(),
        [
            "/api/v1/pods",
            "/api/v1/pods?allowWatchBookmarks=true&resourceVersion=5&timeoutSeconds=300&watch=1"
        ]
    );
}

#[test]
fn a_node_tells_of_its_pods() {
    let list = json!({"items": [
        pod("a", |_| {}),
        pod("incomplete", |pod| pod["metadata"]["labels"] = Value::Null),
    ]});
    let server = Recorder::start(move |_| {
        ServerResponse::with_body(200, "application/json", list.to_string())
    });
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let text = "current-context: c\ncontexts:\n- {name: c, context: {cluster: k}}\nclusters:\n\
                - {name: k, cluster: {server: 'https://h'}}\n";
    std::fs::write(&config, text).unwrap();
    let text = "monitor_kubernetes_pods = true\npod_scrape_scope = 'Node'\nnode_ip = '127.0.0.1'";
    let mut pods = Pods::new(&options(text), &System::real()).map_err(|e| e.to_string()).unwrap();
    let pods = pods.as_mut().unwrap();
    let access = Access::find(config.to_str().unwrap(), |_| None).unwrap();
    let url = Url::parse(&format!("{}/pods", server.url)).unwrap();
    let node = Node::new(url, access, Duration::from_secs(60), &pods.clock).unwrap();
    pods.source = Some(Source::Node(Box::new(node)));
    let log = PluginLog::new("inputs.prometheus");
    for _ in 0..2 {
        assert_eq!(pods.targets(&log).len(), 1);
    }
    assert_eq!(server.take().len(), 1);
}

#[test]
fn namespaces_count_by_their_annotations() {
    let namespace = |annotations: Value| -> Object {
        serde_json::from_value(json!({"metadata": {"name": "n", "annotations": annotations}}))
            .unwrap()
    };
    let counts = |text: &str, annotations: Value| {
        let rules = options(text).rules().map_err(|error| error.to_string()).unwrap();
        assert!(rules.asks_for_namespaces());
        rules.counts_namespace(&namespace(annotations))
    };
    let pass = "[namespace_annotation_pass]\nteam = ['a*', 'b']";
    let drop = "[namespace_annotation_drop]\nstage = ['test']";
    for (text, annotations, expected) in [
        (pass, json!({"team": "ab"}), true),
        (pass, json!({"team": "c"}), false),
        (pass, Value::Null, false),
        (drop, json!({"stage": "test"}), false),
        (drop, json!({"team": "c"}), true),
        (&format!("{pass}\n{drop}"), json!({"team": "b", "stage": "test"}), false),
        (&format!("{pass}\n{drop}"), json!({"team": "b"}), true),
    ] {
        assert_eq!(counts(text, annotations), expected, "{text}");
    }
}
