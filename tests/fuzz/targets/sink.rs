//! What the sink reads: records that become rows, headers of its files, and dead letters.

use std::collections::BTreeMap;

use metric_agent::kafka::dead_letters::Letters;
use metric_agent::metric::Timestamp;
use metric_agent::sink::rows::{Record, RowSettings, Rows, end_of_last_row, header_of};

use super::{Outcome, Run, Target, outcome};
use crate::corpus;

pub(super) fn targets() -> Vec<Target> {
    vec![rows(), headers(), dead_letters()]
}

/// One that names neither measurement nor time.
const OBJECT: &str = r#"{"@timestamp":"2023-11-14T22:13:20.000Z","event":{"dataset":"system.cpu"},"a":{"b":[1,{"c":null}],"d":1e-3},"e":"\u00e9\ud800"}"#;

const METRICS: &str = r#"{"metrics":[{"fields":{"a":1.50,"b":"x"},"name":"m","tags":{"h":"é"},"timestamp":1700000000},{"fields":{"a":true},"name":"m","timestamp":"2023-11-14T22:13:20Z"}]}"#;

/// Whatever a record holds, the rows can be read, and as many are there as were counted.
fn rows() -> Target {
    let corpus = || {
        let cases = corpus::testcases("parsers/influx").into_iter();
        let cases = cases.flat_map(|case| corpus::data_of(&case));
        cases.chain([OBJECT, METRICS].map(Into::into)).collect()
    };
    const TOKENS: &[&str] = &[
        "\n",
        ",",
        "=",
        " ",
        "\"",
        "\\",
        "\"\"",
        "{",
        "}",
        "[",
        "]",
        ":",
        "null",
        "true",
        "1i",
        "e400",
        "time",
        "measurement",
        "_tag",
        "_field",
        "\"fields\":{",
        "\"name\":\"",
        "\"tags\":{",
        "\"timestamp\":",
        "\"metrics\":[",
        "\"@timestamp\":",
        "\\ud800",
        "m v=1\n",
        "m,t=a v=1i 1\n",
    ];
    Target::new("sink/rows", corpus, TOKENS, || -> Run {
        let given = vec!["time".to_owned(), "v".to_owned(), "measurement".to_owned()];
        Box::new(move |input| {
            let given = RowSettings { columns: Some(given.clone()), ..RowSettings::default() };
            convert(input, RowSettings::default()) ^ convert(input, given).rotate_left(7)
        })
    })
}

fn convert(input: &[u8], settings: RowSettings) -> Outcome {
    let mut rows = Rows::new(settings);
    let mut files: BTreeMap<Vec<u8>, (Vec<u8>, u64)> = BTreeMap::new();
    let record = Record { topic: "topic", time: Some(Timestamp::EPOCH), value: Some(input) };
    let mut n_rows = 0;
    match rows.convert(&record, &mut |_| None) {
        Err(error) => return outcome(error),
        Ok(runs) => {
            for run in runs {
                // Layouts of several measurements may have the same header.
                let (file, count) = files.entry(run.layout.header.clone()).or_default();
                file.extend_from_slice(run.rows);
                *count += run.count;
                n_rows += run.count;
            }
        }
    }
    for (header, (rows, count)) in &files {
        let file = [header.as_slice(), rows].concat();
        assert_eq!(end_of_last_row(file.as_slice()).unwrap(), file.len() as u64);
        let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(file.as_slice());
        let found = reader.records().map(|row| row.map(|row| row.len()));
        let found: Vec<_> = found.collect::<Result<_, _>>().unwrap();
        assert_eq!(found.len() as u64, *count, "{file:?}");
    }
    files.len() as u64 * 10 + n_rows.min(9)
}

fn headers() -> Target {
    let corpus = || vec![b"time,measurement,\"a,\nb\",\"\"\n1,m,2,3\n".to_vec(), b"a\n".to_vec()];
    Target::new("sink/header", corpus, &["\"", "\n", ",", "\"\"", "\r\n"], || -> Run {
        Box::new(|input| {
            let end = end_of_last_row(input).unwrap();
            assert!(end <= input.len() as u64);
            let names = header_of(input).unwrap();
            assert!(names.is_none() || end > 0, "a header is a whole row");
            names.map_or(0, |names| 1 + names.len().min(9) as u64)
        })
    })
}

/// Letters that can be read are written as something that is read as the same letter.
fn dead_letters() -> Target {
    let corpus = || {
        let letter = r#"{"topic":"t","partition":0,"offset":1,"timestamp":null,"reason":"r","key":"k","headers":[{"key":"h","value":null}],"value":{"base64":"/w=="}}"#;
        vec![format!("{letter}\n").into_bytes(), format!("\n{letter}\n{letter}").into_bytes()]
    };
    const TOKENS: &[&str] =
        &["\n", "null", "{\"base64\":\"", "\"headers\":[", "\\ud800", "1e3", "-1", "}", "]"];
    Target::new("sink/dead-letters", corpus, TOKENS, || -> Run {
        Box::new(|input| {
            let mut all = 0;
            for letter in Letters::new(input) {
                match letter {
                    Ok(read) => {
                        let mut line = Vec::new();
                        read.letter.push_line(&mut line);
                        let again = Letters::new(line.as_slice()).next().unwrap().unwrap();
                        assert_eq!(again.letter, read.letter);
                        all =
                            Outcome::rotate_left(all, 3) ^ read.letter.headers.len().min(3) as u64;
                    }
                    Err(error) => all = Outcome::rotate_left(all, 3) ^ outcome(error),
                }
            }
            all
        })
    })
}
