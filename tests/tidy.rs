//! House rules that no compiler checks.

mod layers;
mod licences;
mod packages;
mod plugins;
mod source;

use std::collections::BTreeSet;

use source::{Source, files, root, sources};

/// Most lines of a file, tests aside: more hides more than one thing.
const MOST_LINES: usize = 500;

/// Names of modules that say nothing about what is in them.
const EMPTY_NAMES: [&str; 7] = ["util", "utils", "common", "helper", "helpers", "misc", "types"];

/// Fails with all of `found`, so that one run shows everything there is to do.
fn none(rule: &str, found: impl IntoIterator<Item = String>) {
    let found: Vec<_> = found.into_iter().collect();
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn every_file_begins_with_what_it_is() {
    let found = sources(&["src", "bin", "tests"])
        .into_iter()
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.path);
    none("the first line is a `//!` sentence", found);
}

#[test]
fn no_file_is_too_long() {
    let long = |source: &Source| {
        let lines = source.without_tests().lines().count();
        (lines > MOST_LINES).then(|| format!("{}: {lines} lines", source.path))
    };
    let all = sources(&["src", "bin", "tests"]);
    let found = all.iter().filter(|source| !source.is_test_module()).filter_map(long);
    none("a file has at most 500 lines without its tests", found);
}

#[test]
fn every_module_has_a_name_that_says_something() {
    let found =
        sources(&["src", "bin", "tests"]).into_iter().map(|source| source.path).filter(|path| {
            let path = path.trim_end_matches(".rs");
            path.split('/').any(|part| EMPTY_NAMES.contains(&part))
        });
    none("a module's name says what is in it", found);
}

#[test]
fn no_test_is_left_out_and_none_sleeps() {
    // Put together, so that this file does not name them itself.
    let banned = [["#[", "ignore"].concat(), ["thread::", "sleep("].concat()];
    let mut found = Vec::new();
    for source in sources(&["src", "bin", "tests"]) {
        for (number, line) in source.numbered_lines() {
            if banned.iter().any(|text| line.contains(text.as_str())) {
                found.push(format!("{}:{number}: {}", source.path, line.trim()));
            }
        }
    }
    none("tests are run, and wait for what they wait for", found);
}

#[test]
fn one_module_alone_goes_without_the_compilers_guard_over_memory() {
    const MODULE: &str = "src/kafka/group/records.rs";
    // Put together, so that this file does not name it itself.
    let word = ["un", "safe"].concat();
    let names_it = |line: &str| {
        let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.into_iter().any(|each| each == word || each == format!("{word}_code"))
    };
    let all = sources(&["src", "bin", "tests", "build.rs"]);
    let found = all.iter().filter(|source| source.path != MODULE).flat_map(|source| {
        let lines = source.numbered_lines().filter(|(_, line)| {
            let code = line.split("//").next().unwrap_or_default();
            names_it(code)
        });
        lines.map(|(number, line)| format!("{}:{number}: {}", source.path, line.trim()))
    });
    none("only the module that reads in batches touches memory by address", found);
    let module = all.iter().find(|source| source.path == MODULE).unwrap();
    let lines: Vec<&str> = module.text.lines().collect();
    let unsaid = lines.iter().enumerate().filter(|(number, line)| {
        let is_block =
            line.contains(&format!("{word} {{")) || line.contains(&format!("{word} impl"));
        let is_said = lines[number.saturating_sub(5)..=*number]
            .iter()
            .any(|before| before.trim_start().starts_with("// SAFETY: "));
        is_block && !is_said
    });
    none(
        "each block says why it is sound",
        unsaid.map(|(number, line)| format!("{MODULE}:{}: {}", number + 1, line.trim())),
    );
}

#[test]
fn no_path_of_one_persons_machine_is_in_it() {
    let banned = [["/ho", "me/"].concat(), ["/ro", "ot/"].concat(), ["/Us", "ers/"].concat()];
    let mut found = Vec::new();
    for (path, text) in files(&["src", "bin", "tests", "scripts", "README.md", "ARCHITECTURE.md"]) {
        // What was captured from a machine tells about its mounts.
        if path.contains("/testcases/") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if banned.iter().any(|start| line.contains(start.as_str())) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none("paths are those of any machine", found);
}

#[test]
fn links_between_the_documents_lead_somewhere() {
    let mut found = Vec::new();
    for (path, text) in files(&["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "src"]) {
        if !path.ends_with(".md") {
            continue;
        }
        let folder = root().join(&path);
        let folder = folder.parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            let is_outside = target.is_empty() || target.contains("://");
            if !is_outside && !folder.join(target).exists() {
                found.push(format!("{path}: {link}"));
            }
        }
    }
    none("a link in a document leads to a file", found);
}

#[test]
fn the_documents_that_people_look_for_are_there() {
    let wanted =
        ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "telegraf.conf.example"];
    none(
        "a document is missing",
        wanted.map(str::to_owned).into_iter().filter(|name| !root().join(name).is_file()),
    );
    let (_, changelog) = files(&["CHANGELOG.md"]).remove(0);
    assert!(changelog.contains("\n## Unreleased\n") || changelog.contains("\n## ["));
}

#[test]
fn every_module_of_a_folder_is_in_the_tree_of_modules() {
    let all = sources(&["src"]);
    let declared: BTreeSet<_> = all.iter().flat_map(Source::declared_modules).collect();
    let found = all.iter().filter(|source| source.path != "src/lib.rs").filter_map(|source| {
        let module = source.module();
        (!declared.contains(&module)).then(|| format!("{}: no `mod` names it", source.path))
    });
    none("a file is part of the library", found);
}
