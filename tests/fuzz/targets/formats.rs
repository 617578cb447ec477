//! Parsers and serializers, with the options of all their testcases.

use std::io::{self, Read};

use metric_agent::metric::Metric;
use metric_agent::plugin::settings::{Data, Table, Value};
use metric_agent::plugin::{Parser, Serializer};
use metric_agent::plugins::{parsers, serializers};
use metric_agent::process::{Parsed, for_each_piece};

use super::{
    Outcome, Run, Target, context, first_line, outcome, plugins_in, serializer, system, table,
    text_of,
};
use crate::corpus;

const TOKENS: &[&str] = &[
    "\n",
    "\r\n",
    ",",
    ";",
    "\t",
    " ",
    "=",
    ":",
    "\"",
    "'",
    "\\",
    "\\\"",
    "\"\"",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    "null",
    "true",
    "NaN",
    "+Inf",
    "-Inf",
    "i",
    "u",
    "1u",
    "-",
    ".",
    "e",
    "e+",
    "\\u0000",
    "\\ud800",
    "\\n",
    "# HELP ",
    "# TYPE ",
    " counter\n",
    " histogram\n",
    " summary\n",
    "_bucket",
    "_sum",
    "_count",
    "le=\"",
    "quantile=\"",
    "# EOF\n",
    "#",
    "//",
    "..",
    "%",
    "%{",
    "m v=1\n",
    "m,t=a v=1i 1\n",
    "key=value ",
    "<a>",
    "</a>",
    "|",
    "@",
];

/// Options beside those of the testcases.
fn more_options(format: &str) -> &'static [&'static str] {
    match format {
        "csv" => &[
            "csv_header_row_count = 1",
            "csv_header_row_count = 2\ncsv_skip_rows = 1\ncsv_comment = '#'\ncsv_trim_space = true",
            "csv_column_names = ['a', 'b']\ncsv_delimiter = ';'\ncsv_skip_errors = true\n\
             csv_measurement_column = 'a'\ncsv_tag_columns = ['b']",
        ],
        "json" => &[
            "json_strict = false\njson_string_fields = ['*']\ntag_keys = ['a*']",
            "json_query = 'a.b'",
        ],
        "value" => &["data_type = 'integer'", "data_type = 'string'", "data_type = 'auto_float'"],
        "graphite" => &["templates = ['*.a host.measurement*', 'measurement.field*']"],
        _ => &[""],
    }
}

pub(super) fn targets() -> Vec<Target> {
    let parsers = parsers::ALL.iter().map(|parser| of_parser(parser.name));
    let serializers = serializers::ALL.iter().map(|serializer| of_serializer(serializer.name));
    parsers.chain(serializers).collect()
}

/// The number of a set of options in the first line, and input of the parser in the others.
fn of_parser(format: &'static str) -> Target {
    let plugin = format!("parsers/{format}");
    let name = plugin.clone();
    let corpus = move || {
        let data = corpus::testcases(&plugin).into_iter().flat_map(|case| corpus::data_of(&case));
        with_numbers(data, options_of_parser(format).len())
    };
    let start = move || -> Run {
        let options = options_of_parser(format);
        let parsers = options.iter().filter_map(|o| context(o, system()).parser(format).ok());
        let mut parsers: Vec<_> = parsers.collect();
        assert!(!parsers.is_empty(), "no options are known that make a parser of this format");
        let mut round_trip = RoundTrip::new();
        Box::new(move |input| {
            let (at, input) = numbered(input, parsers.len());
            let parser = &mut *parsers[at];
            parser.reset();
            let result = parser.parse(input);
            // The times of grok are never the same twice.
            if input.len() < 400 && format != "grok" {
                round_trip.check_stream(parser, input);
            }
            match result {
                Ok(metrics) => {
                    // What stands once in the input, such as metadata of CSV, may be in every metric.
                    if input.len() < 4096 {
                        round_trip.check(&metrics);
                    }
                    let n_fields: usize = metrics.iter().map(|metric| metric.fields().len()).sum();
                    let n_metrics = metrics.len().min(3);
                    (at * 100 + n_metrics * 10 + n_fields.min(9)) as u64
                }
                Err(error) => outcome(error),
            }
        })
    };
    Target { head: first_line, ..Target::new(name, corpus, TOKENS, start) }
}

/// Each input with the number of a set of options in front.
fn with_numbers(inputs: impl Iterator<Item = Vec<u8>>, n_options: usize) -> Vec<Vec<u8>> {
    let inputs: Vec<_> = inputs.collect();
    // At least one for each set, so that each can be chosen.
    let count = inputs.len().max(n_options);
    let numbers = (0..n_options).cycle();
    let numbered = inputs.iter().cycle().zip(numbers).take(count);
    numbered.map(|(input, number)| [format!("{number}\n").as_bytes(), input].concat()).collect()
}

/// Which of the sets of options an input is for, and the input itself.
fn numbered(input: &[u8], n_options: usize) -> (usize, &[u8]) {
    let (number, input) = input.split_at(first_line(input));
    let number: usize = String::from_utf8_lossy(number).trim().parse().unwrap_or(0);
    (number % n_options, input)
}

/// The sets of options that the testcases or this file know.
fn options_of_parser(format: &str) -> Vec<Table> {
    let mut tables: Vec<_> =
        more_options(format).iter().map(|options| table("inputs.test", options)).collect();
    for table in &mut tables {
        let position = table.position;
        let data = Data::String { text: format.into(), substituted: false };
        table.push("data_format", position, Value { position, data });
    }
    for case in corpus::testcases(&format!("parsers/{format}")) {
        let inputs = plugins_in(&case, "inputs").into_iter().map(|(_, table)| table);
        tables.extend(inputs.filter(|table| text_of(table, "data_format") == Some(format)));
    }
    tables
}

/// To the line protocol and back.
struct RoundTrip {
    parser: Box<dyn Parser>,
    serializer: Box<dyn Serializer>,
}

impl RoundTrip {
    fn new() -> RoundTrip {
        let parser = context(&table("inputs.test", ""), system()).parser("influx").unwrap();
        RoundTrip {
            parser,
            serializer: serializer("influx", "influx_uint_support = true").unwrap(),
        }
    }

    /// Metrics as lines of the line protocol, without those that it cannot tell.
    fn lines(&mut self, metrics: &[Metric]) -> String {
        let mut out = Vec::new();
        self.serializer.serialize_batch(metrics, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    /// What the line protocol can tell it tells in the same way again.
    fn check(&mut self, metrics: &[Metric]) {
        let written = self.lines(metrics);
        // As with Telegraf, one is written as it is and read as a blank, and the other takes away
        // the meaning of what comes behind a name.
        let is_strange = |text: &str| text.contains(['\u{b}', '\\']);
        let has_strange_name = metrics.iter().any(|metric| {
            let tags = metric.tags().iter().flat_map(|tag| [&tag.key, &tag.value]);
            let names = metric.fields().iter().map(|field| &field.key).chain(tags);
            names.chain([&metric.name]).any(|name| is_strange(name))
        });
        if has_strange_name {
            return;
        }
        let read = match self.parser.parse(written.as_bytes()) {
            Ok(read) => read,
            Err(error) => panic!("what was serialized cannot be parsed: {error}\n{written}"),
        };
        assert_eq!(self.lines(&read), written, "what was parsed again is something else");
    }

    /// A stream comes to the same in whatever pieces it is read.
    fn check_stream(&mut self, parser: &mut dyn Parser, input: &[u8]) {
        let [whole, bytes, some] = [usize::MAX, 1, 7].map(|piece| {
            parser.reset();
            let mut stream = Pieces { input, piece };
            let mut metrics = Vec::new();
            let mut errors = Vec::new();
            let take = |parsed| match parsed {
                Parsed::Metrics(mut more) => metrics.append(&mut more),
                Parsed::Nothing => {}
                Parsed::Error(error) => errors.push(error.to_string()),
            };
            for_each_piece(&mut stream, parser, 512, take).unwrap();
            (self.lines(&metrics), errors)
        });
        assert_eq!(whole, bytes, "byte by byte");
        assert_eq!(whole, some, "in pieces");
    }
}

/// Bytes that come in pieces.
struct Pieces<'i> {
    input: &'i [u8],
    piece: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.piece.min(buffer.len()).min(self.input.len());
        let (now, later) = self.input.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.input = later;
        Ok(length)
    }
}

const METRICS: &str = "cpu,cpu=cpu0,host=a usage=1.5,n=3i,u=4u,s=\"text\",b=true 1700000000000000000\n\
    http_requests_bucket,le=0.5 value=3 1\nhttp_requests_bucket,le=+Inf value=3 1\n\
    a\\ b,c\\,d=e\\=f g\\ h=\"i\\\"j\\\\k\nl\" -1\nq,quantile=0.5 value=1,sum=2,count=3 5\n";

/// The number of a set of options in the first line, and metrics in the others.
fn of_serializer(format: &'static str) -> Target {
    let corpus = move || {
        let cases = corpus::testcases("parsers/influx").into_iter();
        let data = cases.flat_map(|case| corpus::data_of(&case)).chain([METRICS.into()]);
        with_numbers(data, serializers_of(format).len())
    };
    let start = move || -> Run {
        let mut influx = context(&table("inputs.test", ""), system()).parser("influx").unwrap();
        let mut serializers = serializers_of(format);
        assert!(!serializers.is_empty(), "no options are known that make a serializer");
        Box::new(move |input| {
            let (at, input) = numbered(input, serializers.len());
            // Whatever is right in it: one bad line voids only itself here.
            let mut metrics = Vec::new();
            for line in input.split_inclusive(|byte| *byte == b'\n') {
                metrics.append(&mut influx.parse(line).unwrap_or_default());
            }
            serialize(&mut *serializers[at], &metrics) ^ at as u64
        })
    };
    Target {
        head: first_line,
        ..Target::new(format!("serializers/{format}"), corpus, TOKENS, start)
    }
}

/// A serializer for each set of options that the testcases know.
fn serializers_of(format: &str) -> Vec<Box<dyn Serializer>> {
    let options = match format {
        "template" => "template = '{{ .Name }} {{ .Fields }} {{ .Tags }}'",
        _ => "",
    };
    let mut all: Vec<_> = serializer(format, options).ok().into_iter().collect();
    for kind in ["serializers", "outputs"] {
        for case in corpus::testcases_of_kind(kind) {
            let outputs = plugins_in(&case, "outputs");
            let tables = outputs.iter().map(|(_, table)| table);
            for table in tables.filter(|table| text_of(table, "data_format") == Some(format)) {
                all.extend(context(table, system()).serializer(format).ok());
            }
        }
    }
    all
}

fn serialize(serializer: &mut dyn Serializer, metrics: &[Metric]) -> Outcome {
    let mut one = Vec::new();
    for metric in metrics.iter().take(3) {
        let length = one.len();
        if serializer.serialize(metric, &mut one).is_err() {
            assert_eq!(one.len(), length, "where it fails, nothing is appended");
        }
    }
    let mut batch = Vec::new();
    match serializer.serialize_batch(metrics, &mut batch) {
        Ok(rejected) => {
            assert!(rejected.len() <= metrics.len());
            assert!(rejected.iter().all(|rejection| rejection.index < metrics.len()));
            let ratio = batch.len() / metrics.len().max(1);
            u64::from(ratio.checked_ilog2().unwrap_or(0)) * 3 + rejected.len().min(2) as u64
        }
        Err(error) => {
            assert!(batch.is_empty(), "where it fails, nothing is appended");
            outcome(error)
        }
    }
}
