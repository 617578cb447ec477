//! Metrics of a broker on their way to InfluxDB, and the dashboards and alerts that read them there.

use std::fs;
use std::path::{Path, PathBuf};

use metric_agent::http::{Client, ClientSettings, Request, Url, encode_pairs};
use metric_agent::system::System;
use serde_json::Value;

use super::Example;
use crate::support::wait_for;

fn grafana() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/broker-metrics/grafana")
}

/// Something in Grafana that asks the database.
#[derive(Debug)]
struct Question {
    /// File, panel and what the answer is called, for messages.
    name: String,
    query: String,
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// What all panels of all dashboards ask.
fn panels() -> Vec<Question> {
    let mut questions = Vec::new();
    for entry in fs::read_dir(grafana().join("dashboards")).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let board = read(&path);
        for panel in list(&board, "panels") {
            let targets = list(panel, "targets");
            assert!(panel["type"] == "row" || !targets.is_empty(), "{file}: {panel} asks nothing");
            for target in targets {
                let (title, alias) = (text(&panel["title"]), text(&target["alias"]));
                let name = format!("{file}: {title}: {alias}");
                questions.push(Question { name, query: text(&target["query"]).to_owned() });
            }
        }
    }
    questions
}

/// What all rules for alerts ask, and how each goes on.
fn rules() -> Vec<Value> {
    let alerting = read(&grafana().join("provisioning/alerting/kafka.json"));
    list(&alerting, "groups").iter().flat_map(|group| list(group, "rules").to_vec()).collect()
}

/// A query as Grafana sends it: with a span of time, buckets, and "All" for each variable.
fn filled(query: &str) -> String {
    let mut query = query.replace("$timeFilter", "time > now() - 10m").replace("$__interval", "2s");
    while let Some((before, after)) = query.split_once("/^$") {
        let (_, after) = after.split_once('$').unwrap();
        query = format!("{before}/^.*${after}");
    }
    assert!(!query.replace("$/", "").contains('$'), "a variable is left: {query}");
    query
}

struct Database {
    client: Client,
    url: Url,
}

impl Database {
    /// Asks for a query; how many values there are.
    fn count_values(&self, query: &str) -> usize {
        let pairs = [("db", "kmetrics"), ("q", query)];
        let url = self.url.clone().joined("query").with_query(encode_pairs(pairs));
        let response = self.client.send(&Request::new("GET", url, b"")).unwrap();
        let answer: Value = serde_json::from_slice(&response.body).unwrap();
        let result = &answer["results"][0];
        assert!(result["error"].is_null() && response.status == 200, "{query}: {answer}");
        let series = list(result, "series").iter();
        let rows = series.flat_map(|series| list(series, "values"));
        // The first of each row is its time.
        rows.flat_map(|row| row.as_array().unwrap().iter().skip(1))
            .filter(|value| !value.is_null())
            .count()
    }
}

#[test]
fn every_panel_and_every_alert_of_the_broker_metrics_finds_points() {
    let mut example = Example::stay("broker-metrics", &[("INTERVAL", "1s"), ("WINDOW", "5s")]);
    let url = example.running().wait_for_log("InfluxDB is at ", super::LIMIT);
    let url = url.rsplit_once(' ').unwrap().1;
    let client = Client::new(ClientSettings::default(), System::real().clock).unwrap();
    let database = Database { client, url: Url::parse(url).unwrap() };

    let mut questions = panels();
    assert!(questions.len() > 40, "{questions:?}");
    let rules = rules();
    assert_eq!(rules.len(), 6);
    questions.extend(rules.iter().map(|rule| Question {
        name: format!("alert: {}", text(&rule["title"])),
        query: text(&rule["data"][0]["model"]["query"]).to_owned(),
    }));
    // Some rates are there after a few rounds only.
    questions.retain(|question| database.count_values(&filled(&question.query)) == 0);
    for Question { name, query } in questions {
        let query = filled(&query);
        wait_for(&format!("points for {name}: {query}"), super::LIMIT, || {
            (database.count_values(&query) > 0).then_some(())
        });
    }
}

#[test]
fn every_alert_judges_what_it_asks_and_says_what_it_means() {
    for rule in rules() {
        let title = text(&rule["title"]);
        assert!(!text(&rule["annotations"]["summary"]).is_empty(), "{title}");
        let steps = list(&rule, "data");
        assert_eq!(steps.len(), 3, "{title}");
        assert_eq!(rule["condition"], "C", "{title}");
        assert_eq!(steps[1]["model"]["expression"], "A", "{title}");
        assert!(text(&steps[2]["model"]["expression"]).starts_with("$B "), "{title}");
    }
}

#[test]
fn variables_of_dashboards_are_filled_as_grafana_fills_them() {
    assert_eq!(
        filled(
            "SELECT x WHERE $timeFilter AND a =~ /^$host$/ AND b =~ /^$b$/ GROUP BY time($__interval)"
        ),
        "SELECT x WHERE time > now() - 10m AND a =~ /^.*$/ AND b =~ /^.*$/ GROUP BY time(2s)"
    );
}
