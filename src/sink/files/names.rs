//! Names that are free: no two files have one, whether they are open, have ended or are compressed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::template::{NamePattern, Template, Values};
use crate::sink::file::FileError;

/// What the name of a file ends in, behind its own, while it is open.
pub const OPEN: &str = ".open";

/// What the names of compressed files end in.
pub const PACKED: [&str; 2] = [".gz", ".zst"];

/// What the sink adds to names itself.
pub const ENDINGS: [&str; 3] = [OPEN, PACKED[0], PACKED[1]];

/// Whether a file has its own name while records are appended to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhileOpen {
    /// It is called so from the beginning.
    OwnName,
    /// It is marked as one that is open.
    Marked,
}

/// The name that a file has, or will have, without what says that it is open or compressed.
pub fn own_name(name: &str) -> &str {
    ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(name)
}

/// Whether a file is marked as one that is open.
pub fn is_marked_open(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(OPEN))
}

/// The first number behind those in use.
fn free_number<'n>(names: impl IntoIterator<Item = &'n str>, pattern: &NamePattern) -> u32 {
    let numbers = names.into_iter().filter_map(|name| pattern.read(own_name(name)));
    numbers.map(|read| read.number).max().unwrap_or(0).saturating_add(1)
}

/// The names in a folder, which one thread at a time gives out.
#[derive(Debug, Clone)]
pub struct Names {
    folder: PathBuf,
    giving: Arc<Mutex<()>>,
}

impl Names {
    /// The names in a folder that belongs to this process.
    pub fn new(folder: PathBuf) -> Names {
        Names { folder, giving: Arc::default() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Lets `take` have a free path; it is taken when that returns.
    ///
    /// # Errors
    /// If the folder cannot be read, or whatever `take` fails with.
    pub fn with_free<T>(
        &self,
        template: &Template,
        values: &Values,
        while_open: WhileOpen,
        take: impl FnOnce(&Path) -> Result<T, FileError>,
    ) -> Result<T, FileError> {
        // Whoever panicked meanwhile has left names that are taken or not.
        let _giving = self.giving.lock().unwrap_or_else(PoisonError::into_inner);
        let names = self.list()?;
        let pattern = template.pattern(values);
        let number = free_number(names.iter().map(String::as_str), &pattern);
        let mut name = template.name(values, number);
        if while_open == WhileOpen::Marked {
            name.push_str(OPEN);
        }
        take(&self.folder.join(name))
    }

    /// Lets `take` have the path without the mark of an open file, or one like it that is free.
    ///
    /// # Errors
    /// The same as for [`Names::with_free`].
    pub fn with_own<T>(
        &self,
        marked: &Path,
        take: impl FnOnce(&Path) -> Result<T, FileError>,
    ) -> Result<T, FileError> {
        let _giving = self.giving.lock().unwrap_or_else(PoisonError::into_inner);
        let name = marked.file_name().unwrap_or_default().to_string_lossy();
        let own = own_name(&name);
        let names = self.list()?;
        let is_taken =
            |name: &str| names.iter().any(|each| !each.ends_with(OPEN) && own_name(each) == name);
        let (stem, extension) = own.rsplit_once('.').unwrap_or((own, ""));
        let dot = if extension.is_empty() { "" } else { "." };
        let mut free = own.to_owned();
        let mut number = 2_u32;
        while is_taken(&free) {
            free = format!("{stem}+{number}{dot}{extension}");
            number += 1;
        }
        take(&self.folder.join(free))
    }

    /// The names of all files that are not the sink's own.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn list(&self) -> Result<Vec<String>, FileError> {
        let folder = &self.folder;
        let failed = |source| FileError { action: "reading", path: folder.clone(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            // What is no text is none of the sink's names.
            if let Ok(name) = name.into_string()
                && !name.starts_with('.')
            {
                names.push(name);
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::super::template::Variable;
    use super::*;

    fn template() -> Template {
        Template::parse("{date}").unwrap()
    }

    fn values() -> Values {
        Values::default().with(Variable::Date, "2020-06-19")
    }

    #[test]
    fn a_number_is_used_once_however_its_file_is_called_now() {
        let pattern = template().pattern(&values());
        for (names, free) in [
            (vec![], 1),
            (vec!["2020-06-19.csv"], 2),
            (vec!["2020-06-19.csv.open"], 2),
            (vec!["2020-06-19.csv.gz", "2020-06-19+4.csv.zst"], 5),
            (vec!["2020-06-20.csv", "x2020-06-19.csv", "2020-06-19.csv.bak"], 1),
            (vec!["2020-06-19+4294967294.csv"], 1),
        ] {
            assert_eq!(free_number(names.iter().copied(), &pattern), free, "{names:?}");
        }
    }

    #[test]
    fn names_are_given_out_once() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::new(folder.path().to_owned());
        let make = |while_open| {
            let made = names.with_free(&template(), &values(), while_open, |path| {
                fs::write(path, "").unwrap();
                Ok(path.file_name().unwrap().to_string_lossy().into_owned())
            });
            made.unwrap()
        };
        assert_eq!(make(WhileOpen::Marked), "2020-06-19.csv.open");
        assert_eq!(make(WhileOpen::Marked), "2020-06-19+2.csv.open");
        assert_eq!(make(WhileOpen::OwnName), "2020-06-19+3.csv");
        let own = |name: &str| {
            let marked = folder.path().join(name);
            let own = names.with_own(&marked, |path| {
                fs::rename(&marked, path).unwrap();
                Ok(path.file_name().unwrap().to_string_lossy().into_owned())
            });
            own.unwrap()
        };
        assert_eq!(own("2020-06-19+2.csv.open"), "2020-06-19+2.csv");
        fs::write(folder.path().join("2020-06-19.csv.gz"), "").unwrap();
        assert_eq!(own("2020-06-19.csv.open"), "2020-06-19+4.csv");
    }

    #[test]
    fn the_sinks_own_files_are_none_of_the_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".a.csv.journal", "b.csv", ".metric-sink.store"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(Names::new(folder.path().to_owned()).list().unwrap(), ["b.csv"]);
        let missing = Names::new(folder.path().join("missing")).list().unwrap_err();
        assert!(missing.to_string().starts_with("reading "), "{missing}");
    }
}
