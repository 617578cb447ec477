//! Where programs are.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::system::environment_variable;

/// The path of a program: one that has a slash is one already, others are looked for in `PATH`.
pub(super) fn find(name: &str) -> Option<String> {
    if name.contains('/') {
        return Some(name.to_owned());
    }
    if name.is_empty() {
        return None;
    }
    let folders = environment_variable("PATH")?;
    let paths = folders.split(':').map(|folder| {
        // An empty entry stands for the folder that the agent runs in.
        let folder = if folder.is_empty() { "." } else { folder };
        Path::new(folder).join(name)
    });
    paths.filter(|path| is_program(path)).map(|path| path.to_string_lossy().into_owned()).next()
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
