//! How the swap space is used.
//!
//! # References
//! Telegraf's `inputs.swap`; proc(5), "/proc/vmstat"; sysinfo(2).

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::metric::{Field, Metric, Value, ValueType};
use crate::plugin::{Accumulator, Build, BuildError, Context, Declaration, Input, PluginError};
use crate::system::{HostFile, MachineStatus, PortableMemory, Root, System};

/// Declares `inputs.swap`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("swap", include_str!("sample.conf"));

/// What a page in `vmstat` is taken for, whatever the machine's pages are: so does Telegraf.
const PAGE_BYTES: u64 = 4096;

/// The settings of `inputs.swap`: there are none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {}

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        Ok(Box::new(Swap::new(&context.system)))
    }
}

struct Swap {
    vmstat: HostFile,
    /// The list of swap spaces.
    swaps: HostFile,
    /// What was read while there was no swap space: as long as there is none nothing moves, and
    /// the kernel need not write all of its statistics for it.
    still: Option<Traffic>,
    buffer: Vec<u8>,
}

impl Input for Swap {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let read = if cfg!(target_os = "linux") { self.read() } else { read_portably() };
        let (space, traffic) =
            read.map_err(|error| format!("error getting swap memory info: {error}"))?;
        let now = accumulator.now();
        let metric = |fields| Metric::from_lists("swap", now, Vec::new(), fields);
        accumulator.add(metric(space.fields()).with_type(ValueType::Gauge));
        if let Some(traffic) = traffic {
            let fields = vec![field("in", traffic.bytes_in), field("out", traffic.bytes_out)];
            accumulator.add(metric(fields).with_type(ValueType::Counter));
        }
        Ok(())
    }

    fn is_brief(&self) -> bool {
        true
    }
}

impl Swap {
    fn new(system: &System) -> Swap {
        Swap {
            vmstat: system.host.file(Root::Proc, "vmstat"),
            swaps: system.host.file(Root::Proc, "swaps"),
            still: None,
            buffer: Vec::new(),
        }
    }

    fn read(&mut self) -> Result<(Space, Option<Traffic>), PluginError> {
        // Before the size is asked for: what comes and goes in between is seen the next time.
        let may_have_changed = self.swaps.may_have_changed();
        let status = MachineStatus::read();
        let space = Space { total: status.swap_total_bytes, free: status.swap_free_bytes };
        let is_swapless = space.total == 0;
        if is_swapless
            && !may_have_changed
            && let Some(traffic) = self.still
        {
            return Ok((space, Some(traffic)));
        }
        if is_swapless && !self.swaps.is_kernels_own() {
            // The kernel tells of changes from now on; where it does not, nothing is kept.
            let _ = self.swaps.read(&mut self.buffer);
        }
        self.vmstat
            .read(&mut self.buffer)
            .map_err(|error| format!("couldn't read {}: {error}", self.vmstat.path().display()))?;
        let traffic = Traffic::parse(&self.buffer);
        let is_told = self.swaps.is_kernels_own() && self.vmstat.is_kernels_own();
        self.still = (is_swapless && is_told).then_some(traffic);
        Ok((space, Some(traffic)))
    }
}

/// Reads what a system without `/proc` tells.
fn read_portably() -> Result<(Space, Option<Traffic>), PluginError> {
    let memory = PortableMemory::read()?;
    Ok((Space { total: memory.swap_total, free: memory.swap_free }, None))
}

/// The size of the swap space, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Space {
    total: u64,
    free: u64,
}

impl Space {
    fn fields(self) -> Vec<Field> {
        let used = self.total.saturating_sub(self.free);
        let percent = match self.total {
            0 => 0.0,
            total => used as f64 / total as f64 * 100.0,
        };
        vec![
            field("total", self.total),
            field("used", used),
            field("free", self.free),
            field("used_percent", percent),
        ]
    }
}

/// What moved between memory and swap space since boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Traffic {
    bytes_in: u64,
    bytes_out: u64,
}

impl Traffic {
    /// Parses `/proc/vmstat`; a line that is missing or holds no number counts as zero.
    fn parse(vmstat: &[u8]) -> Traffic {
        let mut traffic = Traffic::default();
        for line in vmstat.split(|byte| *byte == b'\n') {
            let (bytes, rest) = if let Some(rest) = line.strip_prefix(b"pswpin ") {
                (&mut traffic.bytes_in, rest)
            } else if let Some(rest) = line.strip_prefix(b"pswpout ") {
                (&mut traffic.bytes_out, rest)
            } else {
                continue;
            };
            let pages = std::str::from_utf8(rest).ok();
            let pages = pages.and_then(|rest| rest.split_ascii_whitespace().next());
            if let Some(pages) = pages.and_then(|pages| pages.parse::<u64>().ok()) {
                *bytes = pages.wrapping_mul(PAGE_BYTES);
            }
        }
        traffic
    }
}

fn field(name: &'static str, value: impl Into<Value>) -> Field {
    Field { key: CompactString::const_new(name), value: value.into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_portable_reading_agrees_with_proc() {
        let mut swap = Swap::new(&System::real());
        let (kernel, traffic) = swap.read().unwrap();
        let (portable, none) = read_portably().unwrap();
        assert_eq!(kernel.total, portable.total);
        // The two are read one after the other, while the machine goes on.
        let apart = kernel.free.abs_diff(portable.free);
        assert!(apart <= kernel.total / 10, "the free space lies {apart} bytes apart");
        assert!(traffic.is_some() && none.is_none());
    }

    #[test]
    fn without_swap_space_nothing_is_used() {
        let percent = |total, free| Space { total, free }.fields()[3].value.clone();
        assert_eq!(percent(0, 0), Value::Float(0.0));
        assert_eq!(percent(8, 6), Value::Float(25.0));
    }

    #[test]
    fn pages_become_bytes() {
        let traffic = Traffic::parse(b"pgpgin 9\npswpin 29\npswpout 1361\npswpouts 5\n");
        assert_eq!(traffic, Traffic { bytes_in: 118_784, bytes_out: 5_574_656 });
        assert_eq!(Traffic::parse(b"pswpin\npswpout many\npswpin 1x\n"), Traffic::default());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            Traffic::parse(&bytes);
        }
    }
}
