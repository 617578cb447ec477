//! Whole configurations through the loader, with plugins made for it.

use std::fs;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::environment::{Dialect, Handling};
use super::selector::Selector;
use super::sources::Sources;
use super::*;
use crate::agent::running_input::Timing;
use crate::agent::running_output::Flushing;
use crate::metric::{Metric, Timestamp};
use crate::plugin::{
    Accumulator, Aggregator, Build, BuildError, ConnectError, Context, Declaration, Formats, Input,
    Output, Parser, PluginError, Processor, Statistics, WriteError,
};
use crate::system::fake::FakeClock;
use crate::system::{Host, HostRoots, Random, System};

/// Settings of every plugin here.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
struct Config {
    flag: bool,
    count: i64,
    text: String,
    /// Asks for a parser.
    parses: bool,
}

struct Plugin;

impl Config {
    fn plugin(&self, context: &Context<'_>) -> Result<Plugin, BuildError> {
        if self.count < 0 {
            return Err(BuildError::invalid("count makes no sense"));
        }
        if self.parses {
            context.parser("lines")?;
        }
        Ok(Plugin)
    }
}

impl Input for Plugin {
    fn gather(&mut self, _: &mut Accumulator<'_>) -> Result<(), PluginError> {
        Ok(())
    }
}

impl Output for Plugin {
    fn connect(&mut self) -> Result<(), ConnectError> {
        panic!("loading must not connect")
    }

    fn write(&mut self, _: &[Metric]) -> Result<(), WriteError> {
        Ok(())
    }
}

impl Processor for Plugin {
    fn apply(&mut self, metrics: Vec<Metric>) -> Vec<Metric> {
        metrics
    }
}

impl Aggregator for Plugin {
    fn add(&mut self, _: &Metric) {}
    fn push(&mut self, _: &mut Accumulator<'_>) {}
    fn reset(&mut self) {}
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct LinesConfig {
    separator: String,
}

struct Lines;

impl Parser for Lines {
    fn parse(&mut self, _: &[u8]) -> Result<Vec<Metric>, PluginError> {
        Ok(Vec::new())
    }
}

impl Build<dyn Parser> for LinesConfig {
    fn build(self, _: &Context<'_>) -> Result<Box<dyn Parser>, BuildError> {
        Ok(Box::new(Lines))
    }
}

macro_rules! builds {
    ($($kind:ident),*) => {$(
        impl Build<dyn $kind> for Config {
            fn build(self, context: &Context<'_>) -> Result<Box<dyn $kind>, BuildError> {
                Ok(Box::new(self.plugin(context)?))
            }
        }
    )*};
}
builds!(Input, Output, Processor, Aggregator);

static INPUT: Declaration<dyn Input> = Declaration::new::<Config>("probe", "");
static OTHER_INPUT: Declaration<dyn Input> = Declaration::new::<Config>("other", "");
static OUTPUT: Declaration<dyn Output> = Declaration::new::<Config>("hole", "");
static PROCESSOR: Declaration<dyn Processor> = Declaration::new::<Config>("pass", "");
static OTHER_PROCESSOR: Declaration<dyn Processor> = Declaration::new::<Config>("other", "");
static AGGREGATOR: Declaration<dyn Aggregator> = Declaration::new::<Config>("sum", "");
static PARSER: Declaration<dyn Parser> = Declaration::new::<LinesConfig>("lines", "");

static PLUGINS: Plugins = Plugins {
    inputs: &[&OTHER_INPUT, &INPUT],
    outputs: &[&OUTPUT],
    processors: &[&OTHER_PROCESSOR, &PROCESSOR],
    aggregators: &[&AGGREGATOR],
    formats: Formats { parsers: &[&PARSER], serializers: &[] },
};

fn variable(name: &str) -> Option<String> {
    let value = match name {
        "FIVE" => "5",
        "YES" => "true",
        "TEXT" => "some text",
        "SPAN" => "7s",
        "LINE" => "count = 3\ntext = 'injected'",
        _ => return None,
    };
    Some(value.to_owned())
}

fn system() -> System {
    System {
        clock: Arc::new(FakeClock::at(Timestamp::EPOCH)),
        host: Arc::new(Host::new(HostRoots::from_variables(|_| None))),
        random: Random::from_seed(1),
    }
}

/// Loads files of these texts, called `0.conf` and so on in messages.
fn load(options: &LoadOptions, texts: &[&str]) -> Result<Loaded, Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let prefix = format!("{}/", folder.path().display());
    let mut sources = Sources::default();
    for (index, text) in texts.iter().enumerate() {
        let path = format!("{prefix}{index}.conf");
        fs::write(&path, text).unwrap();
        sources.files.push(path);
    }
    let loader = Loader {
        options,
        plugins: &PLUGINS,
        environment: &variable,
        system: &system(),
        statistics: &Statistics::default(),
    };
    let result = loader.load(&sources);
    result.map_err(|errors| {
        let lines = errors.0.iter().map(|error| error.to_string().replace(&prefix, ""));
        lines.map(|line| line.replace("loading config file 0.conf failed: ", "")).collect()
    })
}

fn check(text: &str) -> Vec<String> {
    let options = LoadOptions { purpose: Purpose::Check, ..LoadOptions::default() };
    load(&options, &[text]).err().unwrap_or_default()
}

fn run(text: &str) -> Loaded {
    let text = format!("{text}\n[[inputs.probe]]\n[[outputs.hole]]\n");
    load(&LoadOptions::default(), &[&text]).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn loaded(result: &Loaded) -> String {
    let plugins = result.plugins.iter();
    let names: Vec<_> = plugins.map(|plugin| format!("{}.{}", plugin.kind, plugin.name)).collect();
    names.join(" ")
}

#[test]
fn everything_wrong_in_a_file_is_told_at_once() {
    let errors = check(
        "[agent]\n\
         interval = 'abc'\n\
         [[inputs.probe]]\n\
         \x20 flag = 'yes'\n\
         \x20 count = 1.5\n\
         \x20 namepass = 'x'\n\
         [[inputs.prob]]\n\
         [[outputs.hole]]\n\
         \x20 flagg = true\n\
         \x20 flush_jitter = '-1s'\n\
         [[outputs.hole]]\n\
         \x20 count = -1\n\
         [[processors.pass]]\n\
         \x20 order = '1'\n\
         \x20 namedrop = ['[x']\n\
         [[aggregators.sum]]\n\
         \x20 period = '0s'\n\
         \x20 drop_original = 'maybe'\n",
    );
    assert_eq!(
        errors,
        [
            "error parsing [agent]: line 2: interval: time: invalid duration \"abc\" (0.conf:2:12)",
            "error parsing probe, line 4: flag: cannot unmarshal TOML string into bool \
             (0.conf:4:10)",
            "error parsing probe, line 5: count: cannot unmarshal TOML float into integer \
             (0.conf:5:11)",
            "error parsing probe, line 6: namepass: cannot unmarshal TOML string into array \
             (0.conf:6:14)",
            "error parsing prob, undefined but requested input: prob (0.conf:7:1); did you mean \
             \"probe\"?",
            "plugin outputs.hole: line 9: configuration specified the fields [\"flagg\"], but they \
             were not used; this is either a typo or this config option does not exist in this \
             version (0.conf:9:3); did you mean `flag`?",
            "error parsing hole array, negative flush_jitter \"-1s\" is not allowed (0.conf:10:3)",
            "could not initialize output outputs.hole: count makes no sense (0.conf:11:1)",
            "error parsing pass, line 14: order: cannot unmarshal TOML string into integer \
             (0.conf:14:11)",
            "error parsing pass, error compiling 'namedrop', invalid pattern \"[x\": unexpected end \
             of input (0.conf:15:3)",
            "error parsing sum, line 18: drop_original: cannot unmarshal \"maybe\" into bool \
             (0.conf:18:19)",
        ]
    );
}

#[test]
fn errors_of_all_files_are_told() {
    let options = LoadOptions { purpose: Purpose::Check, ..LoadOptions::default() };
    let errors = load(&options, &["x = ", "[[inputs.nosuch]]"]).err().unwrap();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].starts_with("error parsing data: line 1: invalid TOML syntax"), "{errors:?}");
    assert!(errors[1].contains("1.conf failed: error parsing nosuch, undefined"), "{errors:?}");
}

#[test]
fn one_section_with_one_fault_says_it_in_telegrafs_words() {
    for (text, message) in [
        (
            "[[inputs.probe]]\nstartup_error_behavior = 'bogus'",
            "error parsing probe, line 2: startup_error_behavior: invalid value \"bogus\", \
             expecting one of \"error\", \"retry\", \"ignore\", \"probe\" (0.conf:2:26)",
        ),
        (
            "[[outputs.hole]]\nstartup_error_behavior = 'probe'",
            "error parsing hole array, invalid 'startup_error_behavior' setting \"probe\" (0.conf:2:1)",
        ),
        (
            "[[inputs.probe]]\ncollection_offset = '-5s'",
            "error parsing probe, negative collection_offset \"-5s\" is not allowed (0.conf:2:1)",
        ),
        (
            "[[inputs.probe]]\n[inputs.probe.labels]\n'a b' = 'c'",
            "error parsing probe, invalid label in plugin inputs.probe: invalid key \"a b\" \
             (0.conf:2:15)",
        ),
        (
            "[[inputs.probe]]\n[inputs.probe.tags]\na = 5",
            "error parsing probe, line 3: tags.a: cannot unmarshal TOML integer into string \
             (0.conf:3:5)",
        ),
        (
            "[[inputs.probe]]\nmetricpass = 'true'",
            "error parsing probe, 'metricpass' is not supported by this version; use namepass, \
             namedrop, tagpass or tagdrop (0.conf:2:1)",
        ),
        (
            "[[inputs.probe]]\nparses = true\ndata_format = 'csv'",
            "could not initialize input inputs.probe: undefined but requested parser: csv (there \
             are: lines) (0.conf:1:1)",
        ),
        (
            "[[inputs.probe]]\ntext = 'x @{vault:key}'",
            "unknown secret store for \"@{vault:key}\" (0.conf:2:8)",
        ),
        (
            "[[inputs.probe]]\ntext = '${NONE:?it is needed}'",
            "error parsing data: required variable NONE is missing a value: it is needed \
             (0.conf:2:8)",
        ),
        (
            "[[secretstores.os]]",
            "error parsing os, undefined but requested secretstores: os (0.conf:1:1); this version \
             has no secretstores",
        ),
        (
            "[agent]\nmetric_batch_size = -1",
            "error parsing [agent]: line 2: metric_batch_size: value -1 is out of range \
             (0.conf:2:21)",
        ),
        (
            "[agent]\ninterval = inf",
            "error parsing [agent]: line 2: interval: time: invalid duration \"inf\" \
             (0.conf:2:12)",
        ),
        (
            "[[aggregators.sum]]\nperiod = '0s'",
            "error parsing sum, period must be positive, found 0s (0.conf:2:1)",
        ),
    ] {
        assert_eq!(check(text), [message], "{text}");
    }
}

#[test]
fn the_whole_must_be_able_to_run() {
    let probe = "[[inputs.probe]]\n[[outputs.hole]]\n";
    let with = |agent: &str| format!("[agent]\n{agent}\n{probe}");
    for (text, message) in [
        ("".to_owned(), "no outputs found, probably invalid config file provided"),
        ("[[inputs.probe]]".into(), "no outputs found, probably invalid config file provided"),
        ("[[outputs.hole]]".into(), "no inputs found, probably invalid config file provided"),
        (with("interval = '0s'"), "agent interval must be positive, found 0s"),
        (with("flush_interval = 0"), "agent flush_interval must be positive; found 0s"),
        (
            with(
                "skip_processors_after_aggregators = true\n\
                 skip_processors_before_aggregators = true",
            ),
            "cannot set both skip_processors_before_aggregators and \
             skip_processors_after_aggregators as true",
        ),
        (with("logformat = 'xml'"), "setting up logging failed: unsupported log-format: xml"),
        (
            with("logtarget = 'tape'"),
            "setting up logging failed: invalid deprecated 'logtarget' setting \"tape\"",
        ),
        (
            with("log_with_timezone = 'Mars/Base'"),
            "setting up logging failed: setting logging timezone failed: unknown time zone \
             Mars/Base",
        ),
    ] {
        let errors = load(&LoadOptions::default(), &[&text]).err().unwrap();
        let errors = errors[0].replace("[telegraf] Error running agent: ", "");
        assert_eq!(errors, message, "{text}");
    }
    let test = LoadOptions { purpose: Purpose::Test, ..LoadOptions::default() };
    assert!(load(&test, &["[[inputs.probe]]"]).is_ok());
    assert_eq!(check(""), [""; 0]);
}

#[test]
fn an_input_takes_from_the_agent_what_it_does_not_say() {
    let timing = |text: &str| run(text).plan.inputs.swap_remove(0).timing;
    let seconds = std::time::Duration::from_secs;
    let default = Timing {
        interval: seconds(10),
        jitter: seconds(0),
        offset: seconds(0),
        precision: seconds(1),
        service_precision: seconds(0),
    };
    assert_eq!(timing(""), default);
    let agent = "[agent]\ninterval = '20s'\ncollection_jitter = '2s'\ncollection_offset = '3s'\n\
                 precision = '4s'\n";
    let agents = Timing {
        interval: seconds(20),
        jitter: seconds(2),
        offset: seconds(3),
        precision: seconds(4),
        service_precision: seconds(0),
    };
    assert_eq!(timing(agent), agents);
    let own = "[[inputs.probe]]\ninterval = '500ms'\ncollection_jitter = '0s'\nprecision = '5s'\n";
    let owns = Timing {
        interval: std::time::Duration::from_millis(500),
        jitter: seconds(0),
        offset: seconds(3),
        precision: seconds(5),
        service_precision: seconds(5),
    };
    assert_eq!(timing(&format!("{agent}{own}")), owns);
    let short = "[[inputs.probe]]\ninterval = '500ms'";
    assert_eq!(timing(short).precision, std::time::Duration::from_millis(1));
}

#[test]
fn an_output_takes_from_the_agent_what_it_does_not_say() {
    let flushing = |text: &str| run(text).plan.outputs.swap_remove(0).flushing;
    let seconds = std::time::Duration::from_secs;
    let default = Flushing {
        interval: seconds(10),
        jitter: seconds(0),
        batch_size: 1_000,
        buffer_limit: 10_000,
    };
    assert_eq!(flushing(""), default);
    let agent = "[agent]\nflush_interval = '2s'\nflush_jitter = '3s'\nmetric_batch_size = 4\n\
                 metric_buffer_limit = 5\n";
    let agents =
        Flushing { interval: seconds(2), jitter: seconds(3), batch_size: 4, buffer_limit: 5 };
    assert_eq!(flushing(agent), agents);
    let own = "[[outputs.hole]]\nflush_interval = 6\nflush_jitter = '0s'\nmetric_batch_size = '7'\n\
               metric_buffer_limit = 8\n";
    let owns =
        Flushing { interval: seconds(6), jitter: seconds(0), batch_size: 7, buffer_limit: 8 };
    assert_eq!(flushing(&format!("{agent}{own}")), owns);
}

#[test]
fn processors_run_again_behind_aggregators_unless_they_are_told_not_to() {
    let counts = |text: &str| {
        let plan = run(&format!("{text}\n[[processors.pass]]")).plan;
        (plan.processors.len(), plan.aggregate_processors.len())
    };
    assert_eq!(counts(""), (1, 0));
    assert_eq!(counts("[[aggregators.sum]]"), (1, 1));
    let after = "[agent]\nskip_processors_after_aggregators = true\n[[aggregators.sum]]";
    assert_eq!(counts(after), (1, 0));
    let before = "[agent]\nskip_processors_before_aggregators = true\n[[aggregators.sum]]";
    assert_eq!(counts(before), (0, 1));
}

#[test]
fn processors_keep_file_order_where_their_order_is_the_same() {
    let options = LoadOptions { purpose: Purpose::Check, ..LoadOptions::default() };
    let result = load(
        &options,
        &[
            "[[processors.pass]]\nalias = 'a'\norder = 2\n[[processors.other]]\nalias = 'b'\n\
         [[processors.pass]]\nalias = 'c'",
            "[[processors.other]]\nalias = 'd'\norder = -1\n[[processors.pass]]\nalias = 'e'\norder = 2",
        ],
    );
    let orders: Vec<i64> =
        result.as_ref().unwrap().plan.processors.iter().map(|each| each.order).collect();
    assert_eq!(orders, [-1, 0, 0, 2, 2]);
    let names = loaded(&result.unwrap());
    let expected = "processors.pass processors.other processors.pass processors.other \
                    processors.pass";
    assert_eq!(names, expected);
}

#[test]
fn names_levels_and_tags_are_there_for_the_log() {
    let result =
        run("[agent]\nhostname = 'h'\n[global_tags]\na = '1'\n[[inputs.probe]]\nalias = 'x'\n\
         log_level = 'debug'\n[[inputs.other]]\nlog_level = 'loud'");
    assert_eq!(loaded(&result), "inputs.probe inputs.other inputs.probe outputs.hole");
    assert_eq!(result.plan.inputs[0].log.name(), "inputs.probe::x");
    assert_eq!(result.plugin_levels.len(), 1);
    assert_eq!(result.plugin_levels["inputs.probe::x"], log::LevelFilter::Debug);
    assert_eq!(result.plan.hostname, "h");
    let tags: Vec<_> = result.tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(tags, ["a=1", "host=h"]);
    assert_eq!(result.files.len(), 1);
}

#[test]
fn filters_and_labels_decide_what_is_loaded() {
    let text = "[[inputs.probe]]\n[[inputs.other]]\n[[inputs.nosuch]]\n[[outputs.hole]]\n\
                [[outputs.nosuch]]\n[[secretstores.nosuch]]\n[[processors.pass]]\n\
                [processors.pass.labels]\napp = 'db'\n[[processors.other]]\n\
                [processors.other.labels]\napp = 'web'";
    let options = LoadOptions {
        filters: PluginFilters {
            inputs: vec!["other".into()],
            outputs: vec!["hole".into()],
            secret_stores: vec!["none".into()],
        },
        selector: Selector::new(&["app=w*"]).unwrap(),
        ..LoadOptions::default()
    };
    let result = load(&options, &[text]).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(loaded(&result), "inputs.other outputs.hole processors.other");
}

#[test]
fn options_that_belong_elsewhere_are_accepted() {
    let general = "alias = 'a'\ninterval = '1s'\norder = 1\nperiod = '1s'\nname_prefix = 'x'\n\
                   data_format = 'nosuch'\nlvm = 1\nid = 'x'\nmetric_batch_size = 1\n\
                   drop_original = true\nfieldpass = ['a']\ninflux_parser_type = 'internal'\n";
    for section in ["inputs.probe", "outputs.hole", "processors.pass", "aggregators.sum"] {
        assert_eq!(check(&format!("[[{section}]]\n{general}")), [""; 0], "{section}");
    }
    // The options of a parser are known once somebody asks for it.
    assert_eq!(check("[[inputs.probe]]\nparses = true\nseparator = ';'"), [""; 0]);
    assert_eq!(check("[[inputs.probe]]\nseparator = ';'").len(), 1);
}

#[test]
fn variables_in_strings_convert_to_the_type_of_the_option() {
    let text = "[agent]\ninterval = '${SPAN}'\nmetric_batch_size = '${FIVE}'\n[[inputs.probe]]\n\
                count = '${FIVE}'\nflag = \"$YES\"\ntext = '${TEXT:-x}'\n\
                interval = '${FIVE}s'\n# ${NONE:?not in comments}\n[[outputs.hole]]";
    let result = load(&LoadOptions::default(), &[text]).unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(result.plan.agent.interval, crate::plugin::settings::Duration::from_secs(7));
    assert_eq!(result.plan.agent.metric_batch_size, 5);
    assert_eq!(result.plan.inputs[0].timing.interval, std::time::Duration::from_secs(5));
    // What is no variable does not convert, and a variable cannot bring in settings.
    assert_eq!(check("[[inputs.probe]]\ncount = '5'").len(), 1);
    assert_eq!(check("[[inputs.probe]]\ncount = '${LINE}'").len(), 1);
    assert_eq!(check("[[inputs.probe]]\ncount = ${FIVE}").len(), 1);
}

#[test]
fn without_strictness_variables_are_put_in_before_parsing() {
    let options = LoadOptions {
        handling: Handling::NonStrict,
        purpose: Purpose::Check,
        ..LoadOptions::default()
    };
    let errors = |text: &str| load(&options, &[text]).err().unwrap_or_default();
    assert_eq!(errors("[[inputs.probe]]\ncount = ${FIVE}\nflag = $YES"), [""; 0]);
    assert_eq!(errors("[[inputs.probe]]\n${LINE}\n# ${NONE:?not in comments}"), [""; 0]);
    assert_eq!(
        errors("[[inputs.probe]]\n  text = '${NONE:?}'"),
        ["error parsing data: required variable NONE is missing a value (0.conf:2:11)"]
    );
}

#[test]
fn the_old_dialect_reaches_strings() {
    let host = |dialect| {
        let options = LoadOptions { dialect, purpose: Purpose::Check, ..LoadOptions::default() };
        load(&options, &["[agent]\nhostname = '$$FIVE'"]).ok().unwrap().plan.hostname
    };
    assert_eq!(host(Dialect::Current), "$FIVE");
    assert_eq!(host(Dialect::Old), "$5");
}

#[test]
fn files_that_are_no_text_are_refused_and_the_others_still_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    fs::write(path("a.conf"), b"\x7fELF\x00\x01").unwrap();
    fs::write(path("b.conf"), b"\xff\xfe[\x00").unwrap();
    fs::write(path("c.conf"), "[[inputs.nosuch]]").unwrap();
    let loader = Loader {
        options: &LoadOptions::default(),
        plugins: &PLUGINS,
        environment: &variable,
        system: &system(),
        statistics: &Statistics::default(),
    };
    let directories = vec![folder.path().to_string_lossy().into_owned()];
    let error = loader.load(&Sources { files: Vec::new(), directories }).err().unwrap();
    let shown = error.to_string().replace(&path(""), "");
    let lines: Vec<&str> = shown.lines().collect();
    let refused = "provided config is not a TOML file";
    assert_eq!(lines[0], format!("loading config file a.conf failed: {refused}: a.conf"));
    assert!(lines[1].ends_with("b.conf; it is UTF-16 text, save it as UTF-8"), "{shown}");
    assert!(lines[2].contains("undefined but requested input: nosuch"), "{shown}");
}
