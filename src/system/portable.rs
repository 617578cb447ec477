//! Readings for systems without `/proc`, through the `sysinfo` crate.
//!
//! They tell less than `/proc` does; on Linux they only serve to be held against it in tests.

use std::io;
use std::path::PathBuf;

/// How the memory is used, as far as every system tells; all in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortableMemory {
    /// All of it.
    pub total: u64,
    /// What is not used for anything.
    pub free: u64,
    /// What new work could get without swapping.
    pub available: u64,
    /// All of the swap space.
    pub swap_total: u64,
    /// The swap space that is not used.
    pub swap_free: u64,
}

impl PortableMemory {
    /// Reads it now.
    ///
    /// # Errors
    /// If the system does not let itself be read.
    pub fn read() -> io::Result<PortableMemory> {
        let mut system = sysinfo::System::new().map_err(unreadable)?;
        system.refresh_memory();
        Ok(PortableMemory {
            total: system.total_memory(),
            free: system.free_memory(),
            available: system.available_memory(),
            swap_total: system.total_swap(),
            swap_free: system.free_swap(),
        })
    }
}

/// How busy the processors are, as far as every system tells.
pub struct PortableProcessors {
    system: sysinfo::System,
    read: Reading,
}

/// Whether there is a reading to compare the next one with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    None,
    First,
}

/// The shares of the time in which processors did not idle, in percent.
#[derive(Debug, Clone, PartialEq)]
pub struct BusyShares {
    /// Of each processor, in the system's order.
    pub each: Vec<f64>,
    /// Of all together.
    pub all: f64,
}

impl PortableProcessors {
    /// Makes a reader that has read nothing yet.
    ///
    /// # Errors
    /// If the system does not let itself be read.
    pub fn new() -> io::Result<PortableProcessors> {
        let system = sysinfo::System::new().map_err(unreadable)?;
        Ok(PortableProcessors { system, read: Reading::None })
    }

    /// Reads the shares since the last reading; none the first time.
    pub fn read(&mut self) -> Option<BusyShares> {
        self.system.refresh_cpu_usage();
        let shares = BusyShares {
            each: self.system.cpus().iter().map(|cpu| f64::from(cpu.usage())).collect(),
            all: f64::from(self.system.global_cpu_usage()),
        };
        let last = std::mem::replace(&mut self.read, Reading::First);
        (last == Reading::First).then_some(shares)
    }
}

/// What the machine and its system are, as far as every system tells.
#[derive(Debug, Clone, PartialEq)]
pub struct PortableMachine {
    /// Seconds since boot.
    pub uptime_seconds: u64,
    /// The load averages of one, five and fifteen minutes.
    pub loads: [f64; 3],
    /// Processors that run threads.
    pub n_cpus: usize,
    /// Cores.
    pub n_physical_cpus: usize,
    /// The distribution or product, such as `debian`.
    pub platform: String,
    /// Its version.
    pub platform_version: String,
    /// The version of the kernel.
    pub kernel_version: String,
    /// The architecture, such as `x86_64`.
    pub architecture: String,
}

impl PortableMachine {
    /// Reads it now; what the system does not tell is zero or empty.
    ///
    /// # Errors
    /// If the system does not let itself be read.
    pub fn read() -> io::Result<PortableMachine> {
        let mut system = sysinfo::System::new().map_err(unreadable)?;
        system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
        let loads = sysinfo::System::load_average().map_err(unreadable)?;
        Ok(PortableMachine {
            uptime_seconds: sysinfo::System::uptime().map_err(unreadable)?,
            loads: [loads.one, loads.five, loads.fifteen],
            n_cpus: system.cpus().len(),
            n_physical_cpus: sysinfo::System::physical_core_count().unwrap_or(0),
            platform: sysinfo::System::distribution_id(),
            platform_version: sysinfo::System::os_version().unwrap_or_default(),
            kernel_version: sysinfo::System::kernel_version().unwrap_or_default(),
            architecture: sysinfo::System::cpu_arch(),
        })
    }
}

/// A mounted file system, as far as every system tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortableDisk {
    /// The device, or whatever stands in its place.
    pub device: String,
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// The type of the file system.
    pub file_system: String,
    /// Whether nothing can be written to it.
    pub is_read_only: bool,
}

impl PortableDisk {
    /// Reads the mounted file systems.
    ///
    /// # Errors
    /// If the system does not let itself be read.
    pub fn read_all() -> io::Result<Vec<PortableDisk>> {
        let disks = sysinfo::Disks::new_with_refreshed_list_specifics(
            sysinfo::DiskRefreshKind::nothing().with_storage(),
        )
        .map_err(unreadable)?;
        let text = |name: &std::ffi::OsStr| name.to_string_lossy().into_owned();
        Ok(disks
            .iter()
            .map(|disk| PortableDisk {
                device: text(disk.name()),
                mount_point: disk.mount_point().to_owned(),
                file_system: text(disk.file_system()),
                is_read_only: disk.is_read_only(),
            })
            .collect())
    }
}

fn unreadable(error: sysinfo::Error) -> io::Error {
    io::Error::other(error.to_string())
}
