//! The processor lines of `/proc/stat`.
//!
//! # References
//! proc(5), "/proc/stat": times are in clock ticks (`USER_HZ`); `user` and `nice` include the
//! time of guests, which is also told apart in `guest` and `guest_nice`.

use compact_str::CompactString;

/// How many states a processor's time is told apart into.
pub(super) const STATES: usize = 10;

/// The states in the order of the file: the names of the fields with shares of the time, and of
/// those with seconds.
pub(super) const FIELDS: [(&str, &str); STATES] = [
    ("usage_user", "time_user"),
    ("usage_nice", "time_nice"),
    ("usage_system", "time_system"),
    ("usage_idle", "time_idle"),
    ("usage_iowait", "time_iowait"),
    ("usage_irq", "time_irq"),
    ("usage_softirq", "time_softirq"),
    ("usage_steal", "time_steal"),
    ("usage_guest", "time_guest"),
    ("usage_guest_nice", "time_guest_nice"),
];

/// Since boot, the seconds that one processor, or all of them, spent in each state.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CpuTimes {
    /// `cpu0`, `cpu1`, …, or `cpu-total`.
    pub(super) cpu: CompactString,
    seconds: [f64; STATES],
}

impl CpuTimes {
    /// The seconds in the states, in the order of [`FIELDS`].
    pub(super) fn seconds(&self) -> &[f64; STATES] {
        &self.seconds
    }

    /// The seconds in all states; those of guests are part of `user` and `nice`.
    pub(super) fn total(&self) -> f64 {
        let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = self.seconds;
        // Floating point sums depend on the order; this one gives Telegraf's last digit.
        user + system + nice + iowait + irq + softirq + steal + idle
    }

    /// The seconds in all states but idle.
    pub(super) fn active(&self) -> f64 {
        self.total() - self.seconds[3]
    }
}

/// Parses the lines of the processors: `cpu`, then `cpu0` and so on; stops at the first other one.
///
/// Lines that are no processor's are passed over. Kernels before 3.2 tell fewer states, which
/// are then zero.
pub(super) fn parse(stat: &[u8], ticks_per_second: f64) -> Vec<CpuTimes> {
    let text = String::from_utf8_lossy(stat);
    text.lines()
        .take_while(|line| line.starts_with("cpu"))
        .filter_map(|line| parse_line(line, ticks_per_second))
        .collect()
}

fn parse_line(line: &str, ticks_per_second: f64) -> Option<CpuTimes> {
    /// `user` to `softirq`, which every kernel since 2.6 tells.
    const AT_LEAST: usize = 7;

    let mut words = line.split_ascii_whitespace();
    let cpu = match words.next()? {
        "cpu" => "cpu-total",
        cpu => cpu,
    };
    let mut seconds = [0.0; STATES];
    let mut n_states = 0;
    for (state, word) in seconds.iter_mut().zip(words) {
        *state = word.parse::<f64>().ok()? / ticks_per_second;
        n_states += 1;
    }
    (n_states >= AT_LEAST).then(|| CpuTimes { cpu: cpu.into(), seconds })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_lines_of_the_processors_are_read_and_no_others() {
        let stat = b"cpu  200 0 100 700 0 0 0 0 0 0\ncpu0 100 1 2 3 4 5 6 7 8 9\nintr 5\ncpu1 1 1 1 1 1 1 1";
        let times = parse(stat, 100.0);
        assert_eq!(times.len(), 2);
        assert_eq!(times[0].cpu, "cpu-total");
        assert_eq!(times[0].total(), 10.0);
        assert_eq!(times[0].active(), 3.0);
        assert_eq!(times[1].seconds()[9], 0.09);
    }

    #[test]
    fn old_kernels_tell_fewer_states() {
        let times = parse(b"cpu 1 2 3 4 5 6 7\n", 1.0);
        assert_eq!(times[0].seconds(), &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 0.0, 0.0, 0.0]);
        assert_eq!(parse(b"cpu 1 2 3\ncpu0 x 1 1 1 1 1 1 1\n", 1.0), []);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            parse(&bytes, 100.0);
        }
    }
}
