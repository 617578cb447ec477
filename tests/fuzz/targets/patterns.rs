//! Patterns of users: globs, regular expressions, templates of names.

use metric_agent::plugin::NameTemplates;
use metric_agent::plugin::glob::Glob;
use metric_agent::plugin::go::{Regex, Replacer};
use metric_agent::system;

use super::{Target, outcome, outcome_of};

pub(super) fn targets() -> Vec<Target> {
    vec![globs(), globs_against_trials(), file_globs(), regular_expressions(), name_templates()]
}

const GLOBS: &[&str] = &[
    "*\nabc",
    "a?c*\nabc",
    "[a-c]*\nb",
    "[!x]*.y\nq.y",
    "{a,b*}c\nbxc",
    "**.b\na.a.b",
    "\\*a\n*a",
    "cpu*\ncpu_usage",
    "{a{b,c},d}*\nabx",
    "*a*a*a*\naaaaaaa",
];
const GLOB_TOKENS: &[&str] = &[
    "*", "**", "?", "[", "]", "[!", "-", "{", "}", ",", "\\", "\n", ".", "/", "a", "b", "{a,b}",
    "[a-b]",
];

/// The pattern in the first line, and the text in the others.
fn split(input: &str) -> (&str, &str) {
    input.split_once('\n').unwrap_or((input, ""))
}

fn globs() -> Target {
    let target = Target::of_text("patterns/glob", GLOBS, GLOB_TOKENS, || {
        |input| {
            let (pattern, text) = split(input);
            let globs = ["", ".", "/."].map(|separators| Glob::new(pattern, separators));
            for glob in globs.iter().flatten() {
                glob.matches(text);
                glob.matches(pattern);
            }
            outcome_of(globs[0].as_ref().map_err(|error| error.reason), |glob| {
                usize::from(glob.matches(text))
            })
        }
    });
    // A pattern is followed in all its places at once: that is its length times the text's.
    Target { most_bytes: 1 << 10, nanos_per_byte: 2_000_000, ..target }
}

/// Short patterns out of few letters, against a matcher that tries everything.
fn globs_against_trials() -> Target {
    let target = Target::of_text("patterns/glob-by-trial", GLOBS, GLOB_TOKENS, || {
        |input| {
            let (pattern, text) = split(input);
            let pattern: Vec<char> = pattern.chars().take(12).collect();
            let text: Vec<char> = text.chars().take(12).collect();
            let Some(parts) = parts(&pattern) else { return 0 };
            let [pattern, text] = [&pattern, &text].map(|chars| chars.iter().collect::<String>());
            let mut result = 0;
            for separators in ["", ".", "./"] {
                let found = Glob::new(&pattern, separators).unwrap().matches(&text);
                let expected = matches(&parts, &text.chars().collect::<Vec<_>>(), separators);
                assert_eq!(
                    found, expected,
                    "{pattern:?} for {text:?}, separated by {separators:?}"
                );
                result = result * 2 + u64::from(found);
            }
            result + 10 * parts.len() as u64
        }
    });
    Target { most_bytes: 64, ..target }
}

/// A part of a pattern without corners.
enum Part {
    Char(char),
    One,
    Class(bool, Vec<char>),
    Run,
    RunOverSeparators,
    Either(Vec<Vec<Part>>),
}

/// Takes a pattern apart that says clearly what it is; `None` for all others.
fn parts(pattern: &[char]) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            '*' if rest.first() == Some(&'*') => {
                rest = &rest[1..];
                parts.push(Part::RunOverSeparators);
            }
            '*' => parts.push(Part::Run),
            '?' => parts.push(Part::One),
            '[' => {
                let end = rest.iter().position(|c| *c == ']')?;
                let (negated, inner) = match &rest[..end] {
                    ['!', inner @ ..] => (true, inner),
                    inner => (false, inner),
                };
                if inner.is_empty() || !inner.iter().all(char::is_ascii_alphanumeric) {
                    return None;
                }
                parts.push(Part::Class(negated, inner.to_vec()));
                rest = &rest[end + 1..];
            }
            '{' => {
                let end = rest.iter().position(|c| *c == '}')?;
                if rest[..end].contains(&'{') {
                    return None;
                }
                let either = rest[..end].split(|c| *c == ',').map(self::parts);
                parts.push(Part::Either(either.collect::<Option<_>>()?));
                rest = &rest[end + 1..];
            }
            c if c.is_ascii_alphanumeric() || *c == '.' || *c == '/' => parts.push(Part::Char(*c)),
            _ => return None,
        }
    }
    Some(parts)
}

fn matches(parts: &[Part], text: &[char], separators: &str) -> bool {
    let Some((first, rest)) = parts.split_first() else { return text.is_empty() };
    let one = |fits: &dyn Fn(char) -> bool| {
        text.split_first().is_some_and(|(c, behind)| fits(*c) && matches(rest, behind, separators))
    };
    match first {
        Part::Char(wanted) => one(&|c| c == *wanted),
        Part::One => one(&|c| !separators.contains(c)),
        Part::Class(negated, chars) => one(&|c| chars.contains(&c) != *negated),
        Part::Run => (0..=text.len())
            .take_while(|at| !text[..*at].iter().any(|c| separators.contains(*c)))
            .any(|at| matches(rest, &text[at..], separators)),
        Part::RunOverSeparators => {
            (0..=text.len()).any(|at| matches(rest, &text[at..], separators))
        }
        Part::Either(either) => either.iter().any(|parts| {
            (0..=text.len()).any(|at| {
                matches(parts, &text[..at], separators) && matches(rest, &text[at..], separators)
            })
        }),
    }
}

/// Patterns of files, in a folder with a few.
fn file_globs() -> Target {
    const CORPUS: &[&str] =
        &["*", "**", "a/*", "**/c", "?/[a-c]", "{a,b}/**", "a/**/c*", "[", "\\a"];
    Target {
        most_bytes: 1 << 10,
        nanos_per_byte: 2_000_000,
        ..Target::of_text("patterns/file-glob", CORPUS, GLOB_TOKENS, || {
            let folder = tempfile::tempdir().unwrap();
            let deep = folder.path().join("a/b/c");
            std::fs::create_dir_all(&deep).unwrap();
            for name in ["a/x", "a/b/y.z", "a/b/c/c1", "b"] {
                std::fs::write(folder.path().join(name), "").unwrap();
            }
            move |pattern| {
                if pattern.contains("..") || pattern.contains('\0') {
                    return 0;
                }
                let pattern = format!("{}/{pattern}", folder.path().to_str().unwrap());
                outcome_of(system::Glob::for_files(&pattern), |glob| glob.paths().len())
            }
        })
    }
}

fn regular_expressions() -> Target {
    const CORPUS: &[&str] = &[
        "^a(b|c)*$\n$1\nabcb",
        "(?P<name>\\d+)\\s\n${name}x\n12 ",
        "(?i)[[:alpha:]]+\\b\n$0\nAb",
        "\\Qa.b\\E{2,5}?\n$$\na.ba.b",
        "[^\\x00-\\x{10FFFF}]\n${1}\n",
        "\\pL\\p{Greek}\\PN\n$a\nλ",
        "(?s).*(?-s:.)(?U)a+\n$name_1\naaa",
    ];
    const TOKENS: &[&str] = &[
        "(",
        ")",
        "(?:",
        "(?P<a>",
        "(?<a>",
        "(?i)",
        "[",
        "]",
        "[^",
        "[:alpha:]",
        "\\d",
        "\\b",
        "\\pL",
        "\\p{Greek}",
        "\\Q",
        "\\E",
        "\\x{",
        "}",
        "{1000}",
        "{0,}",
        "{2,1}",
        "*",
        "+?",
        "|",
        "^",
        "$",
        "\\z",
        "\\C",
        "&&",
        "--",
        "~~",
        "\\<",
        "#",
        "${",
        "$1",
        "$a",
        "\n",
    ];
    let target = Target::of_text("patterns/regex", CORPUS, TOKENS, || {
        |input| {
            let (pattern, rest) = split(input);
            let (template, text) = split(rest);
            let regex = match Regex::new(pattern) {
                Ok(regex) => regex,
                Err(error) => return outcome(error),
            };
            let is_match = regex.is_match(text);
            let groups = regex.groups(text).map(Iterator::count);
            assert_eq!(is_match, groups.is_some());
            let replaced = Replacer::new(regex, template).replace_all(text);
            assert_eq!(is_match, replaced.is_some());
            groups.map_or(0, |groups| 1 + groups as u64)
        }
    });
    // The crate compiles up to its limit of size.
    Target { most_bytes: 4 << 10, nanos_per_byte: 2_000_000, ..target }
}

fn name_templates() -> Target {
    const CORPUS: &[&str] = &[
        "a.b.c\n*.b measurement.host.field*",
        "cpu.load\nmeasurement* a=b,c=d",
        "x.y.z\nx.* .host.field",
        "servers.a.cpu\nservers.* .host.measurement* region=us",
        "a_b\n* measurement.field _",
    ];
    const TOKENS: &[&str] = &[
        ".",
        "*",
        "measurement",
        "measurement*",
        "field",
        "field*",
        "host",
        " ",
        "a=b",
        ",",
        "_",
        "\n",
        "=",
    ];
    Target::of_text("patterns/name-template", CORPUS, TOKENS, || {
        |input| {
            let (name, templates) = split(input);
            let templates: Vec<String> = templates.lines().map(str::to_owned).collect();
            outcome_of(NameTemplates::new(&templates, "_"), |all| {
                all.apply("a.b.c.d.e");
                all.apply(name).tags.len()
            })
        }
    })
}
