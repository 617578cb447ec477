//! Files that somebody has put in the place of others, or written over.

use std::ops::Range;

use super::*;

/// Writes a file anew, as another one that was made later; the clocks of file systems are coarse.
fn make_anew(path: &std::path::Path, content: &[u8]) -> FileId {
    let before = FileId::at(path).unwrap();
    loop {
        fs::remove_file(path).unwrap();
        fs::write(path, content).unwrap();
        let now = FileId::at(path).unwrap();
        if now.born_ns > before.born_ns {
            return now;
        }
    }
}

/// Has the journal say that it is about this file.
fn say_about(scene: &Scene, file: FileId) {
    let text = fs::read_to_string(scene.journal()).unwrap();
    let line = text.lines().next().unwrap();
    let begin = line.split(' ').nth(6).unwrap().parse().unwrap();
    let mut header = String::new();
    Entry::Header(Header { writer: writer(0), file, begin }).encode(&mut header);
    fs::write(scene.journal(), text.replace(&format!("{line}\n"), &header)).unwrap();
}

#[test]
fn a_file_that_got_the_number_of_a_removed_one_is_not_cut_by_its_journal() {
    let scene = Scene::new();
    write_one_confirmed_and_one_not(&scene);
    let before = FileId::at(&scene.path).unwrap();
    // Somebody has put another file in its place, and the file system has given it the same number.
    let now = make_anew(&scene.path, b"of somebody else\nand no end of it\n");
    say_about(&scene, FileId { inode: now.inode, ..before });
    let mut file = scene.open();
    assert_eq!(scene.text(), "of somebody else\nand no end of it\n");
    assert!(matches!(file.take_findings()[..], [Finding::Replaced { .. }]));
}

#[test]
fn a_journal_is_believed_although_its_file_seems_younger_because_the_clock_was_set_back() {
    let scene = Scene::new();
    write_one_confirmed_and_one_not(&scene);
    let content = fs::read(&scene.path).unwrap();
    let younger = make_anew(&scene.path, &content);
    say_about(&scene, younger);
    let mut file = scene.open();
    file.settle(&committed(&[(0, 1)])).unwrap();
    assert_eq!(scene.text(), "0:0\n");
    assert!(file.take_findings().is_empty());
}

#[test]
fn what_somebody_has_written_over_committed_records_is_not_cut() {
    for is_settled in [true, false] {
        let scene = Scene::new();
        let mut file = scene.open();
        batch(&mut file, 1, &[(0, 0)]);
        if is_settled {
            file.settle(&committed(&[(0, 1)])).unwrap();
        } else {
            file.confirmed(1);
        }
        batch(&mut file, 2, &[(0, 1)]);
        drop(file);
        written_over(&scene);
    }
}

fn written_over(scene: &Scene) {
    // In its place, so that it is the same file.
    fs::write(&scene.path, "by hand\nand more\nand more\n").unwrap();
    let mut file = scene.open();
    assert_eq!(scene.text(), "by hand\nand more\nand more\n");
    let findings = file.take_findings();
    assert!(matches!(
        findings[..],
        [Finding::Overwritten { bytes: Range { start: 0, end: 4 }, .. }, Finding::Undecided { .. }]
    ));
    append(&mut file, &[(0, 2)]);
    assert_eq!(scene.text(), "by hand\nand more\nand more\n0:2\n");
}
