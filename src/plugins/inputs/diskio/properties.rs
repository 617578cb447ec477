//! What udev and the kernel know of a device.
//!
//! # References
//! udev keeps `/run/udev/data/bMAJOR:MINOR` with a line `E:NAME=VALUE` for each property and
//! `S:NAME` for each link in `/dev`; the kernel tells more in `/sys/class/block/NAME/uevent`.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::system::{ErrorWords, Host, HostFile, Root};

/// The properties of a device by name.
pub(super) type Properties = Arc<HashMap<String, String>>;

/// The properties of all devices that were asked for, kept until a device changes.
pub(super) struct PropertyCache {
    host: Host,
    known: HashMap<String, Known>,
}

/// What is known of a device, and from when.
struct Known {
    modified: (i64, i64),
    /// Where udev keeps it.
    data: PathBuf,
    properties: Properties,
}

/// Why nothing is known of a device.
#[derive(Debug, thiserror::Error)]
pub(super) enum PropertyError {
    /// Neither the device nor udev's data on it is there.
    #[error("error reading {path}: {reason}")]
    Missing { path: String, reason: String },
    /// It is there and cannot be read.
    #[error("{0}")]
    Unreadable(#[from] io::Error),
}

impl PropertyCache {
    /// Makes an empty cache; `host` is seen below the roots for properties of disks.
    pub(super) fn new(host: Host) -> PropertyCache {
        PropertyCache { host, known: HashMap::new() }
    }

    /// Whether the properties of the device called `name` have been read.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.known.contains_key(name)
    }

    /// The properties of the device called `name`.
    ///
    /// # Errors
    /// If there is no such device, or udev knows nothing of it.
    pub(super) fn of(&mut self, name: &str) -> Result<Properties, PropertyError> {
        let path = path_in(&self.host, Root::Dev, name);
        let device = std::fs::metadata(&path).map_err(|error| PropertyError::Missing {
            path: path.display().to_string(),
            reason: ErrorWords(&error).to_string(),
        })?;
        let modified = (device.mtime(), device.mtime_nsec());
        if let Some(known) = self.known.get(name).filter(|known| known.modified == modified) {
            return Ok(Arc::clone(&known.properties));
        }
        let data = match self.known.remove(name) {
            Some(known) => known.data,
            None => self.find_data(name, device.rdev())?,
        };
        let mut properties = read_udev(&data)?;
        match self.read_kernel(name) {
            Ok(more) => properties.extend(more),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let properties = Arc::new(properties);
        let known = Known { modified, data, properties: Arc::clone(&properties) };
        self.known.insert(name.to_owned(), known);
        Ok(properties)
    }

    /// Where udev keeps its data on the device.
    fn find_data(&self, name: &str, device: u64) -> Result<PathBuf, PropertyError> {
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let current = path_in(&self.host, Root::Run, &format!("udev/data/b{major}:{minor}"));
        // Where it was before udev became part of systemd.
        let old = path_in(&self.host, Root::Dev, &format!(".udev/db/block:{name}"));
        if current.exists() {
            return Ok(current);
        }
        match std::fs::metadata(&old) {
            Ok(_) => Ok(old),
            Err(error) => {
                let path = old.display().to_string();
                let reason = format!("stat {path}: {}", ErrorWords(&error));
                Err(PropertyError::Missing { path, reason })
            }
        }
    }

    fn read_kernel(&self, name: &str) -> io::Result<HashMap<String, String>> {
        let folder = format!("class/block/{name}");
        let mut data = Vec::new();
        self.host.read(Root::Sys, format!("{folder}/uevent"), &mut data)?;
        let data = String::from_utf8_lossy(&data);
        let mut properties: HashMap<String, String> = data
            .lines()
            .filter(|line| line.starts_with("DEV"))
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()))
            .collect();
        if let Some(name) = properties.get_mut("DEVNAME").filter(|name| !name.starts_with("/dev")) {
            name.insert_str(0, "/dev/");
        }
        let device = path_in(&self.host, Root::Sys, &format!("{folder}/device"));
        if let Ok(device) = device.canonicalize() {
            let path = device.join(name).to_string_lossy().into_owned();
            let root = self.host.roots().sys.to_string_lossy();
            let path = path.strip_prefix(root.as_ref()).unwrap_or(&path).to_owned();
            properties.insert("DEVPATH".into(), path);
        }
        Ok(properties)
    }
}

fn read_udev(path: &Path) -> io::Result<HashMap<String, String>> {
    let mut data = Vec::new();
    HostFile::new(path.to_owned()).read(&mut data)?;
    let data = String::from_utf8_lossy(&data);
    let mut properties = HashMap::with_capacity(32);
    let mut links = Vec::new();
    for line in data.lines().filter(|line| line.len() >= 4) {
        if let Some(link) = line.strip_prefix("S:") {
            links.push(format!("/dev/{link}"));
        } else if let Some((name, value)) =
            line.strip_prefix("E:").and_then(|line| line.split_once('='))
        {
            properties.insert(name.to_owned(), value.to_owned());
        }
    }
    if !links.is_empty() {
        properties.insert("DEVLINKS".into(), links.join(" "));
    }
    Ok(properties)
}

/// The path of `name` below `root`, even if it begins with a slash.
pub(super) fn path_in(host: &Host, root: Root, name: &str) -> PathBuf {
    host.path(root, name.trim_start_matches('/'))
}
