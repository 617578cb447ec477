//! The labels of devices.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use compact_str::{CompactString, ToCompactString};

use crate::system::{Host, Root};

/// How long a label holds. They hardly ever change while a file system is mounted, and looking one
/// up takes longer than asking how full the file system is.
const HOLDS_FOR: Duration = Duration::from_secs(60);

/// The labels that were looked up, for as long as they hold.
#[derive(Debug, Default)]
pub(super) struct Labels(HashMap<CompactString, Known>);

#[derive(Debug)]
struct Known {
    label: Option<CompactString>,
    /// From then on it is looked up again.
    until: Duration,
}

impl Labels {
    /// The label of a device, which goes by its name below `/dev`; `now` is elapsed time.
    pub(super) fn of(&mut self, device: &str, host: &Host, now: Duration) -> Option<CompactString> {
        if let Some(known) = self.0.get(device).filter(|known| now < known.until) {
            return known.label.clone();
        }
        let label = look_up(device, host);
        let known = Known { label: label.clone(), until: now + HOLDS_FOR };
        self.0.insert(device.into(), known);
        label
    }

    /// Forgets all, as when other devices are mounted.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// The name of a mapped device, or the label of the file system on it.
fn look_up(device: &str, host: &Host) -> Option<CompactString> {
    // The name of a device on another machine may begin with slashes.
    let device = device.trim_start_matches('/');
    let mut name = Vec::new();
    let label = match host.read(Root::Sys, format!("block/{device}/dm/name"), &mut name) {
        Ok(()) => String::from_utf8_lossy(&name).trim().to_compact_string(),
        Err(_) => {
            let file = std::fs::metadata(host.path(Root::Dev, device)).ok()?;
            host.udev_property(file.rdev(), "ID_FS_LABEL")?.into()
        }
    };
    Some(label).filter(|label| !label.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::HostRoots;

    #[test]
    fn a_label_holds_for_a_while_and_is_looked_up_again() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::new(HostRoots::from_variables(|_| Some(folder.path().to_path_buf())));
        let name = folder.path().join("block/dm-0/dm/name");
        std::fs::create_dir_all(name.parent().unwrap()).unwrap();
        let mut labels = Labels::default();
        for (written, seconds, expected) in
            [("data\n", 0, "data"), ("other\n", 59, "data"), ("other\n", 60, "other")]
        {
            std::fs::write(&name, written).unwrap();
            let label = labels.of("dm-0", &host, Duration::from_secs(seconds));
            assert_eq!(label.as_deref(), Some(expected), "after {seconds} s");
        }
        std::fs::write(&name, "third\n").unwrap();
        labels.clear();
        let label = labels.of("dm-0", &host, Duration::from_secs(61));
        assert_eq!(label.as_deref(), Some("third"));
    }
}
