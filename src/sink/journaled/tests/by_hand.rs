//! Files that somebody has put in the place of others, or written over.

use std::ops::Range;
use std::os::unix::fs::MetadataExt;

use super::*;

/// Makes files at this path until one is younger than another file; the clocks of file systems are
/// coarse.
fn make_younger_than(path: &std::path::Path, other: &std::path::Path, content: &str) {
    let born = |path: &std::path::Path| fs::metadata(path).unwrap().created().unwrap();
    while {
        let _ = fs::remove_file(path);
        fs::write(path, content).unwrap();
        born(path) <= born(other)
    } {}
}

#[test]
fn a_file_that_got_the_number_of_a_removed_one_is_not_cut_by_its_journal() {
    let scene = Scene::new();
    let mut file = scene.open();
    batch(&mut file, 1, &[(0, 0)]);
    file.confirmed(1);
    batch(&mut file, 2, &[(0, 1)]);
    drop(file);
    // Somebody has put another file in its place, and the file system has given it the same number.
    make_younger_than(&scene.path, &scene.journal(), "of somebody else\nand no end of it\n");
    let text = fs::read_to_string(scene.journal()).unwrap();
    let inode = fs::metadata(&scene.path).unwrap().ino();
    let line = text.lines().next().unwrap();
    let words: Vec<_> = line.split(' ').collect();
    let header = Entry::Header(Header {
        writer: writer(0),
        file: FileId { device: 0, inode },
        begin: words[6].parse().unwrap(),
    });
    let mut new = String::new();
    header.encode(&mut new);
    // The journal stays the file that it was.
    fs::write(scene.journal(), text.replace(&format!("{line}\n"), &new)).unwrap();
    let mut file = scene.open();
    assert_eq!(scene.text(), "of somebody else\nand no end of it\n");
    assert!(matches!(file.take_findings()[..], [Finding::Replaced { .. }]));
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
