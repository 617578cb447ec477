//! Tests of going through processes, on captured trees and on the kernel's own `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use super::*;

/// How often a machine on which processes come and go is looked at before a test gives up.
const MOST_LOOKS: usize = 10_000;

/// The lengths of all `stat`, by the paths of their processes.
fn lengths(processes: &mut HostProcesses) -> io::Result<BTreeMap<PathBuf, usize>> {
    let mut found = BTreeMap::new();
    let mut buffer = Vec::new();
    processes.visit_stats(&mut buffer, |place, stat| {
        let before = found.insert(place.path().parent().unwrap().to_owned(), stat.len());
        assert_eq!(before, None, "{} is visited twice", place.path().display());
        Ok::<_, io::Error>(())
    })?;
    Ok(found)
}

/// The processes that a folder lists, and the links that it has besides.
fn listed(folder: &Path) -> (BTreeSet<PathBuf>, u64) {
    let mut processes = BTreeSet::new();
    let mut n_other_links = 2;
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().as_bytes()[0].is_ascii_digit() {
            processes.insert(entry.path());
        } else if entry.file_type().unwrap().is_dir() {
            n_other_links += 1;
        }
    }
    (processes, n_other_links)
}

#[test]
fn a_captured_tree_is_read_anew_each_time() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("proc");
    let mut processes = HostProcesses::new(folder.clone());
    let error = lengths(&mut processes).unwrap_err().to_string();
    assert!(error.ends_with("/proc: no such file or directory"), "{error}");
    for size in [0, 3, 1_023, 1_024, 5_000] {
        for name in ["1", "22", "007", "4x", "99999999999", "self"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            std::fs::write(folder.join(name).join("stat"), vec![b'x'; size]).unwrap();
        }
        // One that has ended since it was listed looks like this.
        std::fs::create_dir_all(folder.join("5")).unwrap();
        let names = ["1", "22", "007", "4x", "99999999999"];
        let expected = names.map(|name| (folder.join(name), size)).into();
        assert_eq!(lengths(&mut processes).unwrap(), expected);
    }
    assert!(processes.folder.is_none() && processes.kept.is_empty());
}

#[test]
fn a_stat_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("7/stat")).unwrap();
    let error = lengths(&mut HostProcesses::new(folder.path().to_owned())).unwrap_err().to_string();
    assert!(error.ends_with("/7/stat: is a directory"), "{error}");
}

#[test]
fn what_is_visited_is_what_is_listed_whether_some_have_come_or_not() {
    let folder = Path::new("/proc");
    let mut processes = HostProcesses::new(folder.to_owned());
    let mut seen = BTreeSet::new();
    for look in 0..MOST_LOOKS {
        // Nobody has come, the last ones are unknown, one in the middle is, and nobody is known.
        match look % 4 {
            0 => {}
            1 => drop(processes.kept.split_off(processes.kept.len().saturating_sub(2))),
            2 => drop((processes.kept.len() > 2).then(|| processes.kept.remove(1))),
            _ => processes = HostProcesses::new(folder.to_owned()),
        }
        let n_links = std::fs::metadata(folder).unwrap().nlink();
        let (before, n_other_links) = listed(folder);
        processes.names.clear();
        let visited: BTreeSet<_> = lengths(&mut processes).unwrap().into_keys().collect();
        let was_listed = !processes.names.is_empty();
        if before != listed(folder).0 {
            continue;
        }
        assert_eq!(visited, before, "look {look}, listed: {was_listed}");
        seen.insert((look % 4, was_listed));
        // Without a link for each process, as in a container, they have to be listed each time.
        let tells = n_links == n_other_links + before.len() as u64;
        let all = [(0, !tells), (1, true), (2, true), (3, true)];
        if all.iter().all(|kind| seen.contains(kind)) {
            return;
        }
    }
    panic!("only seen: {seen:?}");
}

#[test]
fn those_who_come_are_found_and_those_who_go_are_forgotten() {
    let mut processes = HostProcesses::new("/proc".into());
    lengths(&mut processes).unwrap();
    let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let path = Path::new("/proc").join(child.id().to_string());
    let is_kept =
        |processes: &HostProcesses| processes.kept.iter().any(|kept| kept.number == child.id());
    for _ in 0..2 {
        assert!(lengths(&mut processes).unwrap().contains_key(&path));
        assert!(is_kept(&processes));
        assert!(processes.kept.is_sorted_by_key(|kept| kept.number));
    }
    let number = child.id();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!lengths(&mut processes).unwrap().contains_key(&path));
    assert!(processes.kept.iter().all(|kept| kept.number != number));
}

#[test]
fn more_than_may_stay_open_are_visited_once_each() {
    let mut processes = HostProcesses::new("/proc".into());
    let all = lengths(&mut processes).unwrap().len();
    processes.most_kept = 3;
    processes.kept.truncate(2);
    for _ in 0..3 {
        assert!(lengths(&mut processes).unwrap().len() > all / 2);
        assert_eq!(processes.kept.len(), 3);
    }
}

#[test]
fn an_error_of_a_visit_ends_the_round_and_the_next_one_begins_anew() {
    let mut processes = HostProcesses::new("/proc".into());
    let all = lengths(&mut processes).unwrap().len();
    for _ in 0..2 {
        let mut n_visits = 0;
        let error = processes
            .visit_stats(&mut Vec::new(), |_, _| {
                n_visits += 1;
                Err(io::Error::other("enough"))
            })
            .unwrap_err();
        assert_eq!((error.to_string().as_str(), n_visits), ("enough", 1));
    }
    assert!(lengths(&mut processes).unwrap().len() > all / 2);
}
