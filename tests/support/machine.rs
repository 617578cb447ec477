//! A machine whose disks and clock fail when a test says so.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::Errno;
use tempfile::TempDir;

use super::Program;

/// What `faults.c` has in memory: where each field of `struct control` begins, and how long all are.
const CLOCK_SHIFT: u64 = 0;
const ROOM: u64 = 8;
const ERRORS: u64 = 16;
const FAILED: u64 = 28;
const PATTERN: u64 = 32;
const LENGTH: u64 = 288;

/// What fails of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fails {
    /// Writing, after so many bytes more.
    Writing { room: i64 },
    /// Flushing to the disk.
    Flushing,
    /// Making it shorter.
    Cutting,
}

/// Stands between programs and the C library; see `faults.c`.
pub(crate) struct Machine {
    _folder: TempDir,
    library: PathBuf,
    control: File,
    control_path: PathBuf,
}

impl Machine {
    /// A machine on which nothing fails yet.
    pub(crate) fn new() -> Machine {
        let folder = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/faults.c");
        let library = folder.path().join("faults.so");
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&library, &source])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let control_path = folder.path().join("control");
        let control =
            fs::OpenOptions::new().read(true).write(true).create_new(true).open(&control_path);
        let control = control.unwrap();
        control.set_len(LENGTH).unwrap();
        Machine { _folder: folder, library, control, control_path }
    }

    /// Has a program run on this machine.
    pub(crate) fn runs(&self, program: Program) -> Program {
        program.env("LD_PRELOAD", &self.library).env("FAULTS_CONTROL", &self.control_path)
    }

    /// Has something fail for the files whose whole path matches a pattern such as `*.journal`.
    pub(crate) fn breaks(&self, pattern: &str, fails: &[(Fails, Errno)]) {
        self.mend();
        let mut text = pattern.as_bytes().to_vec();
        text.resize(usize::try_from(LENGTH - PATTERN).unwrap(), 0);
        self.control.write_all_at(&text, PATTERN).unwrap();
        for (fails, error) in fails {
            let at = match fails {
                Fails::Writing { room } => {
                    self.control.write_all_at(&room.to_ne_bytes(), ROOM).unwrap();
                    0
                }
                Fails::Flushing => 1,
                Fails::Cutting => 2,
            };
            let error = error.raw_os_error().to_ne_bytes();
            self.control.write_all_at(&error, ERRORS + 4 * at).unwrap();
        }
    }

    /// Has everything work again; the clock stays as it is.
    pub(crate) fn mend(&self) {
        // The counter of failures begins anew, too.
        self.control.write_all_at(&[0; 16], ERRORS).unwrap();
    }

    /// How often something has failed since it was broken.
    pub(crate) fn failures(&self) -> u32 {
        let mut bytes = [0; 4];
        self.control.read_exact_at(&mut bytes, FAILED).unwrap();
        u32::from_ne_bytes(bytes)
    }

    /// Sets the clock so many seconds before or after the right time.
    pub(crate) fn set_clock(&self, seconds: i64) {
        self.control.write_all_at(&seconds.to_ne_bytes(), CLOCK_SHIFT).unwrap();
    }
}
