//! Whether every number stands in the files once, and in order.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::support::Topic;

/// How many things that are wrong are told one by one.
const MOST_TOLD: usize = 20;

/// How often each number was found.
pub(super) struct Numbers {
    times: Vec<u8>,
    partitions: u64,
    wrong: Vec<String>,
}

impl Numbers {
    /// Expects the numbers below `total`, each in the partition that is its remainder.
    pub(super) fn new(total: u64, partitions: i32) -> Numbers {
        let times = vec![0; usize::try_from(total).unwrap()];
        Numbers { times, partitions: u64::try_from(partitions).unwrap(), wrong: Vec::new() }
    }

    /// Reads all data files of a folder.
    pub(super) fn add_folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "csv") {
                let name = path.display().to_string();
                self.add(&name, BufReader::new(File::open(&path).unwrap()));
            }
        }
    }

    /// Reads one file.
    fn add(&mut self, name: &str, mut file: impl BufRead) {
        let mut last: BTreeMap<u64, u64> = BTreeMap::new();
        let (mut line, mut at) = (Vec::new(), 0);
        while file.read_until(b'\n', &mut line).unwrap() > 0 {
            let place = format!("{name}, byte {at}");
            at += line.len();
            match number(&line) {
                None => self.wrong.push(format!("{place}: no record, or a torn one")),
                Some(number) => {
                    let before = last.insert(number % self.partitions, number);
                    if before >= Some(number) {
                        self.wrong.push(format!("{place}: {number} stands behind {before:?}"));
                    }
                    match usize::try_from(number).ok().and_then(|it| self.times.get_mut(it)) {
                        Some(times) => *times = times.saturating_add(1),
                        None => self.wrong.push(format!("{place}: {number} was never written")),
                    }
                }
            }
            line.clear();
        }
    }

    /// What is wrong, a sentence for each.
    pub(super) fn wrong(mut self) -> Vec<String> {
        let not_once = self.times.iter().enumerate().filter(|(_, times)| **times != 1);
        self.wrong.extend(not_once.map(|(number, times)| {
            let partition = number as u64 % self.partitions;
            format!("{number} (partition {partition}) stands in the files {times} times")
        }));
        let count = self.wrong.len();
        if count > MOST_TOLD {
            self.wrong.truncate(MOST_TOLD);
            self.wrong.push(format!("and {} more", count - MOST_TOLD));
        }
        self.wrong
    }
}

/// The number of a record that is whole.
fn number(line: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
    let number = line.split("number=").nth(1)?.split('i').next()?.parse().ok()?;
    (line == Topic::numbered(number)).then_some(number)
}

fn wrong(files: &[&str], total: u64) -> Vec<String> {
    let mut numbers = Numbers::new(total, 2);
    files.iter().for_each(|file| numbers.add("f", file.as_bytes()));
    numbers.wrong()
}

fn lines(numbers: &[u64]) -> String {
    numbers.iter().map(|number| Topic::numbered(*number) + "\n").collect()
}

#[test]
fn numbers_that_stand_once_and_in_order_are_right() {
    assert_eq!(wrong(&[&lines(&[1, 0, 2]), &lines(&[3, 4])], 5), [""; 0]);
}

#[test]
fn what_the_chaos_test_looks_for_it_finds() {
    let torn = lines(&[0, 1]);
    for (files, total, expected) in [
        (vec![lines(&[0, 1, 3])], 4, "2 (partition 0) stands in the files 0 times"),
        (vec![lines(&[0, 1]), lines(&[1])], 2, "1 (partition 1) stands in the files 2 times"),
        (vec![lines(&[2, 1, 0])], 3, "f, byte 470: 0 stands behind Some(2)"),
        (vec![torn[..torn.len() - 1].to_owned()], 1, "f, byte 235: no record, or a torn one"),
        (vec![lines(&[0, 1]).replace("000", "0000")], 0, "f, byte 0: no record, or a torn one"),
        (vec![lines(&[7])], 0, "f, byte 0: 7 was never written"),
    ] {
        let files: Vec<_> = files.iter().map(String::as_str).collect();
        assert_eq!(wrong(&files, total)[0], expected);
    }
}
