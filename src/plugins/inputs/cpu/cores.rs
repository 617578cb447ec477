//! Which core and which socket a processor is, from `/proc/cpuinfo`.

use std::collections::HashMap;

use compact_str::CompactString;

/// The place of one processor.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Core {
    /// The core within its socket; empty if the kernel does not tell.
    pub(super) core_id: CompactString,
    /// The socket; empty if the kernel does not tell.
    pub(super) physical_id: CompactString,
}

/// Parses the places of all processors, by their name such as `cpu0`.
pub(super) fn parse(cpuinfo: &[u8]) -> HashMap<CompactString, Core> {
    let text = String::from_utf8_lossy(cpuinfo);
    let mut cores = HashMap::new();
    let mut current: Option<(CompactString, Core)> = None;
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match (key.trim(), current.as_mut()) {
            ("processor" | "cpu number", _) => {
                cores.extend(current.take());
                current = Some((format!("cpu{value}").into(), Core::default()));
            }
            ("core id", Some((_, core))) => core.core_id = value.into(),
            ("physical id" | "hart", Some((_, core))) => core.physical_id = value.into(),
            _ => {}
        }
    }
    cores.extend(current);
    cores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_processor_has_its_core_and_socket() {
        let cores = parse(
            b"processor\t: 0\nphysical id\t: 0\ncore id\t\t: 3\n\nprocessor\t: 1\nflags : a: b\n",
        );
        assert_eq!(cores["cpu0"], Core { core_id: "3".into(), physical_id: "0".into() });
        assert_eq!(cores["cpu1"], Core::default());
    }
}
