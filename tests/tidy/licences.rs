//! That everything linked into the programs may be given on under the project's own licence.

use std::process::Command;

use serde_json::Value;

use super::none;
use super::source::root;

/// Licences that ask for no more than to be named.
const ALLOWED: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).current_dir(root()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_dependency_has_a_licence_that_lets_it_be_given_on() {
    let version = cargo(&["-vV"]);
    // For this machine only: what others need has not been fetched.
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = cargo(&[
        "metadata",
        "--format-version=1",
        "--locked",
        "--offline",
        "--filter-platform",
        host,
    ]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let found = packages.iter().filter_map(|package| {
        let licence = package["license"].as_str().unwrap_or_default();
        let name = &package["name"];
        (!is_allowed(licence)).then(|| format!("{name}: {licence:?}"))
    });
    none("a dependency's licence is not among the allowed ones", found);
}

/// Whether an expression such as `(MIT OR Apache-2.0) AND Unicode-3.0` can be met.
fn is_allowed(expression: &str) -> bool {
    // `AND` binds closer than `OR`, and `/` is how `OR` used to be written.
    let expression = expression.replace('/', " OR ");
    let alternatives = split(&expression, " OR ");
    if alternatives.len() > 1 {
        return alternatives.iter().any(|part| is_allowed(part));
    }
    let parts = split(&expression, " AND ");
    if parts.len() > 1 {
        return parts.iter().all(|part| is_allowed(part));
    }
    let term = expression.trim();
    match term.strip_prefix('(').and_then(|term| term.strip_suffix(')')) {
        Some(inner) => is_allowed(inner),
        None => ALLOWED.contains(&term),
    }
}

/// Splits at a separator, outside parentheses only.
fn split<'e>(expression: &'e str, separator: &str) -> Vec<&'e str> {
    let mut parts = Vec::new();
    let (mut begin, mut depth) = (0, 0);
    for (at, c) in expression.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ if depth == 0 && expression[at..].starts_with(separator) => {
                parts.push(&expression[begin..at]);
                begin = at + separator.len();
            }
            _ => {}
        }
    }
    parts.push(&expression[begin..]);
    parts
}

#[test]
fn expressions_of_licences_are_understood() {
    for (expression, expected) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("(MIT OR GPL-2.0-only) AND Unicode-3.0", true),
        ("MIT AND GPL-2.0-only", false),
        ("GPL-2.0-only OR MIT AND ISC", true),
        ("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT", true),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression), expected, "{expression}");
    }
}
