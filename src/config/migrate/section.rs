//! A section of a configuration as it is written, and changes to its text.
//!
//! Changes are made to the text and not to what it means, so that all else, comments, order and
//! layout, stays to the letter.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table and where it is written.
#[derive(Clone, Copy)]
pub(super) struct Section<'t> {
    text: &'t str,
    table: &'t DeTable<'t>,
    /// Where its header or, without one, its value begins.
    offset: usize,
    form: Form,
}

/// How a table is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Under `[a]` or `[[a]]`.
    Headed,
    /// `a = { … }`
    Inline,
    /// `a.b = …`
    Dotted,
}

/// A key with its value.
#[derive(Clone, Copy)]
pub(super) struct Entry<'t> {
    text: &'t str,
    key: &'t Spanned<std::borrow::Cow<'t, str>>,
    value: &'t Spanned<DeValue<'t>>,
    form: Form,
}

/// A string of a list: what it says and how it is written.
pub(super) struct Item<'t> {
    pub value: &'t str,
    pub written: &'t str,
}

impl<'t> Section<'t> {
    pub(super) fn new(text: &'t str, table: &'t DeTable<'t>, offset: usize) -> Section<'t> {
        let form = match text.as_bytes().get(offset) {
            Some(b'[') => Form::Headed,
            Some(b'{') => Form::Inline,
            _ => Form::Dotted,
        };
        Section { text, table, offset, form }
    }

    /// Whether it is written under a header of its own.
    pub(super) fn has_header(&self) -> bool {
        self.form == Form::Headed
    }

    /// The line that the section begins on.
    pub(super) fn line(&self) -> usize {
        memchr::memchr_iter(b'\n', &self.text.as_bytes()[..self.offset]).count() + 1
    }

    pub(super) fn get(&self, key: &str) -> Option<Entry<'t>> {
        let (key, value) = self.table.get_key_value(key)?;
        Some(Entry { text: self.text, key, value, form: self.form })
    }

    /// The entries in the order of the file.
    pub(super) fn entries(&self) -> Vec<Entry<'t>> {
        let (text, form) = (self.text, self.form);
        let entries = self.table.iter().map(|(key, value)| Entry { text, key, value, form });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|entry| entry.key.span().start);
        entries
    }

    /// The text of an option.
    pub(super) fn string(&self, key: &str) -> Result<Option<&'t str>, String> {
        self.typed(key, |value| value.as_str())
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>, String> {
        self.typed(key, DeValue::as_bool)
    }

    pub(super) fn integer(&self, key: &str) -> Result<Option<i64>, String> {
        self.typed(key, |value| {
            let number = value.as_integer()?;
            i64::from_str_radix(number.as_str(), number.radix()).ok()
        })
    }

    /// The strings of a list.
    pub(super) fn strings(&self, key: &str) -> Result<Option<Vec<Item<'t>>>, String> {
        let text = self.text;
        self.typed(key, |value| {
            let values = value.as_array()?.iter();
            let item = |value: &'t Spanned<DeValue<'t>>| {
                let written = text.get(value.span())?;
                Some(Item { value: value.get_ref().as_str()?, written })
            };
            values.map(item).collect()
        })
    }

    fn typed<T>(
        &self,
        key: &str,
        read: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Result<Option<T>, String> {
        let Some(entry) = self.get(key) else { return Ok(None) };
        let value = entry.value.get_ref();
        match read(value) {
            Some(value) => Ok(Some(value)),
            None => Err(format!("unexpected type {} for '{key}'", value.type_str())),
        }
    }

    /// The sections of a name below this one.
    pub(super) fn below(&self, name: &str) -> Vec<Section<'t>> {
        self.get(name).map(|entry| entry.sections()).unwrap_or_default()
    }

    fn header_end(&self) -> usize {
        let rest = &self.text[self.offset..];
        self.offset + rest.find('\n').map_or(rest.len(), |end| end + 1)
    }

    /// Where the second name of the header stands: the plugin's.
    fn plugin_name(&self) -> Option<Range<usize>> {
        let header = self.text.get(self.offset..self.header_end())?;
        let first = header.find('.')? + 1;
        let end = header[first..].find(['.', ']'])?;
        let written = &header[first..first + end];
        let name = written.trim();
        let start = self.offset + first + (written.len() - written.trim_start().len());
        Some(start..start + name.len())
    }
}

impl<'t> Entry<'t> {
    pub(super) fn key(&self) -> &'t str {
        self.key.get_ref()
    }

    pub(super) fn value(&self) -> &'t DeValue<'t> {
        self.value.get_ref()
    }

    /// The value as it is written.
    pub(super) fn written(&self) -> &'t str {
        self.text.get(self.value.span()).unwrap_or_default()
    }

    /// The tables that the value is made of.
    pub(super) fn sections(&self) -> Vec<Section<'t>> {
        let section = |value: &'t Spanned<DeValue<'t>>| match value.get_ref() {
            DeValue::Table(table) => Some(Section::new(self.text, table, value.span().start)),
            _ => None,
        };
        match self.value.get_ref() {
            DeValue::Array(values) => values.iter().filter_map(section).collect(),
            _ => section(self.value).into_iter().collect(),
        }
    }

    /// The lines that it takes.
    fn lines(&self) -> Range<usize> {
        let (key, value) = (self.key.span(), self.value.span());
        let start = self.text[..key.start].rfind('\n').map_or(0, |end| end + 1);
        let rest = &self.text[value.end..];
        start..value.end + rest.find('\n').map_or(rest.len(), |end| end + 1)
    }
}

/// Changes to a text.
#[derive(Debug, Default)]
pub(super) struct Patches(Vec<(Range<usize>, String)>);

impl Patches {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn rename(&mut self, entry: Entry<'_>, key: &str) {
        self.0.push((entry.key.span(), key.to_owned()));
    }

    /// Gives an entry another value, written as TOML has it.
    pub(super) fn set(&mut self, entry: Entry<'_>, value: impl Into<String>) {
        self.0.push((entry.value.span(), value.into()));
    }

    /// Takes an entry out, with all that stands on its lines.
    ///
    /// # Errors
    /// If it shares its line with others.
    pub(super) fn remove(&mut self, entry: Entry<'_>) -> Result<(), String> {
        if entry.form == Form::Inline {
            let key = entry.key();
            return Err(format!("'{key}' stands in an inline table; please change it by hand"));
        }
        self.0.push((entry.lines(), String::new()));
        Ok(())
    }

    /// Adds an entry at the beginning of a section.
    pub(super) fn add(&mut self, section: &Section<'_>, key: &str, value: &str) {
        let text = section.text;
        if section.form == Form::Inline {
            let after = section.offset + 1;
            let comma = if section.table.is_empty() { " " } else { "," };
            self.0.push((after..after, format!(" {key} = {value}{comma}")));
            return;
        }
        let end = section.header_end();
        let header = &text[section.offset..end];
        let indentation = section.indentation();
        let line_end = if header.ends_with("\r\n") { "\r\n" } else { "\n" };
        let before = if header.ends_with('\n') { "" } else { line_end };
        self.0.push((end..end, format!("{before}{indentation}{key} = {value}{line_end}")));
    }

    /// Makes the section, with all below it, one of another plugin.
    pub(super) fn rename_plugin(&mut self, section: &Section<'_>, name: &str) {
        if section.form == Form::Headed
            && let Some(range) = section.plugin_name()
        {
            self.0.push((range, name.to_owned()));
        }
        for entry in section.entries() {
            entry.sections().iter().for_each(|section| self.rename_plugin(section, name));
        }
    }

    /// Gives a header that consists of one name another one.
    pub(super) fn rename_header(&mut self, section: &Section<'_>, name: &str) {
        let header = section.offset..section.header_end();
        let written = &section.text[header];
        if let Some(end) = written.find(']') {
            self.0.push((section.offset + 1..section.offset + end, name.to_owned()));
        }
    }

    /// Takes a headed section out: its header and all its entries.
    ///
    /// # Errors
    /// If part of it shares its line with others.
    pub(super) fn remove_section(&mut self, entry: Entry<'_>) -> Result<(), String> {
        for section in entry.sections() {
            match section.form {
                Form::Inline => return self.remove(entry),
                Form::Headed => {
                    let start = section.text[..section.offset].rfind('\n').map_or(0, |end| end + 1);
                    self.0.push((start..section.header_end(), String::new()));
                }
                Form::Dotted => {}
            }
            for entry in section.entries() {
                self.remove(entry)?;
            }
        }
        Ok(())
    }

    /// The text with all changes made.
    pub(super) fn apply(mut self, text: &str) -> String {
        self.0.sort_by_key(|(range, _)| (range.start, range.end));
        let mut patched = String::with_capacity(text.len());
        let mut done = 0;
        for (range, replacement) in &self.0 {
            // What lies in something that is taken out goes with it.
            if range.start < done {
                continue;
            }
            patched.push_str(text.get(done..range.start).unwrap_or_default());
            patched.push_str(replacement);
            done = range.end;
        }
        patched.push_str(&text[done..]);
        patched
    }
}

impl Section<'_> {
    /// What stands before the section's first entry on its line.
    fn indentation(&self) -> &str {
        let Some(first) = self.table.keys().map(|key| key.span().start).min() else {
            return "  ";
        };
        let start = self.text[..first].rfind('\n').map_or(0, |end| end + 1);
        let before = &self.text[start..first];
        if before.trim().is_empty() { before } else { "  " }
    }
}

/// A string as TOML has it.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
