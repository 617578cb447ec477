//! The source files of this project as text.

use std::fs;
use std::path::{Path, PathBuf};

/// A Rust file.
pub(crate) struct Source {
    /// Its path below the project's folder, with `/` between parts.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The project's folder.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All text files in these folders or at these paths, by path.
pub(crate) fn files(paths: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in paths {
        collect(&root().join(path), &mut found);
    }
    found.sort();
    found
}

/// All Rust files in these folders, by path.
pub(crate) fn sources(folders: &[&str]) -> Vec<Source> {
    let rust = files(folders).into_iter().filter(|(path, _)| path.ends_with(".rs"));
    rust.map(|(path, text)| Source { path, text }).collect()
}

/// The names of the folders in a folder, sorted.
pub(crate) fn folders(path: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(root().join(path)) else { return Vec::new() };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn collect(path: &Path, found: &mut Vec<(String, String)>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), found);
        }
        return;
    }
    let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
    // What is not text, in testcases, has no rules to keep.
    if let Ok(text) = fs::read_to_string(path) {
        found.push((name, text));
    }
}

impl Source {
    /// The text before the tests at the end of the file.
    pub(crate) fn without_tests(&self) -> &str {
        self.text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default()
    }

    /// The lines of the program, numbered from 1: no comments, no tests.
    pub(crate) fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.without_tests().lines().enumerate();
        lines
            .map(|(number, line)| (number + 1, line))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// All lines, numbered from 1.
    pub(crate) fn numbered_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(number, line)| (number + 1, line))
    }

    /// Whether the whole file is tests.
    pub(crate) fn is_test_module(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// Its module, as `plugins::inputs::cpu`; empty for the root of the library.
    pub(crate) fn module(&self) -> String {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        path.trim_end_matches("/mod").trim_end_matches("lib").replace('/', "::")
    }

    /// The modules that it declares to be in other files.
    pub(crate) fn declared_modules(&self) -> Vec<String> {
        let outer = self.module();
        let declared = self.text.lines().filter_map(|line| {
            let line = line.strip_suffix(';')?;
            let (before, name) = line.rsplit_once("mod ")?;
            // Some plugins are called like words of the language.
            let name = name.trim_start_matches("r#");
            matches!(before, "" | "pub " | "pub(crate) " | "pub(super) ").then_some(name)
        });
        declared
            .map(|name| if outer.is_empty() { name.to_owned() } else { format!("{outer}::{name}") })
            .collect()
    }
}
