//! Tables of sections and how well they are covered.

use super::*;
use crate::config::tests::with_loader;

fn coverage(text: &str) -> Coverage {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("telegraf.conf");
    std::fs::write(&path, text).unwrap();
    let files = vec![path.to_string_lossy().into_owned()];
    let sources = Sources { files, directories: Vec::new() };
    with_loader(|loader| loader.coverage(&sources).unwrap())
}

#[test]
fn each_section_is_judged_by_itself() {
    use GapKind::{Plugin, RefusedOption, RefusedPlugin, UnknownOption};
    for (text, verdict, gap) in [
        ("[[inputs.mem]]", Verdict::Covered, None),
        ("[[inputs.mem]]\n  interval = '5s'\n[inputs.mem.tags]\na = 'b'", Verdict::Covered, None),
        ("[agent]\n  interval = '5s'", Verdict::Covered, None),
        ("[[inputs.nosuch]]\n  a = 1", Verdict::NotCovered, Some((1, Plugin, None))),
        (
            "[[inputs.mem]]\n\n  nonsense = 1",
            Verdict::NotCovered,
            Some((3, UnknownOption, Some("nonsense"))),
        ),
        (
            "[[inputs.mem]]\n  collect_extended = 'yes'",
            Verdict::NotCovered,
            Some((2, RefusedOption, Some("collect_extended"))),
        ),
        (
            "[[inputs.mem]]\n  [inputs.mem.tagpass]\n    a = 'b'",
            Verdict::NotCovered,
            Some((3, RefusedOption, Some("tagpass.a"))),
        ),
        (
            "[[processors.regex]]\n  [[processors.regex.fields]]\n    key = 'a'\n    pattern = '('",
            Verdict::NotCovered,
            Some((1, RefusedPlugin, None)),
        ),
        ("[[inputs.exec]]\n  commands = ['true']", Verdict::Differs, None),
        ("[agent]\n  snmp_translator = 'gosmi'", Verdict::Differs, None),
        (
            "[agent]\n  nonsense = 1",
            Verdict::NotCovered,
            Some((2, UnknownOption, Some("nonsense"))),
        ),
        ("[[outputs.http]]\n  url = 'http://h'\n  region = 'x'", Verdict::Differs, None),
        // A secret store stands elsewhere, perhaps.
        (
            "[[outputs.file]]\n  files = ['@{store:key}']\n  rotation_max_archives = 1",
            Verdict::Differs,
            None,
        ),
    ] {
        let coverage = coverage(text);
        assert_eq!(coverage.sections.len(), 1, "{text}");
        let section = &coverage.sections[0];
        assert_eq!(section.verdict(), verdict, "{text}: {section:?}");
        let found = section.gaps.first();
        let found = found.map(|gap| (gap.line, gap.kind, gap.option.as_deref()));
        assert_eq!(found, gap, "{text}: {section:?}");
    }
}

#[test]
fn a_file_that_is_no_configuration_is_a_gap_of_its_own() {
    let coverage = coverage("[[inputs.mem]]\na = \nb 1\n");
    assert_eq!(coverage.count(Verdict::NotCovered), 1);
    let gaps = &coverage.sections[0].gaps;
    assert!(gaps.iter().all(|gap| gap.kind == GapKind::Text) && gaps.len() == 2, "{gaps:?}");
}

#[test]
fn sections_of_one_file_do_not_disturb_each_other() {
    let coverage = coverage("[[inputs.nosuch]]\n[[inputs.mem]]\n[[outputs.discard]]\nx = 1\n");
    let verdicts: Vec<_> = coverage.sections.iter().map(CoveredSection::verdict).collect();
    assert_eq!(verdicts, [Verdict::NotCovered, Verdict::Covered, Verdict::NotCovered]);
}
