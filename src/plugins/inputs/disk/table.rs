//! Where the list of mounts is read, and whether it has changed.

use std::path::Path;

use super::mounts::{self, Mount};
use crate::plugin::PluginError;
use crate::system::{Host, HostFile, PortableDisk, Root};

/// How often in a row the kernel is believed that nothing has changed.
///
/// It tells of mounts and their options, but not if a folder on the way to a mount point gets
/// another name; and what only looks like Linux may never tell.
const MOST_BELIEVED: u32 = 9;

/// The list of mounts, from the first of several files that can be read.
#[derive(Debug)]
pub(super) struct MountTable {
    sources: Vec<Source>,
    buffer: Vec<u8>,
    /// Which source the list came from last, and its text.
    last: Option<(usize, Vec<u8>)>,
    /// How often in a row the kernel was believed.
    n_believed: u32,
}

/// Whether the list is read although the kernel tells of no change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// The kernel is believed for a while: making the list takes it as long as asking about a
    /// dozen file systems.
    IfTold,
    /// It is.
    Anyway,
}

#[derive(Debug)]
struct Source {
    file: HostFile,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Mountinfo,
    /// What kernels before 2.6.26 had.
    Mounts,
}

impl MountTable {
    /// Makes the list of the host: of the first process, else of this one, unless a file is named.
    pub(super) fn new(host: &Host) -> MountTable {
        let named = &host.roots().mountinfo;
        let folders = if named.as_os_str().is_empty() {
            vec![host.path(Root::Proc, "1"), host.path(Root::Proc, "self")]
        } else {
            // Its name does not count, only where it is.
            vec![named.parent().unwrap_or(Path::new("")).to_owned()]
        };
        let source = |folder: &Path, name, form| {
            let file = HostFile::new(folder.join(name));
            Source { file, form }
        };
        let sources = folders.iter().flat_map(|folder| {
            [source(folder, "mountinfo", Form::Mountinfo), source(folder, "mounts", Form::Mounts)]
        });
        MountTable { sources: sources.collect(), buffer: Vec::new(), last: None, n_believed: 0 }
    }

    /// Reads the list; none if it still is what it was.
    ///
    /// # Errors
    /// If none of the files can be read, or a line lacks something.
    pub(super) fn read_changed(&mut self, look: Look) -> Result<Option<Vec<Mount>>, PluginError> {
        if look == Look::IfTold && self.is_believed_unchanged() {
            self.n_believed += 1;
            return Ok(None);
        }
        self.n_believed = 0;
        let last = self.last.take();
        let mut failed = None;
        for (at, source) in self.sources.iter_mut().enumerate() {
            if let Err(error) = source.file.read(&mut self.buffer) {
                failed = Some(error);
                continue;
            }
            if last.as_ref().is_some_and(|(from, text)| *from == at && *text == self.buffer) {
                self.last = last;
                return Ok(None);
            }
            let mounts = match source.form {
                Form::Mountinfo => {
                    let file = source.file.path().to_string_lossy();
                    mounts::parse_mountinfo(&self.buffer, &file)
                        .map_err(|error| format!("error parsing mountinfo file {file}: {error}"))?
                }
                Form::Mounts => mounts::parse_mounts(&self.buffer),
            };
            self.last = Some((at, self.buffer.clone()));
            return Ok(Some(mounts));
        }
        Err(failed.map_or_else(|| "no list of mounts".into(), PluginError::from))
    }

    fn is_believed_unchanged(&self) -> bool {
        let source = self.last.as_ref().and_then(|(at, _)| self.sources.get(*at));
        self.n_believed < MOST_BELIEVED
            && source.is_some_and(|source| !source.file.may_have_changed())
    }
}

/// The mounts of a system without `/proc`.
///
/// # Errors
/// If the system does not let itself be read.
pub(super) fn read_portably() -> Result<Vec<Mount>, PluginError> {
    let disks = PortableDisk::read_all()?.into_iter();
    Ok(disks
        .map(|disk| Mount {
            device_id: String::new(),
            device: disk.device,
            mount_point: disk.mount_point.into_os_string().into_encoded_bytes(),
            fs_type: disk.file_system,
            options: vec![if disk.is_read_only { "ro" } else { "rw" }.to_owned()],
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::HostRoots;

    const LINE: &str = "36 35 98:0 / /mnt rw - ext3 /dev/sda1 rw\n";

    fn host(place: &Path, mountinfo: Option<&Path>) -> Host {
        Host::new(HostRoots::from_variables(|name| match name {
            "HOST_PROC" => Some(place.into()),
            "HOST_PROC_MOUNTINFO" => mountinfo.map(Path::to_owned),
            _ => None,
        }))
    }

    fn write(place: &Path, file: &str, text: &str) {
        let file = place.join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    #[test]
    fn the_list_is_parsed_again_only_once_it_has_changed() {
        let place = tempfile::tempdir().unwrap();
        let mut table = MountTable::new(&host(place.path(), None));
        assert!(
            table.read_changed(Look::IfTold).unwrap_err().to_string().contains("self/mounts: ")
        );
        write(place.path(), "1/mountinfo", LINE);
        assert_eq!(table.read_changed(Look::IfTold).unwrap().unwrap().len(), 1);
        assert_eq!(table.read_changed(Look::IfTold).unwrap(), None);
        write(place.path(), "1/mountinfo", &LINE.repeat(2));
        assert_eq!(table.read_changed(Look::IfTold).unwrap().unwrap().len(), 2);
        write(place.path(), "1/mountinfo", "odd\n");
        let error = table.read_changed(Look::IfTold).unwrap_err().to_string();
        assert!(error.starts_with("error parsing mountinfo file "), "{error}");
    }

    #[test]
    fn files_are_asked_in_order_and_a_named_one_alone() {
        let place = tempfile::tempdir().unwrap();
        let n_mounts = |mountinfo: Option<&str>| {
            let mountinfo = mountinfo.map(|file| place.path().join(file));
            let mut table = MountTable::new(&host(place.path(), mountinfo.as_deref()));
            table.read_changed(Look::IfTold).map(|mounts| mounts.unwrap().len()).ok()
        };
        write(place.path(), "self/mounts", &"/dev/sda1 /mnt ext4 rw 0 0\n".repeat(4));
        assert_eq!((n_mounts(None), n_mounts(Some("2/any"))), (Some(4), None));
        write(place.path(), "self/mountinfo", &LINE.repeat(3));
        assert_eq!(n_mounts(None), Some(3));
        write(place.path(), "1/mounts", "/dev/sda1 /mnt ext4 rw 0 0\n");
        assert_eq!(n_mounts(None), Some(1));
        write(place.path(), "1/mountinfo", &LINE.repeat(2));
        assert_eq!(n_mounts(None), Some(2));
        write(place.path(), "2/mountinfo", &LINE.repeat(5));
        assert_eq!(n_mounts(Some("2/any")), Some(5));
    }

    #[test]
    fn the_kernel_is_believed_for_a_while() {
        let own = Path::new("/proc/self/mountinfo");
        let mut table = MountTable::new(&host(Path::new("/proc"), Some(own)));
        assert!(table.read_changed(Look::IfTold).unwrap().is_some());
        for n_believed in (1..=MOST_BELIEVED).chain([0, 1]) {
            // Other mounts may come meanwhile, and then it is read.
            if table.read_changed(Look::IfTold).unwrap().is_none() {
                assert_eq!(table.n_believed, n_believed);
            } else {
                table.n_believed = n_believed;
            }
        }
        assert_eq!(table.read_changed(Look::Anyway).unwrap(), None);
        assert_eq!(table.n_believed, 0);
    }

    #[test]
    fn the_portable_reading_agrees_with_proc() {
        // The first process may see other mounts than this one.
        let own = Path::new("/proc/self/mountinfo");
        let mut table = MountTable::new(&host(Path::new("/proc"), Some(own)));
        let listed = table.read_changed(Look::IfTold).unwrap().unwrap();
        let portable = read_portably().unwrap();
        assert!(!portable.is_empty() || listed.iter().all(|mount| mount.mount_point != b"/"));
        for mount in portable {
            let same = listed.iter().filter(|same| same.mount_point == mount.mount_point);
            assert!(same.clone().any(|same| same.fs_type == mount.fs_type), "{mount:?}");
        }
    }
}
