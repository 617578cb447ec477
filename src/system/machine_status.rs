//! What the kernel tells about the machine in one system call.

/// How long the machine is up, its load and its swap space.
///
/// # References
/// sysinfo(2). Telegraf takes the uptime and the size of the swap space from it too, so that both
/// are the same to the second and to the byte.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MachineStatus {
    /// Seconds since boot, a begun one counted as whole.
    pub uptime_seconds: u64,
    /// The load averages of one, five and fifteen minutes.
    pub loads: [f64; 3],
    /// All of the swap space.
    pub swap_total_bytes: u64,
    /// The swap space that is not used.
    pub swap_free_bytes: u64,
}

impl MachineStatus {
    /// Asks the kernel now.
    pub fn read() -> MachineStatus {
        let status = rustix::system::sysinfo();
        let unit = u64::from(status.mem_unit);
        MachineStatus {
            uptime_seconds: u64::try_from(status.uptime).unwrap_or(0),
            // The kernel counts loads in units of 1/65536.
            loads: status.loads.map(|load| load as f64 / 65_536.0),
            swap_total_bytes: status.totalswap.saturating_mul(unit),
            swap_free_bytes: status.freeswap.saturating_mul(unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_call_agrees_with_proc() {
        let number = |file: &str, word: usize| -> f64 {
            let text = std::fs::read_to_string(file).unwrap();
            text.split_whitespace().nth(word).unwrap().parse().unwrap()
        };
        let before = number("/proc/uptime", 0);
        let status = MachineStatus::read();
        let after = number("/proc/uptime", 0);
        let uptime = status.uptime_seconds as f64;
        assert!((before.floor()..=after + 1.0).contains(&uptime), "{before} {uptime} {after}");

        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
        let total = meminfo.lines().find_map(|line| line.strip_prefix("SwapTotal:")).unwrap();
        let total: u64 = total.trim().trim_end_matches(" kB").parse().unwrap();
        assert_eq!(status.swap_total_bytes, total * 1024);

        // The averages are renewed every five seconds, perhaps between the two readings.
        let apart = (status.loads[2] - number("/proc/loadavg", 2)).abs();
        assert!(apart < 1.0, "{apart}");
    }
}
