//! How much memory this process takes: `/proc/self/status`.
//!
//! # References
//! proc_pid_status(5).

/// What the process holds of the machine's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// All of it, the program's own code included.
    pub(super) resident: u64,
    /// What belongs to no file: heap and stacks.
    pub(super) anonymous: u64,
}

impl Memory {
    /// Parses the file; `None` if it does not tell, as kernels before 4.5 do not.
    pub(super) fn parse(text: &str) -> Option<Memory> {
        let bytes = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name))?;
            let kibibytes: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
            kibibytes.checked_mul(1024)
        };
        Some(Memory { resident: bytes("VmRSS:")?, anonymous: bytes("RssAnon:")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_found_and_brought_to_bytes() {
        let text = "Name:\tagent\nVmHWM:\t   9000 kB\nVmRSS:\t    8192 kB\nRssAnon:\t    2048 kB\n";
        let memory = Memory { resident: 8 << 20, anonymous: 2 << 20 };
        assert_eq!(Memory::parse(text), Some(memory));
        assert_eq!(Memory::parse("VmRSS:\t 1 kB\n"), None);
        assert_eq!(Memory::parse("VmRSS:\t x kB\nRssAnon:\t 1 kB\n"), None);
    }
}
