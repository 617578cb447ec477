//! Tests of layouts; what is expected here is what Go's `time` makes of them.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::TimeLayout;
use crate::metric::Timestamp;

/// 2006-01-02T15:04:05.123456789-07:00.
const MOMENT: Timestamp = Timestamp::from_nanos(1_136_239_445_123_456_789);

fn format(layout: &str) -> String {
    TimeLayout::new(layout).format_utc(MOMENT)
}

fn parse(layout: &str, text: &str) -> Result<i64, String> {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    TimeLayout::new_or_named(layout)
        .parse(text, &zone, 2026)
        .map(Timestamp::nanos)
        .map_err(|error| error.to_string())
}

#[test]
fn times_are_written_as_the_layout_shows_it() {
    for (layout, text) in [
        ("2006-01-02T15:04:05Z07:00", "2006-01-02T22:04:05Z"),
        ("2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T22:04:05.123456789Z"),
        ("2006-01-02 15:04:05.000 -0700 MST", "2006-01-02 22:04:05.123 +0000 UTC"),
        ("Mon Jan _2 15:04:05 2006", "Mon Jan  2 22:04:05 2006"),
        ("Monday, 02-Jan-06 3:04PM 03:4:5pm", "Monday, 02-Jan-06 10:04PM 10:4:5pm"),
        ("January 2, 1 002 __2", "January 2, 1 002   2"),
        ("05,000000 .9 .000x .0001", "05,123456 .1 .123x .0001"),
        ("Janet Monster _2006 -07 -07:00:00 -070000", "Janet Monster _2006 +00 +00:00:00 +000000"),
        ("żółw 2006", "żółw 2006"),
    ] {
        assert_eq!(format(layout), text, "{layout}");
    }
}

#[test]
fn times_are_read_as_the_layout_shows_it() {
    let second = 1_136_239_445_000_000_000;
    for (layout, text, nanos) in [
        ("RFC3339", "2006-01-02T15:04:05-07:00", second),
        ("rfc3339", "2006-01-02T22:04:05Z", second),
        ("RFC3339", "2006-01-02T22:04:05.5Z", second + 500_000_000),
        ("RFC3339Nano", "2006-01-02T22:04:05.123456789Z", second + 123_456_789),
        ("ANSIC", "Mon Jan  2 23:04:05 2006", second),
        ("RFC1123", "Mon, 02 Jan 2006 22:04:05 GMT", second),
        ("RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700", second),
        ("UnixDate", "Mon Jan  2 23:04:05 CET 2006", second),
        ("2006-01-02 15:04:05", "2006-01-02 23:04:05", second),
        ("2006-01-02 15:04:05.000", "2006-01-02 23:04:05.250", second + 250_000_000),
        ("2006-01-02 15:04:05.999", "2006-01-02 23:04:05", second),
        ("1/2/06 3:4:5 pm", "1/2/06 11:4:5 pm", second),
        ("2 January 2006 15:04:05", "2 jANUARY 2006 23:04:05", second),
        ("2006 002 15:04:05", "2006 002 23:04:05", second),
        ("02/Jan/2006:15:04:05 -0700", "02/Jan/2006:15:04:05 -0700", second),
        ("2006-01-02", "1969-07-20", -14_259_600_000_000_000),
        ("Stamp", "Jan  2 01:00:00", 1_767_312_000_000_000_000),
    ] {
        assert_eq!(parse(layout, text), Ok(nanos), "{layout}");
    }
}

#[test]
fn what_is_no_time_of_the_layout_is_refused() {
    for (layout, text, message) in [
        ("2006-01-02", "x", r#"parsing time "x" as "2006-01-02": cannot parse "x" as "2006""#),
        (
            "2006-01-02",
            "2006/01/02",
            r#"parsing time "2006/01/02" as "2006-01-02": cannot parse "/01/02" as "-""#,
        ),
        ("2006-01-02", "2006-13-02", r#"parsing time "2006-13-02": month out of range"#),
        ("2006-01-02", "2006-02-30", r#"parsing time "2006-02-30": day out of range"#),
        ("2006-01-02", "2006-01-02x", r#"parsing time "2006-01-02x": extra text: "x""#),
        ("15:04:05", "24:00:00", r#"parsing time "24:00:00": hour out of range"#),
        ("2006 MST", "2006 QQQ", r#"cannot resolve timezone abbreviation "QQQ""#),
        ("2006", "9999", r#"parsing time "9999": time out of range"#),
    ] {
        assert_eq!(parse(layout, text).unwrap_err(), message);
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(nanos in any::<i64>()) {
        for layout in ["2006-01-02T15:04:05.999999999Z07:00", "Mon, 2 Jan 2006 03:04:05.000000000 PM -0700"] {
            let text = TimeLayout::new(layout).format_utc(Timestamp::from_nanos(nanos));
            prop_assert_eq!(parse(layout, &text), Ok(nanos));
        }
    }

    #[test]
    fn no_layout_and_no_text_make_it_panic(
        layout in r"(2006|01|Jan|_2|__2|002|15|3|04|05|PM|MST|Z07:00|-0700|\.000|,999| |x|é){0,6}",
        text in r"[0-9A-Zaé .,:+-]{0,24}",
    ) {
        let _ = parse(&layout, &text);
        TimeLayout::new(&layout).format_utc(MOMENT);
    }
}

#[test]
fn times_are_written_in_their_own_zone() {
    let moment = jiff::Timestamp::from_nanosecond(i128::from(MOMENT.nanos())).unwrap();
    let layout = TimeLayout::new("2006-01-02 15:04 MST -07:00 Z0700 -070000 Z07");
    for (zone, text) in [
        ("Europe/Berlin", "2006-01-02 23:04 CET +01:00 +0100 +010000 +01"),
        ("America/New_York", "2006-01-02 17:04 EST -05:00 -0500 -050000 -05"),
        ("UTC", "2006-01-02 22:04 UTC +00:00 Z +000000 Z"),
    ] {
        let zone = TimeZone::get(zone).unwrap();
        assert_eq!(layout.format(&moment.to_zoned(zone)), text);
    }
}
