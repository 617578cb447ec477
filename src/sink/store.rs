//! The folder as a place that is known by its own id, and the journals that lie in it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hashbrown::HashMap;

use super::file::FileError;
use super::ownership::StoreId;
use crate::system::Random;

/// The name of the file that holds a folder's id.
pub const STORE_FILE: &str = ".metric-sink.store";

/// Reads the id of a folder, which is locked by this process; draws one if it has none.
///
/// # Errors
/// If it cannot be read or kept, or the file holds something else: with another id the commits that
/// confirm what lies in the folder would count as somebody else's.
pub fn store_id(folder: &Path, random: &Random) -> Result<StoreId, FileError> {
    let path = folder.join(STORE_FILE);
    let failed = |action: &'static str| {
        let path = path.clone();
        move |source| FileError { action, path, source }
    };
    match fs::read_to_string(&path) {
        Ok(text) => text
            .trim_end()
            .parse()
            .map_err(|_| {
                io::Error::other("it does not hold the id of a folder, 12 hexadecimal digits")
            })
            .map_err(failed("reading")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let id = StoreId::new(random.derive("sink.store").u64(..));
            keep_store_id(folder, id)?;
            Ok(id)
        }
        Err(error) => Err(failed("reading")(error)),
    }
}

/// Keeps the id of a folder in it.
///
/// # Errors
/// Whatever writing or flushing fails with.
pub fn keep_store_id(folder: &Path, id: StoreId) -> Result<(), FileError> {
    let path = folder.join(STORE_FILE);
    let keep = || -> io::Result<()> {
        // Under its name only when it is whole.
        let new = folder.join(format!("{STORE_FILE}.new"));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&new)?;
        writeln!(file, "{id}")?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        flush_folder(folder)
    };
    keep().map_err(|source| FileError { action: "writing", path: path.clone(), source })
}

/// Sees to it that new and renamed files of a folder are found after a power failure.
///
/// # Errors
/// Whatever opening or flushing fails with.
pub fn flush_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    OpenOptions::new().read(true).open(folder)?.sync_all()
}

/// The journals in a folder, in the order of their names.
///
/// # Errors
/// If the folder cannot be read.
pub fn journals(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let failed = |source| FileError { action: "reading", path: folder.to_owned(), source };
    let mut journals = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') && name.ends_with(".journal") {
            journals.push(path);
        }
    }
    journals.sort();
    Ok(journals)
}

/// The files in a folder by their numbers, whatever they are called now and whatever number the
/// device has now.
///
/// # Errors
/// If the folder cannot be read.
pub fn files_by_inode(folder: &Path) -> Result<HashMap<u64, PathBuf>, FileError> {
    let failed = |source| FileError { action: "reading", path: folder.to_owned(), source };
    let mut files = HashMap::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // A file that goes away in between is not the one.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            files.insert(metadata.ino(), entry.path());
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_keeps_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let first = store_id(folder.path(), &Random::from_seed(1)).unwrap();
        let second = store_id(folder.path(), &Random::from_seed(2)).unwrap();
        assert_eq!(first, second);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(store_id(other.path(), &Random::from_seed(2)).unwrap(), first);
    }

    #[test]
    fn an_id_that_is_none_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(STORE_FILE), "something else").unwrap();
        let error = store_id(folder.path(), &Random::from_seed(1)).unwrap_err().to_string();
        assert!(error.contains(STORE_FILE) && error.contains("12 hexadecimal digits"), "{error}");
    }

    #[test]
    fn a_file_is_found_under_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        fs::write(&path, "x").unwrap();
        let inode = fs::metadata(&path).unwrap().ino();
        let moved = folder.path().join("b.csv");
        fs::rename(&path, &moved).unwrap();
        assert_eq!(files_by_inode(folder.path()).unwrap().get(&inode), Some(&moved));
        fs::remove_file(moved).unwrap();
        assert_eq!(files_by_inode(folder.path()).unwrap().get(&inode), None);
    }

    #[test]
    fn journals_are_found_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".b.csv.journal", ".a.csv.1.journal", "c.journal", ".d.csv.redo"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = journals(folder.path()).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap()).collect();
        assert_eq!(names, [".a.csv.1.journal", ".b.csv.journal"]);
    }
}
