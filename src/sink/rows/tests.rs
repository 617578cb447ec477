//! Records and the rows that they become.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Files as somebody would write them who does what layouts say: one for each.
#[derive(Default)]
struct Files {
    files: Vec<(Arc<Layout>, Vec<u8>)>,
}

impl Files {
    fn write(&mut self, run: Run<'_>) {
        assert_eq!(run.rows.last(), Some(&b'\n'));
        let known = self.files.iter_mut().find(|(layout, _)| Arc::ptr_eq(layout, run.layout));
        match known {
            Some((_, file)) => file.extend_from_slice(run.rows),
            None => {
                let file = [&run.layout.header, run.rows].concat();
                self.files.push((run.layout.clone(), file));
            }
        }
    }

    fn texts(&self) -> Vec<String> {
        self.files.iter().map(|(_, file)| String::from_utf8(file.clone()).unwrap()).collect()
    }

    /// The rows of all files, each as its cells by the names of their columns; missing and empty
    /// ones are left out.
    fn rows(&self) -> Vec<BTreeMap<String, String>> {
        let mut rows = Vec::new();
        for (_, file) in &self.files {
            let mut reader = csv::Reader::from_reader(file.as_slice());
            let header = reader.headers().unwrap().clone();
            for row in reader.records() {
                let row = row.unwrap();
                let cells = header.iter().zip(&row).filter(|(_, cell)| !cell.is_empty());
                rows.push(cells.map(|(name, cell)| (name.into(), cell.into())).collect());
            }
        }
        rows
    }
}

fn record(value: &[u8]) -> Record<'_> {
    let time = Some(Timestamp::from_millis(1_500));
    Record { topic: "the-topic", time, value: Some(value) }
}

fn nothing_found(_: Option<&str>) -> Option<Vec<String>> {
    None
}

fn push(rows: &mut Rows, files: &mut Files, value: &[u8]) -> Result<(), Unfit> {
    rows.convert(&record(value), &mut nothing_found)?.for_each(|run| files.write(run));
    Ok(())
}

fn nanos() -> RowSettings {
    let time_format = TimeFormat::new("unix_ns", jiff::tz::TimeZone::UTC).unwrap();
    RowSettings { time_format, ..RowSettings::default() }
}

/// The files that some records come to.
fn files_of(settings: RowSettings, values: &[&str]) -> Vec<String> {
    let (mut rows, mut files) = (Rows::new(settings), Files::default());
    for value in values {
        push(&mut rows, &mut files, value.as_bytes()).unwrap();
    }
    files.texts()
}

fn unfit(value: &[u8]) -> String {
    let (mut rows, mut files) = (Rows::new(nanos()), Files::default());
    let error = push(&mut rows, &mut files, value).unwrap_err();
    assert!(files.files.is_empty());
    error.to_string()
}

#[test]
fn lines_become_rows_below_a_header() {
    let files = files_of(
        RowSettings::default(),
        &["cpu,host=a,cpu=cpu0 idle=98.5,n=3i,u=4u,up=t,text=\"x\" 1700000000000000000"],
    );
    assert_eq!(
        files,
        ["time,measurement,cpu,host,idle,n,u,up,text\n\
          2023-11-14T22:13:20.000000000Z,cpu,cpu0,a,98.5,3,4,true,x\n"]
    );
}

#[test]
fn numbers_stand_as_they_came() {
    let files = files_of(nanos(), &["m a=1.50,b=1e3,c=.5,d=-0,e=100000000000000000000,f=-7i 1"]);
    assert!(files[0].ends_with("\n1,m,1.50,1e3,.5,-0,100000000000000000000,-7\n"), "{files:?}");
}

#[test]
fn strings_come_out_as_they_are_meant() {
    let value = "a\\ b\\,c,t\\=g=v\\ w k\\,y=\"say \\\"hi\\\",\nback\\\\slash\",nul=\"\0\" 1";
    let files = files_of(nanos(), &[value]);
    assert_eq!(
        files,
        ["time,measurement,t=g,\"k,y\",nul\n\
          1,\"a b,c\",v w,\"say \"\"hi\"\",\nback\\slash\",\0\n"]
    );
}

#[test]
fn what_is_missing_is_no_empty_text() {
    let files = files_of(nanos(), &["m a=\"x\",b=\"y\" 1", "m a=\"\" 2", "m b=\"\" 3"]);
    assert_eq!(files, ["time,measurement,a,b\n1,m,x,y\n2,m,\"\",\n3,m,,\"\"\n"]);
}

#[test]
fn the_order_of_parts_makes_no_difference() {
    let files = files_of(nanos(), &["m,x=1,y=2 a=1,b=2 1", "m,y=2,x=1 b=2,a=1 2", "m,y=2 b=2 3"]);
    assert_eq!(files, ["time,measurement,x,y,a,b\n1,m,1,2,1,2\n2,m,1,2,1,2\n3,m,,2,,2\n"]);
}

#[test]
fn every_measurement_has_a_table() {
    let files = files_of(nanos(), &["a x=1 1\nb y=2 2\na x=3 3", "b y=4 4"]);
    assert_eq!(files, ["time,measurement,x\n1,a,1\n3,a,3\n", "time,measurement,y\n2,b,2\n4,b,4\n"]);
}

#[test]
fn a_new_column_begins_a_new_file_with_a_wider_header() {
    let values = ["m a=1 1", "m,host=h b=2,a=3 2", "m a=4 3"];
    let files = files_of(nanos(), &values);
    assert_eq!(
        files,
        ["time,measurement,a\n1,m,1\n", "time,measurement,host,a,b\n2,m,h,3,2\n3,m,,4,\n"]
    );
    // Also within one record.
    assert_eq!(files_of(nanos(), &[&values.join("\n")]), files);
}

#[test]
fn of_two_values_of_one_key_the_last_counts() {
    let files = files_of(nanos(), &["m,t=1,t=2 a=1,a=2 1", "m,t=3,t=4 a=5,a=6,a=7 2"]);
    assert_eq!(files, ["time,measurement,t,a\n1,m,2,2\n2,m,4,7\n"]);
}

#[test]
fn tags_and_fields_of_one_name_have_two_columns() {
    let files = files_of(nanos(), &["m,a=tag,time=t a=1,measurement=2 1", "m a=3 2"]);
    assert_eq!(
        files,
        ["time,measurement,a,time_tag,a_field,measurement_field\n1,m,tag,t,1,2\n2,m,,,3,\n"]
    );
}

#[test]
fn a_line_without_a_time_has_the_records() {
    let mut rows = Rows::new(nanos());
    for (time, row) in [(Some(5), "5,m,1\n"), (None, ",m,1\n")] {
        let time = time.map(Timestamp::from_nanos);
        let record = Record { topic: "t", time, value: Some(b"m a=1") };
        let runs: Vec<_> = rows.convert(&record, &mut nothing_found).unwrap().collect();
        assert_eq!((runs[0].rows, runs[0].count), (row.as_bytes(), 1));
    }
}

#[test]
fn columns_that_are_given_hold_the_rows_of_all_measurements() {
    let columns = parse_columns("time,host,idle,measurement").unwrap();
    let settings = RowSettings { columns: Some(columns), ..nanos() };
    let (mut rows, mut files) = (Rows::new(settings), Files::default());
    let value = b"cpu,host=a,cpu=cpu0 idle=1,user=2 1\nmem,host=b used=3 2\nx idle=4,host=\"c\" 3";
    push(&mut rows, &mut files, value).unwrap();
    assert_eq!(files.texts(), ["time,host,idle,measurement\n1,a,1,cpu\n2,b,,mem\n3,c,4,x\n"]);
    assert_eq!(rows.counts(), RowCounts { rows: 3, left_out: 3, repaired: 0 });
    assert_eq!(files.files[0].0.measurement, None);
}

#[test]
fn a_row_of_one_column_is_no_empty_line() {
    let settings = RowSettings { columns: Some(vec!["a".into()]), ..nanos() };
    assert_eq!(files_of(settings, &["m a=1 1", "m b=1 1"]), ["a\n1\n\"\"\n"]);
}

#[test]
fn the_newest_file_is_gone_on_with_if_its_header_fits() {
    let header = |names: &str| Some(parse_columns(names).unwrap());
    for (found, value, place, columns) in [
        (
            header("time,measurement,h,a,b"),
            "m,h=x a=1 1",
            Place::FoundFile,
            "time,measurement,h,a,b",
        ),
        (
            header("time,measurement,h,a"),
            "m,i=y,h=x a=1,b=1 1",
            Place::NewFile,
            "time,measurement,h,i,a,b",
        ),
        (header("measurement,time,h,a"), "m,h=x a=1 1", Place::NewFile, "time,measurement,h,a"),
        (header("h,a"), "m,h=x a=1 1", Place::NewFile, "time,measurement,h,a"),
        (None, "m,h=x a=1 1", Place::NewFile, "time,measurement,h,a"),
    ] {
        let mut rows = Rows::new(nanos());
        let mut asked = Vec::new();
        let mut find = |measurement: Option<&str>| {
            asked.push(measurement.map(str::to_owned));
            found.clone()
        };
        for _ in 0..2 {
            let record = record(value.as_bytes());
            let runs: Vec<_> = rows.convert(&record, &mut find).unwrap().collect();
            assert_eq!(runs[0].layout.place, place, "{found:?}");
            assert_eq!(runs[0].layout.header, format!("{columns}\n").as_bytes());
        }
        assert_eq!(asked, [Some("m".to_owned())]);
    }
}

#[test]
fn a_file_of_the_given_columns_is_gone_on_with_if_it_has_the_same() {
    for (found, place) in [("time,a", Place::FoundFile), ("a,time", Place::NewFile)] {
        let settings = RowSettings { columns: parse_columns("time,a").ok(), ..nanos() };
        let mut rows = Rows::new(settings);
        let mut find = |measurement: Option<&str>| {
            assert_eq!(measurement, None);
            parse_columns(found).ok()
        };
        let runs: Vec<_> = rows.convert(&record(b"m a=1 1"), &mut find).unwrap().collect();
        assert_eq!(runs[0].layout.place, place);
    }
}

#[test]
fn objects_of_telegrafs_shape_become_the_rows_of_their_metric() {
    let metric = r#"{"fields":{"a":1.50,"b":"x\ny","c":true,"n":null},"name":"m","tags":{"h":"é"},"timestamp":1700000000}"#;
    let expected = "time,measurement,h,a,b,c\n1700000000000000000,m,é,1.50,\"x\ny\",true\n";
    assert_eq!(files_of(nanos(), &[metric]), [expected]);
    let batch = format!("{{\"metrics\":[{metric},{metric}]}}");
    let row = expected.split_once('\n').unwrap().1;
    assert_eq!(files_of(nanos(), &[&batch]), [format!("{expected}{row}")]);
    for (time, nanos) in [
        ("1700000000123", "1700000000123000000"),
        ("1700000000123456789", "1700000000123456789"),
        ("1700000000.5", "1700000000500000000"),
        ("\"2023-11-14T22:13:20.25Z\"", "1700000000250000000"),
    ] {
        let value = format!("{{\"fields\":{{\"a\":1}},\"name\":\"m\",\"timestamp\":{time}}}");
        let file = format!("time,measurement,a\n{nanos},m,1\n");
        assert_eq!(files_of(self::nanos(), &[&value]), [file], "{time}");
    }
}

#[test]
fn other_objects_are_taken_apart() {
    let metricbeat = r#"{"@timestamp":"2023-11-14T22:13:20.000Z","@metadata":{"beat":"metricbeat"},
        "event":{"dataset":"system.cpu","duration":115000},"host":{"ip":["10.0.0.1","::1"],"name":"a"},
        "system":{"cpu":{"total":{"pct":0.25},"cores":4}},"empty":{},"none":null}"#;
    assert_eq!(
        files_of(nanos(), &[metricbeat]),
        ["time,measurement,@metadata.beat,event.dataset,event.duration,host.ip,host.name,\
          system.cpu.total.pct,system.cpu.cores\n\
          1700000000000000000,system.cpu,metricbeat,system.cpu,115000,\
          \"[\"\"10.0.0.1\"\",\"\"::1\"\"]\",a,0.25,4\n"]
    );
    for (value, file) in [
        (r#"{"a":1}"#, "time,measurement,a\n1500000000,the-topic,1\n"),
        (r#"{"name":"m","a":1}"#, "time,measurement,name,a\n1500000000,the-topic,m,1\n"),
        (
            r#"{"metricset.name":"m","":0}"#,
            "time,measurement,metricset.name,\"\"\n1500000000,m,m,0\n",
        ),
    ] {
        assert_eq!(files_of(nanos(), &[value]), [file]);
    }
}

#[test]
fn objects_of_any_depth_are_read() {
    let deep = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let files = files_of(nanos(), &[&deep]);
    assert!(files[0].starts_with("time,measurement,a.a.a"), "{}", &files[0][..50]);
}

#[test]
fn what_makes_no_row_says_why() {
    for (value, reason) in [
        ("", "the record has no value"),
        ("\n# comment\n", "there is no metric in it"),
        ("cpu", "metric parse error: expected tag at 1:4"),
        ("m a=1 1\nm a=x 2", "expected field at 2:5"),
        ("m a=99999999999999999999i", "value out of range"),
        ("m a=1e400", "value out of range"),
        ("m a=1e\"5", "invalid syntax"),
        ("{\"a\":}", "invalid JSON: expected value"),
        ("{\"a\":1} x", "invalid JSON: trailing characters"),
        ("{}", "no field has a value"),
        ("{\"a\":null,\"b\":{}}", "no field has a value"),
        ("{\"metrics\":[]}", "there is no metric in it"),
        ("{\"fields\":{},\"name\":\"m\",\"tags\":{\"t\":\"x\"}}", "no field has a value"),
        ("[{\"a\":1}]", "an array of JSON makes no row"),
        ("\"text\"", "a text of JSON makes no row"),
        ("17", "a number of JSON makes no row"),
        ("null", "a constant of JSON makes no row"),
        ("{\"@timestamp\":\"yesterday\",\"a\":1}", "\"yesterday\" is no time"),
        ("{\"@timestamp\":true,\"a\":1}", "true is no time"),
        ("{\"@timestamp\":1e300,\"a\":1}", "1e300 is no time"),
    ] {
        assert!(unfit(value.as_bytes()).contains(reason), "{value}: {}", unfit(value.as_bytes()));
    }
}

#[test]
fn a_record_that_is_partly_wrong_leaves_no_row() {
    let (mut rows, mut files) = (Rows::new(nanos()), Files::default());
    push(&mut rows, &mut files, b"m a=1 1").unwrap();
    push(&mut rows, &mut files, b"m a=2 2\nm a=3 3\nm a=").unwrap_err();
    push(&mut rows, &mut files, b"m a=4 4").unwrap();
    assert_eq!(files.texts(), ["time,measurement,a\n1,m,1\n4,m,4\n"]);
    assert_eq!(rows.counts().rows, 2);
}

#[test]
fn bytes_that_are_no_text_are_replaced_and_counted() {
    let (mut rows, mut files) = (Rows::new(nanos()), Files::default());
    push(&mut rows, &mut files, b"m,h=\xff a=\"\xfe\\\"\" 1").unwrap();
    push(&mut rows, &mut files, b"{\"a\":\"\xff\",\"h\":1}").unwrap();
    assert_eq!(
        files.texts(),
        [
            "time,measurement,h,a\n1,m,\u{fffd},\"\u{fffd}\"\"\"\n",
            "time,measurement,a,h\n1500000000,the-topic,\u{fffd},1\n"
        ]
    );
    assert_eq!(rows.counts().repaired, 2);
}

#[test]
fn tables_and_columns_have_limits() {
    let settings = RowSettings { most_columns: 4, most_measurements: 2, ..nanos() };
    let (mut rows, mut files) = (Rows::new(settings), Files::default());
    for (value, error) in [
        ("m a=1,b=2,c=3 1", Some("\"m\" would get more than 4 columns")),
        ("m a=1,b=2 1", None),
        ("m c=3 1", Some("\"m\" would get more than 4 columns")),
        ("n a=1 1", None),
        ("o a=1 1", Some("\"o\" would be one of more than 2 measurements")),
        ("m b=3 2", None),
    ] {
        let result = push(&mut rows, &mut files, value.as_bytes());
        assert_eq!(result.err().map(|error| error.to_string()).as_deref(), error, "{value}");
    }
    assert_eq!(
        files.texts(),
        ["time,measurement,a,b\n1,m,1,2\n2,m,,3\n", "time,measurement,a\n1,n,1\n"]
    );
}

/// A metric for line protocol: name, tags, fields that are strings.
type Parts = (u8, Vec<(u8, String)>, Vec<(u8, String)>);

fn parts() -> impl Strategy<Value = Parts> {
    let text = "[a\",\n\r ;'é\0]{0,5}";
    (
        0_u8..3,
        prop::collection::vec((0_u8..5, "[a\",; 'é]{1,4}"), 0..4),
        prop::collection::vec((0_u8..8, text), 1..6),
    )
}

fn line((name, tags, fields): &Parts) -> String {
    let escape = |text: &str| {
        text.chars().fold(String::new(), |out, c| match c {
            ',' | '=' | ' ' => format!("{out}\\{c}"),
            c => format!("{out}{c}"),
        })
    };
    let mut line = format!("m{name}");
    for (key, value) in tags {
        line.push_str(&format!(",k{key}={}", escape(value)));
    }
    let fields: Vec<_> = fields
        .iter()
        .map(|(key, value)| format!("k{key}=\"{}\"", value.replace('"', "\\\"")))
        .collect();
    format!("{line} {} 7", fields.join(","))
}

/// The cells that a metric is to have, those that are empty left out.
fn cells(
    (name, tags, fields): &Parts,
    bound: &BTreeMap<String, &'static str>,
) -> BTreeMap<String, String> {
    let mut cells = BTreeMap::new();
    for (role, parts) in [("tag", tags), ("field", fields)] {
        for (key, value) in parts {
            let plain = format!("k{key}");
            let column = match bound.get(&format!("m{name}/{plain}")) {
                Some(owner) if *owner != role => format!("{plain}_{role}"),
                _ => plain,
            };
            cells.insert(column, value.clone());
        }
    }
    cells.retain(|_, value| !value.is_empty());
    cells.insert("time".into(), "7".into());
    cells.insert("measurement".into(), format!("m{name}"));
    cells
}

proptest! {
    #[test]
    fn rows_read_back_are_what_was_in_the_records(metrics in prop::collection::vec(parts(), 1..12)) {
        let (mut rows, mut files) = (Rows::new(nanos()), Files::default());
        // Which kind of part came first under a name, and has it without a suffix.
        let mut bound = BTreeMap::new();
        let mut expected = Vec::new();
        for metric in &metrics {
            push(&mut rows, &mut files, line(metric).as_bytes()).unwrap();
            for (role, parts) in [("tag", &metric.1), ("field", &metric.2)] {
                for (key, _) in parts {
                    bound.entry(format!("m{}/k{key}", metric.0)).or_insert(role);
                }
            }
            expected.push(cells(metric, &bound));
        }
        let mut found = files.rows();
        found.sort();
        expected.sort();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(rows.counts().rows, metrics.len() as u64);
    }

    #[test]
    fn wider_headers_never_touch_rows_that_are_written(metrics in prop::collection::vec(parts(), 1..12)) {
        let (mut rows, mut files) = (Rows::new(nanos()), Files::default());
        for metric in &metrics {
            let before = files.texts();
            push(&mut rows, &mut files, line(metric).as_bytes()).unwrap();
            for (old, new) in before.iter().zip(files.texts()) {
                prop_assert!(new.starts_with(old));
            }
        }
        for (layout, file) in &files.files {
            // A reader that is strict about the number of cells takes all of it.
            let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(file.as_slice());
            let n_rows = reader.records().map(|row| row.map(|row| row.len())).collect::<Result<Vec<_>, _>>();
            prop_assert!(n_rows.is_ok_and(|rows| !rows.is_empty()), "{:?}", layout);
            let names = header_of(file.as_slice()).unwrap().unwrap();
            let unique: std::collections::BTreeSet<_> = names.iter().collect();
            prop_assert_eq!(unique.len(), names.len());
        }
    }

    #[test]
    fn no_bytes_are_too_strange(
        values in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..5),
        texts in prop::collection::vec("[m{}\\[\\]\":,=\\\\ \n#a1e.i-]{0,40}", 0..20),
    ) {
        let (mut rows, mut files) = (Rows::new(RowSettings::default()), Files::default());
        for value in values.iter().map(Vec::as_slice).chain(texts.iter().map(String::as_bytes)) {
            // Both ends are right, as long as it is one of them.
            let _ = push(&mut rows, &mut files, value);
        }
        for (_, file) in &files.files {
            let mut reader = csv::Reader::from_reader(file.as_slice());
            prop_assert!(reader.records().all(|row| row.is_ok()));
        }
    }
}
