//! What stands in place of matches.
//!
//! # References
//! Go's `Regexp.Expand` for the form, `Regexp.ReplaceAllString` for where replacements go.

use compact_str::CompactString;
use regex::CaptureLocations;

use super::Regex;

/// Puts something in place of every match of an expression.
#[derive(Debug, Clone)]
pub struct Replacer {
    regex: Regex,
    parts: Vec<Part>,
    locations: CaptureLocations,
    buffer: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    /// The first of these groups that takes part in the match; Go lets several have one name.
    Groups(Vec<usize>),
}

impl Replacer {
    /// Compiles a template: `$name` and `${name}` stand for what a group matches, by its name or
    /// number, of which the longest possible counts; `$$` stands for a dollar.
    pub fn new(regex: Regex, template: &str) -> Replacer {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            rest = after;
            if let Some(after) = rest.strip_prefix('$') {
                text.push('$');
                rest = after;
            } else if let Some((name, after)) = split_name(rest) {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                parts.push(Part::Groups(groups_of(name, &regex)));
                rest = after;
            } else {
                text.push('$');
            }
        }
        text.push_str(rest);
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        let locations = regex.regex.capture_locations();
        Replacer { regex, parts, locations, buffer: String::new() }
    }

    /// The text with all matches replaced; nothing if there is none.
    pub fn replace_all(&mut self, text: &str) -> Option<CompactString> {
        let mut found = self.regex.regex.captures_read_at(&mut self.locations, text, 0)?;
        self.buffer.clear();
        let mut end_of_last = 0;
        loop {
            self.buffer.push_str(&text[end_of_last..found.start()]);
            // An empty match right behind another match is none.
            if found.end() > end_of_last || found.start() == 0 {
                self.expand(text);
            }
            end_of_last = found.end();
            let next = if found.is_empty() {
                match text[found.end()..].chars().next() {
                    Some(c) => found.end() + c.len_utf8(),
                    None => break,
                }
            } else {
                found.end()
            };
            match self.regex.regex.captures_read_at(&mut self.locations, text, next) {
                Some(another) => found = another,
                None => break,
            }
        }
        self.buffer.push_str(&text[end_of_last..]);
        Some(self.buffer.as_str().into())
    }

    /// Appends the template for the match just found.
    fn expand(&mut self, text: &str) {
        for part in &self.parts {
            match part {
                Part::Text(text) => self.buffer.push_str(text),
                Part::Groups(groups) => {
                    let place = groups.iter().find_map(|group| self.locations.get(*group));
                    if let Some((start, end)) = place {
                        self.buffer.push_str(&text[start..end]);
                    }
                }
            }
        }
    }
}

/// Splits the name of a group off, in braces or not; `None` if there is none.
fn split_name(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{');
    let name_and_rest = inner.unwrap_or(text);
    let is_part_of_name = |c: char| c.is_alphabetic() || c.is_numeric() || c == '_';
    let end = name_and_rest.find(|c| !is_part_of_name(c)).unwrap_or(name_and_rest.len());
    let (name, rest) = name_and_rest.split_at(end);
    if name.is_empty() {
        return None;
    }
    match inner {
        Some(_) => Some((name, rest.strip_prefix('}')?)),
        None => Some((name, rest)),
    }
}

fn groups_of(name: &str, regex: &Regex) -> Vec<usize> {
    let is_number = name.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && (name == "0" || !name.starts_with('0')) {
        // A number too large for any group is that of none.
        return name.parse().into_iter().filter(|group| *group <= regex.names.len()).collect();
    }
    let groups = regex.names.iter().enumerate();
    groups.filter(|(_, group)| *group == name).map(|(at, _)| at + 1).collect()
}
