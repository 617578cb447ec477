//! Copies of the user's files without the outputs through which the comparison reads.
//!
//! They lie in memory only, and the programs inherit them: nothing can be left behind.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use rustix::fs::{MemfdFlags, memfd_create};

use super::{CompareError, OUTPUT};
use crate::config::{Parts, leave_out, remote};

/// What both are to load, in the order of the user's files, and the copies among it, which last as
/// long as they are held.
pub(super) fn files(parts: &Parts) -> Result<(Vec<String>, Vec<File>), CompareError> {
    let (mut names, mut copies) = (Vec::new(), Vec::new());
    for (file, has_output) in parts.files_asking_for("outputs", OUTPUT) {
        if !has_output {
            names.push(file.name.clone());
            continue;
        }
        let file_name = || remote::shown(&file.name).to_string();
        let text = leave_out(&file.bytes, "outputs", OUTPUT)
            .ok_or_else(|| CompareError::OutputInUse { file: file_name() })?;
        let copy = in_memory(&text)
            .map_err(|source| CompareError::StandIn { file: file_name(), source })?;
        let name = format!("/dev/fd/{}", copy.as_raw_fd());
        log::info!(target: "", "{name} is {} without its outputs.{OUTPUT}", file_name());
        names.push(name);
        copies.push(copy);
    }
    Ok((names, copies))
}

/// A file without a name that programs inherit which are started from now on.
fn in_memory(text: &str) -> io::Result<File> {
    let mut file = File::from(memfd_create("configuration", MemfdFlags::empty())?);
    file.write_all(text.as_bytes())?;
    Ok(file)
}
