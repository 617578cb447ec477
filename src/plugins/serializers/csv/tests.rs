//! Tests of the serializer; what is expected here is what Telegraf 1.40 answered.

use proptest::prelude::*;

use super::PLUGIN;
use crate::metric::{Metric, Timestamp};
use crate::plugins::tests::{metrics, serialized, serializer};

const LINES: &str = "cpu,host=a\\,b,core=1 user=2i,idle=1.5,on=true,note=\" say \\\"x\\\"\",big=1e21 \
                     1500000000\ncpu other=-0 -1500000000\n";

#[test]
fn tags_and_fields_are_columns_in_the_order_of_their_keys() {
    assert_eq!(
        serialized(&PLUGIN, "csv_header = true", LINES).unwrap(),
        "timestamp,measurement,core,host,big,idle,note,on,user\n\
         1,cpu,1,\"a,b\",1000000000000000000000,1.5,\" say \"\"x\"\"\",true,2\n-2,cpu,-0\n"
    );
    assert_eq!(
        serialized(
            &PLUGIN,
            "csv_header = true\ncsv_column_prefix = true\ncsv_separator = \"\\t\"\n\
             csv_timestamp_format = \"unix_ms\"",
            "m,t=a,b f=1 1500000001\n".replace("a,b", "a\\,b").as_str()
        )
        .unwrap(),
        "timestamp\tmeasurement\ttag_t\tfield_f\n1500\tm\ta,b\t1\n"
    );
}

#[test]
fn columns_may_be_chosen() {
    let options = "csv_columns = [\"field.idle\", \"name\", \"tag.host\", \"timestamp\", \"tag.x\"]\n\
                   csv_header = true\ncsv_timestamp_format = \"2006-01-02 15:04:05\"\n";
    assert_eq!(
        serialized(&PLUGIN, options, LINES).unwrap(),
        "idle,name,host,timestamp,x\n1.5,cpu,\"a,b\",1970-01-01 00:00:01,\n\
         ,cpu,,1969-12-31 23:59:58,\n"
    );
    let prefixed = serialized(&PLUGIN, &format!("{options}csv_column_prefix = true"), LINES);
    assert!(prefixed.unwrap().starts_with("field_idle,name,tag_host,timestamp,tag_x\n"));
}

#[test]
fn a_header_is_written_once() {
    let mut serializer = serializer(&PLUGIN, "csv_header = true").unwrap();
    let mut out = Vec::new();
    for metric in metrics("m a=1 1\nm a=2 1") {
        serializer.serialize(&metric, &mut out).unwrap();
    }
    assert_eq!(String::from_utf8(out).unwrap(), "timestamp,measurement,a\n0,m,1\n0,m,2\n");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (options, message) in [
        ("csv_separator = \"ab\"", "invalid separator \"ab\""),
        ("csv_timestamp_format = \"x\"", "invalid timestamp format \"x\""),
        ("csv_columns = [\"host\"]", "invalid column reference \"host\""),
    ] {
        assert_eq!(serialized(&PLUGIN, options, "").unwrap_err(), message);
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(values in prop::collection::vec("[^\r]{0,6}", 1..5)) {
        let mut metric = Metric::new("m", Timestamp::EPOCH);
        for (at, value) in values.iter().enumerate() {
            metric.set_field(at.to_string(), value.as_str());
        }
        let mut out = Vec::new();
        serializer(&PLUGIN, "").unwrap().serialize(&metric, &mut out).unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(out.as_slice());
        let record = reader.records().next().unwrap().unwrap();
        prop_assert_eq!(record.iter().skip(2).collect::<Vec<_>>(), values);
    }
}
