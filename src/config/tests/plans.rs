//! What configurations come to.

use super::*;
use crate::agent::running_input::Timing;
use crate::agent::running_output::Flushing;
use crate::config::environment::Dialect;
use crate::config::selector::Selector;

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
