//! Tests of the parser; what is expected here is what Telegraf 1.40 answered.

use proptest::prelude::*;

use super::PLUGIN;
use crate::plugin::NotEnoughData;
use crate::plugins::tests::{lines, parsed, parser};

const ONE_HEADER: &str = "csv_header_row_count = 1\n";

fn parse(options: &str, input: &str) -> Result<Vec<String>, String> {
    parsed(&PLUGIN, options, input)
}

fn with_header(options: &str, input: &str) -> Result<Vec<String>, String> {
    parse(&format!("{ONE_HEADER}{options}"), input)
}

#[test]
fn values_are_of_the_type_that_they_look_like() {
    assert_eq!(
        with_header("", "a,b,c,d,e\n1,2.5,true,x,\n-0x1p1,inf,F,007\n").unwrap(),
        ["test a=1i,b=2.5,c=true,d=\"x\",e=\"\" 42000000000", "test a=-2,c=false,d=7i 42000000000",]
    );
}

#[test]
fn types_that_are_set_are_kept_to() {
    let options = "csv_column_types = [\"int\", \"float\", \"bool\", \"string\"]";
    assert_eq!(
        with_header(options, "a,b,c,d\n1,2,1,4\n").unwrap(),
        ["test a=1i,b=2,c=true,d=\"4\" 42000000000"]
    );
    for (record, message) in [
        ("1.5", "column type: parse int error strconv.ParseInt: parsing \"1.5\": invalid syntax"),
        ("1,x", "column type: parse float error strconv.ParseFloat: parsing \"x\": invalid syntax"),
        ("1,1,x", "column type: parse bool error strconv.ParseBool: parsing \"x\": invalid syntax"),
        ("1,1,1,1,1", "column type: column count exceeded"),
    ] {
        assert_eq!(with_header(options, &format!("a,b,c,d,e\n{record}\n")).unwrap_err(), message);
    }
}

#[test]
fn columns_may_be_tags_names_and_times() {
    let options = "csv_tag_columns = [\"t\"]\ncsv_measurement_column = \"m\"\n\
                   csv_timestamp_column = \"at\"\ncsv_timestamp_format = \"unix_ms\"\n\
                   csv_skip_values = [\"-\"]\nmetric_name = \"other\"";
    assert_eq!(
        with_header(options, "at,m,t,v,\n1500,cpu,a,1,x\n2000,,b,-,\n3000,1e6,-,3\n").unwrap(),
        [
            "cpu,t=a v=1i 1500000000",
            "\"other,t=b\": no serializable fields",
            "1e+06 v=3i 3000000000",
        ]
    );
    assert_eq!(
        with_header(options, "at,v\n-,1\n").unwrap_err(),
        "timestamp column: at could not be found"
    );
    assert_eq!(
        with_header("csv_timestamp_column = \"at\"", "at,v\n1,1\n").unwrap_err(),
        "timestamp format must be specified"
    );
}

#[test]
fn lines_and_columns_are_skipped_and_headers_put_together() {
    let options = "csv_skip_rows = 1\ncsv_skip_columns = 1\ncsv_header_row_count = 2\n\
                   csv_comment = \"#\"\ncsv_delimiter = \";\"\ncsv_trim_space = true";
    let input = "\"garbage\nx; a ;b\n#no\nx;1\nz; 5; \" 6 \"\n\nz;\n";
    assert_eq!(
        parse(options, input).unwrap(),
        ["test a1=5i,b=6i 42000000000", "test a1=\"\" 42000000000"]
    );
}

#[test]
fn metadata_becomes_tags() {
    let options = "csv_metadata_rows = 3\ncsv_metadata_separators = [\":\", \"::\", \"=\"]\n\
                   csv_metadata_trim_set = \" #\"\ncsv_tag_columns = [\"k\"]\n";
    let input = "# k:: meta #\r\nx = 1:2 \nnothing\nk,v\nrecord,1\n";
    assert_eq!(
        with_header(options, input).unwrap(),
        ["test,k=meta,x\\ \\=\\ 1=2 v=1i 42000000000"]
    );
    assert_eq!(
        with_header(&format!("{options}csv_tag_overwrite = true"), input).unwrap(),
        ["test,k=record,x\\ \\=\\ 1=2 v=1i 42000000000"]
    );
}

#[test]
fn bad_records_void_all_unless_they_are_skipped() {
    let input = "v\n1\nx\n3\n";
    let types = "csv_column_types = [\"int\"]\n";
    assert!(with_header(types, input).is_err());
    assert_eq!(
        with_header(&format!("{types}csv_skip_errors = true"), input).unwrap(),
        ["test v=1i 42000000000", "test v=3i 42000000000"]
    );
}

#[test]
fn a_header_may_come_line_by_line() {
    let options = "csv_skip_rows = 1\ncsv_metadata_rows = 1\ncsv_header_row_count = 1\n\
                   csv_metadata_separators = [\"=\"]";
    let mut parser = parser(&PLUGIN, options).unwrap();
    for line in ["skipped", "k=v"] {
        assert!(parser.parse(line.as_bytes()).unwrap_err().is::<NotEnoughData>());
    }
    assert_eq!(parser.parse(b"a,b").unwrap(), []);
    assert_eq!(lines(&parser.parse(b"1,2").unwrap()), ["test,k=v a=1i,b=2i 42000000000"]);
    parser.reset();
    let input = "x\ny=z\nc\n3\n";
    assert_eq!(lines(&parser.parse(input.as_bytes()).unwrap()), ["test,y=z c=3i 42000000000"]);
}

#[test]
fn a_header_is_looked_for_in_each_input_if_that_is_asked_for() {
    for (mode, second) in [("none", 2), ("always", 1)] {
        let options = format!("{ONE_HEADER}csv_reset_mode = \"{mode}\"");
        let mut parser = parser(&PLUGIN, &options).unwrap();
        assert_eq!(parser.parse(b"a\n1\n").unwrap().len(), 1);
        assert_eq!(parser.parse(b"a\n1\n").unwrap().len(), second);
    }
}

#[test]
fn a_delimiter_that_cannot_be_one_stands_for_a_comma() {
    assert_eq!(
        with_header("csv_delimiter = \"\\u0000\"", "a\0b\n1,5\0x\n").unwrap(),
        ["test a=\"1\u{fffd}5\",b=\"x\" 42000000000"]
    );
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (options, message) in [
        ("", "`csv_header_row_count` must be defined if `csv_column_names` is not specified"),
        ("csv_delimiter = \"ab\"", "csv_delimiter must be a single character, got: ab"),
        ("csv_comment = \"ab\"", "csv_comment must be a single character, got: ab"),
        ("csv_metadata_rows = 1", "csv_metadata_separators required"),
        ("csv_timezone = \"Nowhere\"", "invalid timezone: unknown time zone Nowhere"),
        ("csv_comment = \",\"", "csv: invalid field or comment delimiter"),
        (
            "csv_column_names = [\"a\"]\ncsv_column_types = [\"int\", \"int\"]",
            "csv_column_names field count doesn't match with csv_column_types",
        ),
        ("csv_reset_mode = \"often\"", "invalid value \"often\""),
    ] {
        let header = if options.is_empty() { "" } else { ONE_HEADER };
        let error = parse(&format!("{header}{options}"), "").unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(input in "[ab1,;\"# =\r\né]{0,40}", skip in 0..3) {
        let options = format!(
            "csv_header_row_count = 1\ncsv_skip_columns = {skip}\ncsv_metadata_rows = 1\n\
             csv_metadata_separators = [\"=\", \"\"]\ncsv_tag_columns = [\"a\"]\n\
             csv_comment = \"#\"\ncsv_trim_space = true"
        );
        let _ = parse(&options, &input);
    }
}
