//! Secrets that lie in files of a folder, as container engines and systemd hand them in.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::system::{ErrorWords, Secret};

/// A folder whose files hold a secret each.
#[derive(Debug, Clone)]
pub struct SecretFolder(PathBuf);

/// Why a file of the folder cannot be a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The name leads out of the folder.
    #[error("the name leads out of the folder")]
    Outside,
    /// It cannot be read.
    #[error("{action} {}: {}", .path.display(), ErrorWords(.source))]
    Read {
        /// What was tried: `open`, `read` or `stat`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl SecretFolder {
    /// Makes sure that there is such a folder.
    ///
    /// # Errors
    /// If it cannot be looked at.
    pub fn find(path: impl Into<PathBuf>) -> Result<SecretFolder, SecretFileError> {
        let path = path.into();
        match fs::metadata(&path) {
            Ok(_) => Ok(SecretFolder(path)),
            Err(source) => Err(SecretFileError::Read { action: "stat", path, source }),
        }
    }

    /// What the file of that name holds, its line ends included.
    ///
    /// # Errors
    /// If the name is not that of a file in the folder, or the file cannot be read.
    pub fn read(&self, name: &str) -> Result<Secret, SecretFileError> {
        let mut components = Path::new(name).components();
        let (Some(Component::Normal(_)), None, false) =
            (components.next(), components.next(), name.contains('/'))
        else {
            return Err(SecretFileError::Outside);
        };
        let path = self.0.join(name);
        fs::read_to_string(&path).map(Secret::new).map_err(|source| {
            let action = match source.kind() {
                io::ErrorKind::IsADirectory | io::ErrorKind::InvalidData => "read",
                _ => "open",
            };
            SecretFileError::Read { action, path, source }
        })
    }

    /// The names of the files, in any order.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn names(&self) -> Result<Vec<String>, SecretFileError> {
        let names = |entries: fs::ReadDir| {
            entries
                .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
                .collect::<io::Result<Vec<_>>>()
        };
        fs::read_dir(&self.0).and_then(names).map_err(|source| SecretFileError::Read {
            action: "open",
            path: self.0.clone(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_folder_is_a_secret_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let inner = place.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::write(inner.join("a"), "hush\n").unwrap();
        fs::write(inner.join("binary"), b"\xff").unwrap();
        fs::write(place.path().join("outside"), "no").unwrap();
        let folder = SecretFolder::find(&inner).unwrap();
        assert_eq!(folder.read("a").unwrap().expose(), "hush\n");
        let mut names = folder.names().unwrap();
        names.sort();
        assert_eq!(names, ["a", "binary"]);
        for name in ["", ".", "..", "../outside", "/etc/passwd", "./a", "a/"] {
            assert!(matches!(folder.read(name), Err(SecretFileError::Outside)), "{name}");
        }
        let error = folder.read("b").unwrap_err().to_string();
        assert_eq!(error, format!("open {}/b: no such file or directory", inner.display()));
        assert!(folder.read("binary").unwrap_err().to_string().starts_with("read "));
        let error = SecretFolder::find("/nonexistent").unwrap_err().to_string();
        assert_eq!(error, "stat /nonexistent: no such file or directory");
    }
}
