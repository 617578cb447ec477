//! Names that are made and read back.

use proptest::prelude::*;

use super::*;

fn values() -> Values {
    Values::default()
        .with(Variable::Thread, "3")
        .with(Variable::Topic, "metrics")
        .with(Variable::Partition, "12")
        .with(Variable::Measurement, "cpu")
        .with(Variable::First, "100")
        .with(Variable::Date, "2020-06-19")
        .with(Variable::Hour, "07")
}

#[test]
fn names_are_made_as_the_template_says() {
    for (template, number, name) in [
        ("consumer-thread-{thread}", 1, "consumer-thread-3.csv"),
        ("consumer-thread-{thread}", 2, "consumer-thread-3+2.csv"),
        ("{date}", 1, "2020-06-19.csv"),
        ("{date}T{hour}.log", 3, "2020-06-19T07+3.log"),
        ("{topic}-{partition}.{first}-{last}.jsonl", 1, "metrics-12.100-_.jsonl"),
        ("{topic}.{measurement}", 1, "metrics.cpu.csv"),
        ("plain", 1, "plain.csv"),
        ("a.b{thread}", 1, "a.b3.csv"),
        ("{thread}.", 1, "3..csv"),
    ] {
        let template = Template::parse(template).unwrap();
        let made = template.name(&values(), number);
        assert_eq!(made, name);
        let read = template.pattern(&values().known_before()).read(&made).unwrap();
        assert_eq!(read.number, number);
        assert_eq!(template.name(&read.values, read.number), made);
    }
    assert_eq!(Template::default(), Template::parse("consumer-thread-{thread}").unwrap());
}

#[test]
fn what_is_no_template_is_told() {
    for (text, message) in [
        ("", "needs a name"),
        ("a/b", "names a folder"),
        (".a", "begins with a dot"),
        ("{thread", "a brace without the other"),
        ("thread}", "a brace without the other"),
        ("{a{thread}}", "a brace without the other"),
        ("{threads}", "{threads} is unknown; there are {thread}, {topic}, "),
        ("{}", "{} is unknown"),
        ("{thread}-{thread}", "{thread} stands twice"),
        ("{thread}.csv.open", "ends in .open, which the sink adds itself"),
        ("{thread}.csv.gz", "ends in .gz, which the sink adds itself"),
    ] {
        let error = Template::parse(text).unwrap_err().to_string();
        assert!(error.contains(message), "{text:?}: {error}");
    }
}

#[test]
fn rows_of_csv_have_the_measurement_in_their_names() {
    for (template, with) in [
        ("consumer-thread-{thread}", "consumer-thread-3.cpu.csv"),
        ("{measurement}-{thread}", "cpu-3.csv"),
        ("{thread}.txt", "3.cpu.txt"),
    ] {
        let template = Template::parse(template).unwrap().with_measurement();
        assert_eq!(template.name(&values(), 1), with);
    }
}

#[test]
fn names_are_read_as_what_they_are_and_no_others_are() {
    let template = Template::parse("{topic}-{measurement}-{thread}").unwrap();
    // With what is known, nothing is ambiguous.
    let known = Values::default().with(Variable::Topic, "a").with(Variable::Thread, "1");
    let read = template.pattern(&known).read("a-b-c-1+2.csv").unwrap();
    assert_eq!(read.values.get(Variable::Measurement), Some("b-c"));
    assert_eq!(read.number, 2);
    for name in
        ["a-b-c-1+1.csv", "a-b-c-1+02.csv", "a-b-c-10.csv", "a-b-c-1.csv.gz", "b-c-1.csv", ""]
    {
        assert_eq!(template.pattern(&known).read(name), None, "{name}");
    }
}

#[test]
fn a_topic_hides_no_file() {
    let template = Template::parse("{topic}").unwrap();
    let values = Values::default().with(Variable::Topic, of_topic(".hidden"));
    assert_eq!(template.name(&values, 1), "%2Ehidden.csv");
    assert!(template.pattern(&Values::default()).read("%2Ehidden.csv").is_some());
}

proptest! {
    #[test]
    fn what_is_made_is_read_back(
        pieces in prop::collection::vec(
            prop_oneof![
                (0..Variable::ALL.len()).prop_map(|at| format!("{{{}}}", Variable::ALL[at].word())),
                "[a-z+.0-9 _-]{1,4}",
            ],
            1..6,
        ),
        topic in "[A-Za-z0-9._-]{1,6}",
        measurement in "\\PC{1,6}",
        numbers in any::<(u8, u16, u32)>(),
        number in 1_u32..200,
    ) {
        let text = pieces.concat();
        let Ok(template) = Template::parse(&text) else { return Ok(()) };
        let values = Values::default()
            .with(Variable::Thread, numbers.0.to_string())
            .with(Variable::Topic, of_topic(&topic))
            .with(Variable::Partition, numbers.1.to_string())
            .with(Variable::Measurement, of_measurement(&measurement))
            .with(Variable::First, numbers.2.to_string())
            .with(Variable::Date, "2020-06-19")
            .with(Variable::Time, "070809")
            .with(Variable::Year, "2020")
            .with(Variable::Month, "06")
            .with(Variable::Day, "19")
            .with(Variable::Hour, "07")
            .with(Variable::Minute, "08");
        let name = template.name(&values, number);
        prop_assert!(!name.starts_with('.') && !name.contains('/'), "{}", name);
        for known in [values.clone(), values.clone().known_before(), Values::default()] {
            let read = template.pattern(&known).read(&name);
            prop_assert!(read.is_some(), "{} of {}", name, text);
            // Without values to go by, parts may be read as others; the name is the same.
            let read = read.unwrap();
            prop_assert_eq!(template.name(&read.values, read.number), name.clone());
        }
    }
}
