//! The kernel's limits and numbers for files, from `/proc/sys/fs`.
//!
//! # References
//! Telegraf's `inputs.linux_sysctl_fs`; the kernel's `Documentation/admin-guide/sysctl/fs.rst`.

use std::io;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, Input, PluginError, Quoted,
};
use crate::system::{HostFile, Root};

/// Declares `inputs.linux_sysctl_fs`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("linux_sysctl_fs", include_str!("sample.conf"));

/// A file and the fields for its columns; a column without a name is passed over.
type Columns = (&'static str, &'static [&'static str]);

const FILES: [Columns; 9] = [
    ("aio-nr", &["aio-nr"]),
    ("aio-max-nr", &["aio-max-nr"]),
    ("dquot-nr", &["dquot-nr"]),
    ("dquot-max", &["dquot-max"]),
    ("super-nr", &["super-nr"]),
    ("super-max", &["super-max"]),
    ("inode-state", &["inode-nr", "inode-free-nr", "inode-preshrink-nr"]),
    ("dentry-state", &["dentry-nr", "dentry-unused-nr", "dentry-age-limit", "dentry-want-pages"]),
    ("file-nr", &["file-nr", "", "file-max"]),
];

/// How many fields there are at most.
const MOST_FIELDS: usize = 15;

/// The settings of `inputs.linux_sysctl_fs`: there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let host = &context.system.host;
        let files = FILES.map(|(name, fields)| {
            let path = format!("sys/fs/{name}");
            (host.file(Root::Proc, path), Layout::of(fields))
        });
        Ok(Box::new(SysctlFs { files, buffer: Vec::new() }))
    }
}

/// What a file holds.
#[derive(Debug, Clone, Copy)]
enum Layout {
    /// One number.
    Number(&'static str),
    /// Numbers with tabs between them.
    Numbers(&'static [&'static str]),
}

impl Layout {
    fn of(fields: &'static [&'static str]) -> Layout {
        match fields {
            [field] => Layout::Number(field),
            fields => Layout::Numbers(fields),
        }
    }
}

struct SysctlFs {
    files: [(HostFile, Layout); FILES.len()],
    buffer: Vec<u8>,
}

impl Input for SysctlFs {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let mut fields = Vec::with_capacity(MOST_FIELDS);
        for (file, layout) in &mut self.files {
            match file.read(&mut self.buffer) {
                Ok(()) => read_fields(*layout, &self.buffer, &mut fields)?,
                // Which files there are depends on the version of the kernel.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        let now = accumulator.now();
        accumulator.add(Metric::from_lists("linux_sysctl_fs", now, Vec::new(), fields));
        Ok(())
    }
}

/// Takes the fields out of what a file holds; columns that are not there are left out.
fn read_fields(layout: Layout, content: &[u8], fields: &mut Vec<Field>) -> Result<(), ParseError> {
    let text = String::from_utf8_lossy(content);
    let text = text.trim_end_matches('\n');
    let mut read = |name, text| {
        let value = number(text)?;
        fields.push(Field { key: CompactString::const_new(name), value: value.into() });
        Ok(())
    };
    match layout {
        Layout::Number(name) => read(name, text),
        Layout::Numbers(names) => {
            let columns = names.iter().zip(text.split('\t'));
            columns
                .filter(|(name, _)| !name.is_empty())
                .try_for_each(|(name, text)| read(name, text))
        }
    }
}

/// A value that is no number without a sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("strconv.ParseUint: parsing {}: invalid syntax", Quoted::new(text.as_str()))]
struct ParseError {
    text: String,
}

fn number(text: &str) -> Result<u64, ParseError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text);
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| ParseError { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(layout: Layout, text: &str) -> Result<Vec<String>, String> {
        let mut fields = Vec::new();
        read_fields(layout, text.as_bytes(), &mut fields).map_err(|error| error.to_string())?;
        Ok(fields.iter().map(|field| format!("{}={:?}", field.key, field.value)).collect())
    }

    #[test]
    fn columns_without_a_name_and_surplus_ones_are_passed_over() {
        let layout = Layout::of(&["file-nr", "", "file-max"]);
        let expected = ["file-nr=Unsigned(2080)", "file-max=Unsigned(9)"];
        assert_eq!(fields(layout, "2080\tx\t9\t7\n").unwrap(), expected);
        assert_eq!(fields(layout, "5\n").unwrap(), ["file-nr=Unsigned(5)"]);
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        for text in ["", "-1", "+1", "1 ", "18446744073709551616", "1\t2"] {
            let error = fields(Layout::of(&["aio-nr"]), text).unwrap_err();
            assert!(error.starts_with("strconv.ParseUint: parsing "), "{text}: {error}");
        }
    }

    #[test]
    fn the_room_for_fields_is_enough() {
        let named = FILES.iter().flat_map(|(_, fields)| *fields).filter(|name| !name.is_empty());
        assert_eq!(named.count(), MOST_FIELDS);
    }
}
