//! The file with the process id, for init scripts.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file that holds this process's id for as long as the value lives.
#[derive(Debug)]
pub(super) struct Pidfile {
    path: PathBuf,
}

impl Pidfile {
    /// Writes the file, replacing what an earlier run may have left.
    ///
    /// # Errors
    /// Whatever writing fails with.
    pub(super) fn write(path: &Path) -> io::Result<Pidfile> {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(path)?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Pidfile { path: path.to_owned() })
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            log::error!(target: "", "Unable to remove pidfile {}: {error}", self.path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_the_id_and_goes_with_the_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.pid");
        fs::write(&path, "99999999999 left over").unwrap();
        let pidfile = Pidfile::write(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{}\n", std::process::id()));
        drop(pidfile);
        assert!(!path.exists());
    }
}
