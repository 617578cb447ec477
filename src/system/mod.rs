//! The outside world behind three doors: the clock, the host's files, and chance.
//!
//! The programs build the real ones once in `bin/`; tests use [`fake::FakeClock`] and host roots
//! that point at captured trees. `clippy.toml` bans the ambient ways around these doors.

mod archives;
mod clock;
mod data_files;
pub mod devices;
mod errno;
pub mod fake;
pub mod fake_files;
mod glob;
mod host;
mod links;
mod machine_status;
mod portable;
mod processes;
mod random;
mod rotating_file;
mod secret;
mod shared_lines;
pub mod socket_diag;
mod sockets;
mod space;
mod terminal;
pub mod thread;
mod udev;
mod utc_time;

pub use archives::Archives;
pub use clock::{Clock, RealClock, Waited};
pub use data_files::{DataFiles, DataFolder, DataFolderError};
pub use errno::ErrorWords;
pub use glob::{Glob, GlobError};
pub use host::{
    DiskRoots, Host, HostFile, HostRoots, Root, environment_names, environment_variable,
};
pub use links::Link;
pub use machine_status::MachineStatus;
pub use portable::{BusyShares, PortableDisk, PortableMachine, PortableMemory, PortableProcessors};
pub use processes::{HostProcesses, StatPlace};
pub use random::Random;
pub use rotating_file::{RotatingFile, Rotation};
pub use secret::{Secret, forbid_core_dumps};
pub use shared_lines::{SharedLines, TakeError, TakenLines};
pub use space::SpaceUsage;
pub use terminal::ask_hidden;
pub use utc_time::UtcTime;

use std::sync::Arc;

/// The outside world as one value, cheap to clone.
#[derive(Clone)]
pub struct System {
    /// Tells the time and waits.
    pub clock: Arc<dyn Clock>,
    /// Reads what the kernel tells.
    pub host: Arc<Host>,
    /// The source of chance; derive one generator for each use.
    pub random: Random,
}

impl System {
    /// The real machine: its clock, its roots as the environment names them, seeded by chance.
    pub fn real() -> System {
        System {
            clock: Arc::new(RealClock::new()),
            host: Arc::new(Host::new(HostRoots::from_environment())),
            random: Random::from_entropy(),
        }
    }
}
