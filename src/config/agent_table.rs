//! `[agent]` and the global tags, put together from all files.
//!
//! # References
//! Telegraf's `LoadConfigData` and `AgentConfig`: files are taken in turn, what a later one says
//! counts, and the tag `host` is put in while each of them is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::errors::{ConfigError, Problem};
use super::general;
use crate::agent::options::AgentOptions;
use crate::plugin::settings::{Data, Place, Position, Table};

/// Settings that Telegraf finds whatever their case and underscores: `FlushInterval` too.
const LOOSE_KEYS: [&str; 11] = [
    "interval",
    "round_interval",
    "precision",
    "collection_jitter",
    "collection_offset",
    "flush_interval",
    "flush_jitter",
    "metric_batch_size",
    "metric_buffer_limit",
    "hostname",
    "omit_hostname",
];

/// What the files so far say about the agent.
pub(super) struct AgentTable {
    /// The keys of all `[agent]` tables so far.
    merged: Table,
    /// How many `[agent]` tables there have been.
    n_tables: usize,
    /// What the keys so far mean.
    pub options: AgentOptions,
    /// The global tags so far, `host` among them.
    pub tags: BTreeMap<String, String>,
    /// The name of this host as metrics carry it; empty while no file has asked for it.
    pub hostname: String,
}

impl AgentTable {
    pub(super) fn new() -> AgentTable {
        AgentTable {
            merged: Table::new("".into(), "agent", Position::default()),
            n_tables: 0,
            options: AgentOptions::default(),
            tags: BTreeMap::new(),
            hostname: String::new(),
        }
    }

    /// Adds the global tags of a file.
    pub(super) fn add_tags(
        &mut self,
        file: &Arc<str>,
        tables: &[Table],
        errors: &mut Vec<ConfigError>,
    ) {
        for table in tables {
            match table.read::<BTreeMap<String, String>>() {
                Ok(tags) => self.tags.extend(tags),
                Err(wrong) => errors.extend(wrong.into_iter().map(|error| {
                    let section = format!("table name {:?}:", &*table.section);
                    Problem::Value { section, error }.of(file)
                })),
            }
        }
    }

    /// Adds the `[agent]` table of a file.
    pub(super) fn add_agent(
        &mut self,
        file: &Arc<str>,
        mut table: Table,
        errors: &mut Vec<ConfigError>,
    ) {
        self.n_tables += 1;
        if self.n_tables == 2 {
            log::warn!(
                target: "",
                "Overlapping settings in multiple agent tables are not supported: may cause \
                 undefined behavior"
            );
        }
        normalize_keys(&mut table);
        let n_errors = errors.len();
        match table.read::<AgentOptions>() {
            Ok(options) => check(&options, file, &table, errors),
            Err(wrong) => errors.extend(
                wrong
                    .into_iter()
                    .map(|error| Problem::Value { section: "[agent]:".to_owned(), error }.of(file)),
            ),
        }
        general::accept(&table);
        errors.extend(
            table
                .unknown()
                .into_iter()
                .map(|error| Problem::Unknown { plugin: String::new(), error }.of(file)),
        );
        if errors.len() > n_errors {
            return;
        }
        warn_about_deprecated_values(&table);
        for entry in table.into_entries() {
            match self.merged.entries_mut().iter_mut().find(|known| known.key == entry.key) {
                Some(known) => *known = entry,
                None => self.merged.push(entry.key, entry.position, entry.value),
            }
        }
        // Every table was read on its own, so together they can be read as well.
        if let Ok(options) = self.merged.read() {
            self.options = options;
        }
    }

    /// How often servers of configurations are asked again, if a file so far has said so.
    pub(super) fn url_attempts(&self) -> Option<i64> {
        self.merged.get("config_url_retry_attempts").map(|_| self.options.config_url_retry_attempts)
    }

    /// Puts the tag `host` in, as it stands after each file.
    pub(super) fn add_host(&mut self, machine: impl FnOnce() -> String) {
        if self.options.omit_hostname {
            return;
        }
        if !self.options.hostname.is_empty() {
            self.hostname.clone_from(&self.options.hostname);
        } else if self.hostname.is_empty() {
            self.hostname = machine();
        }
        self.tags.insert("host".to_owned(), self.hostname.clone());
    }
}

/// Gives keys that are found whatever their case and underscores their usual names.
pub(super) fn normalize_keys(table: &mut Table) {
    let plain = |key: &str| key.to_lowercase().replace('_', "");
    for entry in table.entries_mut() {
        if let Some(key) = LOOSE_KEYS.iter().find(|key| plain(key) == plain(&entry.key)) {
            entry.key = (*key).to_owned();
        }
    }
}

fn check(options: &AgentOptions, file: &Arc<str>, table: &Table, errors: &mut Vec<ConfigError>) {
    let mut wrong = |key: &str, message: String| {
        let position = table.get(key).map_or(table.position, |entry| entry.position);
        let place: Place = table.place(position);
        errors.push(Problem::Shape { place, message }.of(file));
    };
    if options.collection_offset.is_negative() {
        let offset = options.collection_offset;
        wrong(
            "collection_offset",
            format!("agent collection_offset must not be negative, found {offset}"),
        );
    }
    if !matches!(options.buffer_strategy.as_str(), "" | "memory" | "disk" | "disk_write_through") {
        wrong("buffer_strategy", format!("invalid buffer strategy {:?}", options.buffer_strategy));
    }
}

fn warn_about_deprecated_values(table: &Table) {
    let text = |key: &str| match table.get(key).map(|entry| &entry.value.data) {
        Some(Data::String { text, .. }) => text.as_str(),
        _ => "",
    };
    if text("snmp_translator") == "netsnmp" {
        log::error!(
            target: "",
            "DeprecationError: Value \"netsnmp\" for option \"snmp_translator\" of plugin \"agent\" \
             deprecated since version 1.25.0 and will be removed in 1.40.0: Use 'gosmi' instead"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::sections::split;
    use crate::config::toml::parse;
    use crate::plugin::settings::Duration;

    fn load(files: &[&str]) -> (AgentTable, Vec<String>) {
        let mut agent = AgentTable::new();
        let mut errors = Vec::new();
        for text in files {
            let file: Arc<str> = "a.conf".into();
            let sections = split(&file, parse(&file, text).unwrap(), &mut errors);
            agent.add_tags(&file, &sections.global_tags, &mut errors);
            if let Some(table) = sections.agent {
                agent.add_agent(&file, table, &mut errors);
            }
            agent.add_host(|| "machine".to_owned());
        }
        let prefix = "loading config file a.conf failed: ";
        (agent, errors.iter().map(|error| error.to_string().replace(prefix, "")).collect())
    }

    fn tags(files: &[&str]) -> String {
        let (agent, errors) = load(files);
        assert_eq!(errors, [""; 0]);
        let tags: Vec<_> = agent.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        tags.join(" ")
    }

    #[test]
    fn the_oldest_settings_are_found_whatever_their_case() {
        let (agent, errors) =
            load(&["[agent]\nFlushInterval = '7s'\nROUNDINTERVAL = false\nMetricBatch_Size = 5"]);
        assert_eq!(errors, [""; 0]);
        assert_eq!(agent.options.flush_interval, Duration::from_secs(7));
        assert!(!agent.options.round_interval);
        assert_eq!(agent.options.metric_batch_size, 5);

        let (_, errors) = load(&["[agent]\nLogFile = 'x'"]);
        assert_eq!(
            errors,
            ["line 2: configuration specified the fields [\"LogFile\"], but they were not used; \
              this is either a typo or this config option does not exist in this version \
              (a.conf:2:1); did you mean `logfile`?"]
        );
    }

    #[test]
    fn agent_tables_merge_key_by_key_and_the_last_word_counts() {
        let (agent, errors) = load(&[
            "[agent]\ninterval = '5s'\nquiet = true",
            "[agent]\ninterval = '7s'\ndebug = true\nlvm = 1",
        ]);
        assert_eq!(errors, [""; 0]);
        assert_eq!(agent.options.interval, Duration::from_secs(7));
        assert!(agent.options.quiet && agent.options.debug);
    }

    #[test]
    fn host_is_put_in_while_each_file_is_read() {
        for (files, expected) in [
            (&[""][..], "host=machine"),
            (&["[agent]\nhostname = 'x'"], "host=x"),
            (&["[agent]\nomit_hostname = true"], ""),
            (&["[agent]\nomit_hostname = true\n[global_tags]\nhost = 'mine'"], "host=mine"),
            (&["[global_tags]\nhost = 'mine'"], "host=machine"),
            (&["", "[agent]\nomit_hostname = true"], "host=machine"),
            (&["[agent]\nomit_hostname = true", ""], ""),
            (&["", "[agent]\nhostname = 'late'"], "host=late"),
            (&["[tags]\na = '1'\nb = '1'\n[global_tags]\na = '2'"], "a=2 b=1 host=machine"),
            (&["[global_tags]\na = '1'", "[tags]\na = '3'"], "a=3 host=machine"),
            (&["[agent]\nhostname = '${UNSET}'"], "host=${UNSET}"),
        ] {
            assert_eq!(tags(files), expected, "{files:?}");
        }
    }

    #[test]
    fn all_errors_are_told_with_their_places() {
        let (_, errors) = load(&[
            "[agent]\ninterval = 'abc'\ndebug = 1\nintervall = '1s'\n[global_tags]\na = 5",
            "[agent]\ncollection_offset = '-1s'\nbuffer_strategy = 'tape'",
        ]);
        assert_eq!(
            errors,
            [
                "error parsing table name \"global_tags\": line 6: a: cannot unmarshal TOML \
                 integer into string (a.conf:6:5)",
                "error parsing [agent]: line 2: interval: time: invalid duration \"abc\" \
                 (a.conf:2:12)",
                "error parsing [agent]: line 3: debug: cannot unmarshal TOML integer into bool \
                 (a.conf:3:9)",
                "line 4: configuration specified the fields [\"intervall\"], but they were not \
                 used; this is either a typo or this config option does not exist in this version \
                 (a.conf:4:1); did you mean `interval`?",
                "agent collection_offset must not be negative, found -1s (a.conf:2:1)",
                "invalid buffer strategy \"tape\" (a.conf:3:1)",
            ]
        );
    }
}
