//! Who may know whom: the table of ARCHITECTURE.md, checked on every path in the source.

use super::none;
use super::source::{Source, sources};

/// A folder of `src` and the modules that it may name. Those that end in `::` stand for what is
/// below them.
const MAY_KNOW: [(&str, &[&str]); 16] = [
    ("metric", &[]),
    // A plain value, which clocks hand out.
    ("system", &["metric::Timestamp"]),
    // Connections, which may be encrypted; nothing of HTTP.
    ("kafka", &["system", "letters", "http::tls", "http::dial", "http::Wire", "http::Failure"]),
    ("http", &["system", "metric::Timestamp"]),
    ("crypto", &["system"]),
    // Options that many plugins share are read here, and what they come to is the client's.
    ("plugin", &["metric", "system", "http", "kafka"]),
    ("process", &["plugin", "metric", "system"]),
    ("socket", &["plugin", "metric", "system", "http"]),
    ("plugins", &["plugin", "metric", "system", "kafka", "http", "crypto", "process", "socket"]),
    ("letters", &[]),
    ("status", &["http", "system"]),
    ("spool", &["system"]),
    ("agent", &["plugin", "metric", "system", "letters", "spool", "status"]),
    ("config", &["plugin", "plugins", "agent", "metric", "system", "http"]),
    (
        "sink",
        &[
            "kafka",
            "letters",
            "status",
            "http",
            "system",
            "plugin",
            "metric",
            "plugins::parsers",
            "plugins::serializers",
        ],
    ),
    (
        "cli",
        &[
            "agent", "config", "http", "kafka", "letters", "metric", "plugin", "plugins", "sink",
            "status", "system",
        ],
    ),
];

/// Crates that only one folder may name.
const DOORS: [(&str, &[&str]); 8] = [
    ("rdkafka", &["kafka"]),
    ("openssl", &["http", "crypto"]),
    ("httparse", &["http"]),
    ("snap", &["http"]),
    ("toml", &["config"]),
    ("clap", &["cli"]),
    ("signal_hook", &["cli"]),
    ("env_logger", &["cli"]),
];

#[test]
fn modules_know_only_those_they_may() {
    let mut found = Vec::new();
    for source in sources(&["src"]).iter().filter(|source| !source.is_test_module()) {
        let module = source.module();
        let layer = module.split("::").next().unwrap_or_default();
        let Some((_, allowed)) = MAY_KNOW.iter().find(|(name, _)| *name == layer) else {
            if source.path != "src/lib.rs" {
                found.push(format!("{}: its folder is not in the table", source.path));
            }
            continue;
        };
        for (number, path) in crate_paths(source) {
            let is_own = path.split("::").next() == Some(layer);
            let is_allowed = allowed.iter().any(|name| starts_with_path(&path, name));
            if !is_own && !is_allowed {
                found.push(format!("{}:{number}: crate::{path}", source.path));
            }
        }
    }
    none("a module names another that it must not know", found);
}

#[test]
fn no_plugin_knows_another() {
    let mut found = Vec::new();
    for source in sources(&["src/plugins"]).iter().filter(|source| !source.is_test_module()) {
        let module = source.module();
        // The tables above the plugins name all of them; that is what they are for.
        let parts: Vec<_> = module.split("::").take(3).collect();
        let Ok([_, _, _]) = <[&str; 3]>::try_from(parts.as_slice()) else { continue };
        let own = parts.join("::");
        for (number, path) in crate_paths(source) {
            if path.starts_with("plugins") && !starts_with_path(&path, &own) {
                found.push(format!("{}:{number}: crate::{path}", source.path));
            }
        }
        // Out of its folder the other way.
        let depth = module.split("::").count() - parts.len();
        let climb = "super::".repeat(depth + 1);
        for (number, line) in source.code().filter(|(_, line)| line.contains(&climb)) {
            found.push(format!("{}:{number}: {}", source.path, line.trim()));
        }
    }
    none("a plugin names another plugin", found);
}

#[test]
fn each_crate_with_a_door_is_named_behind_it_only() {
    let mut found = Vec::new();
    for source in sources(&["src"]).iter().filter(|source| !source.is_test_module()) {
        let module = source.module();
        let layer = module.split("::").next().unwrap_or_default();
        for (krate, allowed) in DOORS.iter().filter(|(_, allowed)| !allowed.contains(&layer)) {
            for (number, line) in source.code() {
                if names_crate(line, krate) {
                    let line = line.trim();
                    found.push(format!("{}:{number}: {line} (for {allowed:?} only)", source.path));
                }
            }
        }
    }
    none("a crate is used past its door", found);
}

fn starts_with_path(path: &str, start: &str) -> bool {
    path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Whether a line has a path that begins with the crate's name.
fn names_crate(line: &str, krate: &str) -> bool {
    line.match_indices(&format!("{krate}::")).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '"')
    })
}

/// The paths from the root of the library that a file names, each with its line; groups such as
/// `crate::plugin::{Input, settings::Table}` are taken apart.
fn crate_paths(source: &Source) -> Vec<(usize, String)> {
    // As one text, since groups go over several lines.
    let mut code = String::new();
    let mut lines = Vec::new();
    for (number, line) in source.code() {
        lines.push((code.len(), number));
        code.push_str(line);
        code.push('\n');
    }
    let mut found = Vec::new();
    for (at, start) in code.match_indices("crate::") {
        // `$crate::` and `pub(crate)` begin otherwise; `metric_agent_crate::` does not exist.
        let number = lines.iter().rev().find(|(offset, _)| *offset <= at).map_or(0, |line| line.1);
        let mut rest = &code[at + start.len()..];
        for path in take_tree(&mut rest, "") {
            found.push((number, path));
        }
    }
    found
}

/// Takes a path or a group of paths off the beginning of `text`.
fn take_tree(text: &mut &str, before: &str) -> Vec<String> {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    let (path, rest) = text.split_at(end.unwrap_or(text.len()));
    *text = rest;
    let path = format!("{before}{path}");
    let Some(group) = rest.strip_prefix('{').filter(|_| path.is_empty() || path.ends_with("::"))
    else {
        return vec![path];
    };
    *text = group;
    let mut found = Vec::new();
    loop {
        *text = text.trim_start_matches([' ', '\n', ',']);
        match text.strip_prefix('}') {
            Some(rest) => {
                *text = rest;
                return found;
            }
            None if text.is_empty() => return found,
            None => found.extend(take_tree(text, &path)),
        }
        // `as` and the new name, if there is one.
        let end = text.find([',', '}']).unwrap_or(text.len());
        *text = &text[end..];
    }
}

#[test]
fn groups_of_paths_are_taken_apart() {
    let text = "use crate::{a::b, c::{self as d,\n e::F}};\nlet x = crate::g::h(1);\n// crate::z\n";
    let source = Source { path: "src/x.rs".into(), text: text.into() };
    let paths: Vec<_> = crate_paths(&source).into_iter().map(|(_, path)| path).collect();
    assert_eq!(paths, ["a::b", "c::self", "c::e::F", "g::h"]);
}
