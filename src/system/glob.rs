//! Finding files by patterns with `*` and its kin.
//!
//! # References
//! Telegraf matches the paths of `inputs.file` and others with the doublestar library, after
//! turning `**` into `**/**`; it matches commands with Go's `filepath.Glob`.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat};

/// A pattern for paths.
///
/// `*` is any run of characters but `/`, `?` any one of them, `[a-z]` one of a class and `[!a-z]`
/// or `[^a-z]` one of the others; a backslash takes the meaning of the next character away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    /// More than one where the pattern has alternatives.
    alternatives: Vec<Vec<Component>>,
}

/// How many bytes the patterns may have that a pattern with alternatives stands for.
const MOST_EXPANDED_BYTES: usize = 1 << 20;

/// Why a pattern is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GlobError {
    /// A class or an alternative does not end, or is empty.
    #[error("syntax error in pattern")]
    Syntax,
    /// Alternatives behind alternatives: each doubles them at least.
    #[error("pattern has too many alternatives")]
    TooManyAlternatives,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Component {
    /// The root, at the start of absolute patterns.
    Root,
    /// A name without anything special in it.
    Name(String),
    /// `**`: one or more folders.
    Folders,
    Pattern(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    AnyChar,
    AnyRun,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// Compiles a pattern as Telegraf takes it for files: also with `{a,b}` for alternatives, and
    /// `**` for files at any depth, where `**.log` is those with names ending in `.log`.
    ///
    /// # Errors
    /// If a class or an alternative does not end, or is empty; if there are far too many
    /// alternatives.
    pub fn for_files(pattern: &str) -> Result<Glob, GlobError> {
        let pattern = pattern.replace("**/**", "**").replace("**", "**/**");
        let alternatives = expand_alternatives(&pattern)?;
        let compile = |pattern: &String| {
            components(pattern, |part| match part {
                "**" => Ok(Component::Folders),
                part => component(part),
            })
        };
        Ok(Glob { alternatives: alternatives.iter().map(compile).collect::<Result<_, _>>()? })
    }

    /// Compiles a pattern as Telegraf takes it for commands: without alternatives and `**`.
    ///
    /// # Errors
    /// If a class does not end or is empty.
    pub fn for_commands(pattern: &str) -> Result<Glob, GlobError> {
        Ok(Glob { alternatives: vec![components(pattern, component)?] })
    }

    /// The paths there are, each once, sorted folder by folder. What cannot be read is passed over.
    pub fn paths(&self) -> Vec<PathBuf> {
        let mut search = Search { found: Vec::new(), above: Vec::new(), begun: HashSet::new() };
        for components in &self.alternatives {
            search.begun.clear();
            search.search(Path::new(""), components);
        }
        let mut seen = HashSet::new();
        search.found.retain(|path| seen.insert(path.clone()));
        search.found
    }
}

struct Search {
    found: Vec<PathBuf>,
    /// The folders that `**` is inside of, by device and inode: links may lead in circles.
    above: Vec<(u64, u64)>,
    /// The folders in which `**` has been begun, with how much of the pattern is left: several of
    /// them behind each other come to the same folder in very many ways.
    begun: HashSet<(PathBuf, usize)>,
}

impl Search {
    fn search(&mut self, base: &Path, components: &[Component]) {
        let Some((first, rest)) = components.split_first() else {
            // Links that lead nowhere are found as well: opening them names the error.
            if fs::symlink_metadata(base).is_ok() {
                self.found.push(base.to_owned());
            }
            return;
        };
        match first {
            Component::Root => self.search(Path::new("/"), rest),
            Component::Name(name) => self.search(&base.join(name), rest),
            Component::Pattern(pattern) => self.search_matching(base, pattern, rest),
            Component::Folders => {
                if !self.begun.insert((base.to_owned(), components.len())) {
                    return;
                }
                self.descend(base, components);
                match rest.split_first() {
                    Some((Component::Pattern(pattern), rest)) => {
                        self.search_matching(base, pattern, rest);
                    }
                    Some((Component::Folders, rest)) => {
                        self.search_matching(base, &[Token::AnyRun], rest);
                    }
                    _ => self.search(base, rest),
                }
            }
        }
    }

    /// Searches all folders below `base`.
    fn descend(&mut self, base: &Path, components: &[Component]) {
        for name in names(base) {
            let folder = base.join(name);
            let Ok(state) = rustix::fs::stat(&folder) else { continue };
            let id = identity(&state);
            if FileType::from_raw_mode(state.st_mode) == FileType::Directory
                && !self.above.contains(&id)
            {
                self.above.push(id);
                self.search(&folder, components);
                self.above.pop();
            }
        }
    }

    fn search_matching(&mut self, base: &Path, pattern: &[Token], rest: &[Component]) {
        for name in names(base) {
            if is_match(pattern, &name) {
                self.search(&base.join(name), rest);
            }
        }
    }
}

fn identity(state: &Stat) -> (u64, u64) {
    (state.st_dev, state.st_ino)
}

/// The names in a folder, sorted; none if it is not one. Names that are not UTF-8 are left out.
fn names(folder: &Path) -> Vec<String> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// Splits a pattern at its slashes and cleans it of `.` and `..`.
fn components(
    pattern: &str,
    compile: impl Fn(&str) -> Result<Component, GlobError>,
) -> Result<Vec<Component>, GlobError> {
    let mut components = Vec::new();
    if pattern.starts_with('/') {
        components.push(Component::Root);
    }
    for part in pattern.split('/') {
        match (part, components.last()) {
            ("" | ".", _) | ("..", Some(Component::Root)) => {}
            ("..", Some(Component::Name(name))) if name != ".." => {
                components.pop();
            }
            _ => components.push(compile(part)?),
        }
    }
    if components.is_empty() && !pattern.is_empty() {
        components.push(Component::Name(".".into()));
    }
    Ok(components)
}

fn component(part: &str) -> Result<Component, GlobError> {
    let mut chars = part.chars();
    let mut tokens = Vec::new();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' => Token::AnyRun,
            '?' => Token::AnyChar,
            '[' => class(&mut chars)?,
            '\\' => Token::Char(chars.next().ok_or(GlobError::Syntax)?),
            c => Token::Char(c),
        });
    }
    let plain = |token: &Token| match token {
        Token::Char(c) => Some(*c),
        _ => None,
    };
    Ok(match tokens.iter().map(plain).collect::<Option<String>>() {
        Some(name) => Component::Name(name),
        None => Component::Pattern(tokens),
    })
}

/// Reads a class whose opening bracket has been read.
fn class(chars: &mut std::str::Chars<'_>) -> Result<Token, GlobError> {
    let negated = chars.as_str().starts_with(['!', '^']);
    if negated {
        chars.next();
    }
    let member = |chars: &mut std::str::Chars<'_>| match chars.next() {
        Some('\\') => chars.next().ok_or(GlobError::Syntax),
        None | Some('-' | ']') => Err(GlobError::Syntax),
        Some(c) => Ok(c),
    };
    let mut ranges = Vec::new();
    while !chars.as_str().starts_with(']') || ranges.is_empty() {
        let low = member(chars)?;
        let high = if chars.as_str().starts_with('-') {
            chars.next();
            member(chars)?
        } else {
            low
        };
        ranges.push((low, high));
    }
    chars.next();
    Ok(Token::Class { negated, ranges })
}

/// Writes a pattern with `{a,b}` out into patterns without.
fn expand_alternatives(pattern: &str) -> Result<Vec<String>, GlobError> {
    let mut expanded = Vec::new();
    let mut n_bytes = 0;
    // The next one last.
    let mut open = vec![pattern.to_owned()];
    while let Some(pattern) = open.pop() {
        n_bytes += pattern.len();
        if n_bytes > MOST_EXPANDED_BYTES.max(8 * pattern.len()) {
            return Err(GlobError::TooManyAlternatives);
        }
        match first_alternatives(&pattern)? {
            None => expanded.push(pattern),
            Some(alternatives) => open.extend(alternatives.into_iter().rev()),
        }
    }
    Ok(expanded)
}

/// Writes the first alternatives of a pattern out, if it has any.
fn first_alternatives(pattern: &str) -> Result<Option<Vec<String>>, GlobError> {
    let mut depth = 0_usize;
    let mut escaped = false;
    let mut open = 0;
    let mut starts = Vec::new();
    for (at, c) in pattern.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '{' => {
                if depth == 0 {
                    (open, starts) = (at, vec![at + 1]);
                }
                depth += 1;
            }
            ',' if depth == 1 => starts.push(at + 1),
            '}' if depth == 1 => {
                let (before, after) = (&pattern[..open], &pattern[at + 1..]);
                let around = starts.len().saturating_mul(before.len() + after.len());
                if around > MOST_EXPANDED_BYTES {
                    return Err(GlobError::TooManyAlternatives);
                }
                let ends = starts[1..].iter().map(|start| start - 1).chain([at]);
                let inner = starts.iter().zip(ends).map(|(start, end)| &pattern[*start..end]);
                return Ok(Some(inner.map(|inner| [before, inner, after].concat()).collect()));
            }
            '}' if depth > 1 => depth -= 1,
            _ => {}
        }
    }
    if depth > 0 { Err(GlobError::Syntax) } else { Ok(None) }
}

fn is_match(pattern: &[Token], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut token, mut at) = (0, 0);
    // Where to go on after the last run if what follows it does not fit.
    let mut retry = None;
    loop {
        match pattern.get(token) {
            Some(Token::AnyRun) => {
                token += 1;
                retry = Some((token, at));
                continue;
            }
            Some(expected) if name.get(at).is_some_and(|c| expected.takes(*c)) => {
                token += 1;
                at += 1;
                continue;
            }
            None if at == name.len() => return true,
            _ => {}
        }
        match retry {
            Some((after_run, from)) if from < name.len() => {
                retry = Some((after_run, from + 1));
                (token, at) = (after_run, from + 1);
            }
            _ => return false,
        }
    }
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Token::Char(expected) => *expected == c,
            Token::AnyChar => true,
            Token::AnyRun => false,
            Token::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The tree that Telegraf was asked about.
    fn tree() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for path in ["d1/d2", "e1"] {
            fs::create_dir_all(folder.path().join(path)).unwrap();
        }
        for path in [
            "a.log",
            "b.log",
            "x",
            ".hid.log",
            "d1/a.log",
            "d1/x",
            "d1/d2/a.log",
            "d1/d2/x",
            "e1/x",
            "br{a}",
        ] {
            fs::write(folder.path().join(path), "").unwrap();
        }
        std::os::unix::fs::symlink("nowhere", folder.path().join("broken")).unwrap();
        std::os::unix::fs::symlink("../d1", folder.path().join("e1/link")).unwrap();
        folder
    }

    fn found(folder: &Path, glob: Glob) -> String {
        let relative = |path: &PathBuf| path.strip_prefix(folder).unwrap().display().to_string();
        glob.paths().iter().map(relative).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn patterns_find_what_telegraf_finds_and_in_the_same_order() {
        let folder = tree();
        for (pattern, paths) in [
            ("*.log", ".hid.log a.log b.log"),
            (
                "**",
                "d1/d2/a.log d1/d2/x d1/a.log d1/d2 d1/x e1/link/d2/a.log e1/link/d2/x \
                 e1/link/a.log e1/link/d2 e1/link/x e1/link e1/x .hid.log a.log b.log broken br{a} \
                 d1 e1 x",
            ),
            ("**.log", "d1/d2/a.log d1/a.log e1/link/d2/a.log e1/link/a.log .hid.log a.log b.log"),
            ("**/x", "d1/d2/x e1/link/d2/x e1/link/x d1/x e1/x"),
            ("**/*.log", "d1/d2/a.log e1/link/d2/a.log e1/link/a.log d1/a.log"),
            ("d1/**", "d1/d2/a.log d1/d2/x d1/a.log d1/d2 d1/x"),
            ("d1/**/x", "d1/d2/x"),
            ("{a,b}.log", "a.log b.log"),
            ("{d1,e1}/x", "d1/x e1/x"),
            ("{d1/,e1/,}{x,y}", "d1/x e1/x x"),
            ("[ab].log", "a.log b.log"),
            ("[!a]*.log", ".hid.log b.log"),
            ("[^a]*.log", ".hid.log b.log"),
            ("[a-c].log", "a.log b.log"),
            ("d?/d*/x", "d1/d2/x"),
            ("br{a}", ""),
            (r"br\{a\}", "br{a}"),
            (r"a\.log", "a.log"),
            ("broken", "broken"),
            ("nope", ""),
            ("d1/", "d1"),
            ("./d1/../a.log", "a.log"),
            ("d1//x", "d1/x"),
            ("b**g", ""),
        ] {
            let pattern = format!("{}/{pattern}", folder.path().display());
            let glob = Glob::for_files(&pattern).unwrap();
            assert_eq!(found(folder.path(), glob), paths, "{pattern}");
        }
        assert_eq!(Glob::for_files("").unwrap().paths(), [""; 0].map(PathBuf::from));
    }

    #[test]
    fn for_commands_neither_alternatives_nor_depth_have_a_meaning() {
        let folder = tree();
        let find = |pattern: &str| {
            let pattern = format!("{}/{pattern}", folder.path().display());
            found(folder.path(), Glob::for_commands(&pattern).unwrap())
        };
        assert_eq!(find("br{a}"), "br{a}");
        assert_eq!(find("**.log"), ".hid.log a.log b.log");
        assert_eq!(find("d1/**"), "d1/a.log d1/d2 d1/x");
    }

    #[test]
    fn links_that_lead_in_circles_end() {
        let folder = tree();
        std::os::unix::fs::symlink("..", folder.path().join("d1/up")).unwrap();
        std::os::unix::fs::symlink(".", folder.path().join("d1/here")).unwrap();
        let pattern = format!("{}/d1/**/a.log", folder.path().display());
        assert!(!Glob::for_files(&pattern).unwrap().paths().is_empty());
    }

    #[test]
    fn malformed_patterns_are_refused() {
        for pattern in ["[", "a[", "[]", "[]a]", "[a-]", "[-a]", "{a", "{a,{b}", "a\\"] {
            assert_eq!(Glob::for_files(pattern), Err(GlobError::Syntax), "{pattern}");
        }
    }

    #[test]
    fn alternatives_behind_alternatives_do_not_explode() {
        let glob = |times| Glob::for_files(&"{a,b}".repeat(times));
        assert_eq!(glob(10).unwrap().alternatives.len(), 1024);
        for times in [20, 2_000] {
            assert_eq!(glob(times), Err(GlobError::TooManyAlternatives));
        }
        let many: Vec<_> = (0..5_000).map(|n| format!("log{n}")).collect();
        assert_eq!(expand_alternatives(&format!("{{{}}}", many.join(","))).unwrap().len(), 5_000);
        assert_eq!(expand_alternatives(&"{a}".repeat(500)), Ok(vec!["a".repeat(500)]));
    }

    #[test]
    fn many_runs_of_folders_find_what_one_finds() {
        let tree = tree();
        let found = |folders: &str, times| {
            let pattern = format!("{}/{}a.log", tree.path().display(), folders.repeat(times));
            Glob::for_files(&pattern).unwrap().paths()
        };
        let once = found("**/", 1);
        assert!(!once.is_empty());
        for folders in ["**/", "**/*", "**/x**/", "**/./"] {
            // It comes to an end at all.
            let more = found(folders, 400);
            assert!(more.iter().all(|path| once.contains(path)), "{folders}: {more:?}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_makes_it_panic(pattern in r"[a*?\[\]{},\\!^/.é-]{0,16}", name in "[aé.]{0,6}") {
            let Ok(glob) = Glob::for_files(&pattern) else { return Ok(()) };
            for component in glob.alternatives.iter().flatten() {
                if let Component::Pattern(tokens) = component {
                    is_match(tokens, &name);
                }
            }
        }

        #[test]
        fn a_run_takes_any_end(name in "[a-z]{0,8}", more in "[a-z]{0,8}") {
            let pattern = format!("{name}*");
            let Component::Pattern(tokens) = component(&pattern).unwrap() else { unreachable!() };
            let longer = format!("{name}{more}");
            prop_assert!(is_match(&tokens, &longer));
        }
    }
}
