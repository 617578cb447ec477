//! The data of the plugins' testcases, and the inputs that once were too much.

use std::fs;
use std::path::{Path, PathBuf};

/// Longer files teach nothing that shorter ones do not.
const MOST_BYTES: u64 = 64 << 10;

/// The project's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The inputs kept for a target, by name.
pub(crate) fn kept(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    contents(files(&root().join("tests/fuzz/cases").join(target)))
}

/// The folders of a plugin's testcases, such as those of `parsers/csv`.
pub(crate) fn testcases(plugin: &str) -> Vec<PathBuf> {
    let folder = root().join("src/plugins").join(plugin).join("testcases");
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// The folders of all testcases of a kind of plugins, such as `inputs`.
pub(crate) fn testcases_of_kind(kind: &str) -> Vec<PathBuf> {
    let mut plugins: Vec<_> = fs::read_dir(root().join("src/plugins").join(kind))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    plugins.sort();
    plugins.iter().flat_map(|plugin| testcases(&format!("{kind}/{plugin}"))).collect()
}

/// What a testcase gives a plugin to read: no settings, nothing that is expected.
pub(crate) fn data_of(case: &Path) -> Vec<Vec<u8>> {
    let is_data = |path: &PathBuf| {
        let name = path.strip_prefix(case).unwrap().to_str().unwrap();
        !name.starts_with("expected") && name != "telegraf.conf" && name != "test.toml"
    };
    let data = contents(files(case).into_iter().filter(is_data).collect());
    data.into_iter().map(|(_, content)| content).collect()
}

/// The settings of a testcase.
pub(crate) fn settings_of(case: &Path) -> Option<String> {
    fs::read_to_string(case.join("telegraf.conf")).ok()
}

/// All files below a folder, sorted.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry.unwrap();
            match entry.file_type().unwrap() {
                kind if kind.is_dir() => open.push(entry.path()),
                kind if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

fn contents(paths: Vec<PathBuf>) -> Vec<(PathBuf, Vec<u8>)> {
    let is_short = |path: &PathBuf| path.metadata().is_ok_and(|file| file.len() <= MOST_BYTES);
    let paths = paths.into_iter().filter(is_short);
    paths.filter_map(|path| fs::read(&path).ok().map(|content| (path, content))).collect()
}
