//! What is wrong with configurations, as users are told.

use std::fs;

use proptest::prelude::*;

use super::*;

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
             (0.conf:6:14); a list has brackets around it: [\"…\", \"…\"]",
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
fn a_plugin_that_cannot_be_built_names_its_unknown_options_too() {
    let errors = check(
        "[[inputs.probe]]\n\
         \x20 count = -1\n\
         \x20 countt = 1\n\
         \x20 interval = '5s'\n\
         \x20 lvm = true\n\
         [[secretstores.vault]]\n\
         \x20 id = 'x'\n\
         \x20 count = -1\n\
         \x20 texts = 'a'\n",
    );
    let errors: Vec<_> =
        errors.iter().map(|error| error.split(" (0.conf").next().unwrap()).collect();
    let unknown = |plugin: &str, line: usize, option: &str| {
        format!(
            "plugin {plugin}: line {line}: configuration specified the fields [\"{option}\"], but \
             they were not used; this is either a typo or this config option does not exist in \
             this version"
        )
    };
    assert_eq!(
        errors,
        [
            "error parsing vault, error initializing secret store \"x\": count makes no sense"
                .to_owned(),
            unknown("secretstores.vault", 9, "texts"),
            "could not initialize input inputs.probe: count makes no sense".to_owned(),
            unknown("inputs.probe", 3, "countt"),
        ]
    );
}

#[test]
fn a_plugin_that_cannot_be_built_knows_the_options_of_its_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.conf").display().to_string();
    let text = "[[inputs.tail]]\n  files = ['a']\n  initial_read_offset = 'bogus'\n  data_format = \
                'csv'\n  csv_header_row_count = 1\n  csv_nosuch = 2\n  json_query = 'x'\n";
    fs::write(&path, text).unwrap();
    let sources = Sources { files: vec![path], ..Sources::default() };
    let errors = with_loader(|loader| loader.load(&sources).err().unwrap()).to_string();
    assert!(errors.contains("bogus"), "{errors}");
    assert!(errors.contains("csv_nosuch") && errors.contains("json_query"), "{errors}");
    assert!(!errors.contains("csv_header_row_count"), "{errors}");
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
            "[[inputs.probe]]\nmetricpass = 'fields.x'",
            "error parsing probe, expression needs to return a boolean (0.conf:2:1)",
        ),
        (
            "[[inputs.probe]]\nparses = true\ndata_format = 'csv'",
            "could not initialize input inputs.probe: undefined but requested parser: csv (there \
             are: lines) (0.conf:1:1)",
        ),
        (
            "[[inputs.probe]]\npassword = 'x @{vault:key}'",
            "unknown secret store for \"@{vault:key}\" (0.conf:2:12)",
        ),
        (
            "[[inputs.probe]]\ntext = '${NONE:?it is needed}'",
            "error parsing data: required variable NONE is missing a value: it is needed \
             (0.conf:2:8)",
        ),
        (
            "[[secretstores.nosuch]]\nid = 'x'",
            "error parsing nosuch, undefined but requested secretstores: nosuch (0.conf:1:1); \
             this version has the secretstores vault",
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
        remote: &Server,
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_configuration_panics(
        lines in proptest::collection::vec(proptest::sample::select(LINES), 0..12),
        handling in proptest::sample::select(&[Handling::Strict, Handling::NonStrict][..]),
    ) {
        let options = LoadOptions { handling, ..LoadOptions::default() };
        if let Err(errors) = load(&options, &[&lines.join("\n")]) {
            prop_assert!(!errors.is_empty() && errors.iter().all(|error| !error.is_empty()));
        }
    }
}

/// What configurations are made of, right and wrong.
const LINES: &[&str] = &[
    "[agent]",
    "interval = '1s'",
    "interval = -1",
    "precision = 1.5",
    "[[inputs.probe]]",
    "[inputs.probe.tags]",
    "[inputs.probe]",
    "[[inputs]]",
    "[probe]",
    "[[outputs.hole]]",
    "[[processors.pass]]",
    "order = 9223372036854775807",
    "[[aggregators.sum]]",
    "period = '-1s'",
    "period = '200000h'",
    "grace = 9223372036854775807",
    "[global_tags]",
    "[tags]",
    "a = '${TEXT}'",
    "text = \"${NONE:-${LINE}}\"",
    "text = '''",
    "${LINE}",
    "count = '$FIVE'",
    "namepass = ['*', '[', 1]",
    "tagpass = { a = ['b', 2], c = 5 }",
    "labels = { a = 'b' }",
    "alias = 'x'",
    "text = '@{a:b}'",
    "metric_batch_size = '18446744073709551615'",
    "metric_buffer_limit = 1",
    "parses = true",
    "# comment ' \" [",
    "= [",
];
