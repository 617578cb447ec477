//! What udev knows of block devices.

use super::{Host, Root};

impl Host {
    /// A property of the block device with the number `device`, such as `ID_FS_LABEL`.
    ///
    /// None if udev does not know it, and, as in Telegraf, if there is a `=` in its value.
    ///
    /// # References
    /// udev writes `/run/udev/data/bMAJOR:MINOR`, with a line `E:NAME=VALUE` for each property.
    pub fn udev_property(&self, device: u64, name: &str) -> Option<String> {
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let mut data = Vec::new();
        self.read(Root::Run, format!("udev/data/b{major}:{minor}"), &mut data).ok()?;
        let data = String::from_utf8_lossy(&data);
        let properties = data.lines().filter_map(|line| line.strip_prefix("E:")?.split_once('='));
        let mut values = properties.filter(|(known, _)| *known == name).map(|(_, value)| value);
        values.find(|value| !value.contains('=')).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::super::HostRoots;

    #[test]
    fn properties_are_found_by_the_number_of_the_device() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().join("udev/data");
        std::fs::create_dir_all(&data).unwrap();
        let text = "S:disk/by-label/x\nE:ID_FS_LABEL_ENC=no\nE:ID_FS_LABEL=a b\nE:ODD=a=b\nI:1\n";
        std::fs::write(data.join("b8:17"), text).unwrap();
        let root = place.path().to_path_buf();
        let host = super::Host::new(HostRoots::from_variables(|_| Some(root.clone())));
        let device = rustix::fs::makedev(8, 17);
        assert_eq!(host.udev_property(device, "ID_FS_LABEL").as_deref(), Some("a b"));
        assert_eq!(host.udev_property(device, "ODD"), None);
        assert_eq!(host.udev_property(device, "ID_SERIAL"), None);
        assert_eq!(host.udev_property(device + 1, "ID_FS_LABEL"), None);
    }
}
