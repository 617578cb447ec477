//! The folders that a service manager gives the agent, and what takes their place without one.
//!
//! # References
//! systemd.exec(5), `StateDirectory=` and `RuntimeDirectory=`.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::system::environment_variable;

/// Where packages have the service keep its state.
const USUAL_STATE: &str = "/var/lib/metric-agent";

/// Where packages have the service keep what lives as long as it does.
const USUAL_RUNTIME: &str = "/run/metric-agent";

/// The folder for what outlasts the agent, if there is one that it may write to; it is never made
/// here.
pub(super) fn state() -> Option<PathBuf> {
    folder(environment_variable("STATE_DIRECTORY"), Path::new(USUAL_STATE))
}

/// The folder for what lives as long as the agent, if there is one that it may write to; it is
/// never made here.
pub(super) fn runtime() -> Option<PathBuf> {
    folder(environment_variable("RUNTIME_DIRECTORY"), Path::new(USUAL_RUNTIME))
}

/// That folder of an agent that is to be asked, whether or not it is there.
pub(super) fn usual_runtime() -> PathBuf {
    named(environment_variable("RUNTIME_DIRECTORY"), Path::new(USUAL_RUNTIME))
}

/// The folder that the variable names, the first if there are several. Without the variable it is
/// the usual one; a variable that is set to nothing means that there is none.
fn folder(variable: Option<String>, usual: &Path) -> Option<PathBuf> {
    let folder = named(variable, usual);
    let is_usable = access(&folder, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    (is_usable && folder.is_dir()).then_some(folder)
}

fn named(variable: Option<String>, usual: &Path) -> PathBuf {
    match variable {
        Some(folders) => PathBuf::from(folders.split(':').next().unwrap_or_default()),
        None => usual.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_is_named_counts_and_only_one_that_is_there() {
        let given = tempfile::tempdir().unwrap();
        let usual = tempfile::tempdir().unwrap();
        let name = given.path().to_str().unwrap();
        for (variable, found) in [
            (Some(name.to_owned()), Some(given.path())),
            (Some(format!("{name}:/elsewhere")), Some(given.path())),
            (Some(String::new()), None),
            (Some("/nowhere/at/all".to_owned()), None),
            (None, Some(usual.path())),
        ] {
            assert_eq!(folder(variable.clone(), usual.path()).as_deref(), found, "{variable:?}");
        }
        assert_eq!(folder(None, Path::new("/nowhere/at/all")), None);
    }
}
