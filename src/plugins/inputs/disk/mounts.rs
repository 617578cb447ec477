//! The list of mounts, in its two forms.
//!
//! # References
//! proc(5), "/proc/pid/mountinfo" and "/proc/pid/mounts".

use std::borrow::Cow;
use std::collections::HashMap;

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// The device's number, such as `8:1`; empty where the list does not tell.
    pub(super) device_id: String,
    /// The device as the list names it, or what stands in its place.
    pub(super) device: String,
    /// Where it is mounted, escapes resolved.
    pub(super) mount_point: Vec<u8>,
    /// The type of the file system.
    pub(super) fs_type: String,
    /// How it is mounted, the mark `bind` included.
    pub(super) options: Vec<String>,
}

/// A line of `mountinfo` with too few words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found invalid mountinfo line in file {file} (bad {part} len): {line} ")]
pub(super) struct ParseError {
    file: String,
    part: &'static str,
    line: String,
}

/// Parses `mountinfo`; `file` is its name for errors.
///
/// # Errors
/// The first line that lacks something.
pub(super) fn parse_mountinfo(text: &[u8], file: &str) -> Result<Vec<Mount>, ParseError> {
    // The device that a number was first seen with: a folder of it that is mounted a second time
    // goes by the same name.
    let mut devices: HashMap<&[u8], &[u8]> = HashMap::new();
    let mut mounts = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let error = |part| ParseError { file: file.to_owned(), part, line: to_text(line) };
        let middle = memchr::memmem::find(line, b" - ").ok_or_else(|| error("parts"))?;
        let mut mount = words(&line[..middle]).skip(2);
        let (Some(device_id), Some(root), Some(mount_point)) =
            (mount.next(), mount.next(), mount.next())
        else {
            return Err(error("fields(1)"));
        };
        let mount_options = mount.next().map(split_options).unwrap_or_default();
        let mut file_system = words(&line[middle + 3..]);
        let (Some(fs_type), Some(source)) = (file_system.next(), file_system.next()) else {
            return Err(error("fields(2)"));
        };
        let super_options = file_system.next().map(split_options).unwrap_or_default();

        // What has no device names its root there, such as the name space of a network.
        let device = if source.starts_with(b"/") || root == b"/" { source } else { root };
        let device = *devices.entry(device_id).or_insert(device);
        let subvolume = super_options.iter().find_map(|option| option.strip_prefix("subvol="));
        let is_subvolume = subvolume.is_some_and(|subvolume| subvolume.as_bytes() == root);
        let mut options = effective_options(mount_options, &super_options);
        if source.starts_with(b"/") && root != b"/" && !is_subvolume {
            options.push("bind".into());
        }
        mounts.push(Mount {
            device_id: to_text(device_id),
            device: to_text(device),
            mount_point: unescape(mount_point).into_owned(),
            fs_type: to_text(fs_type),
            options,
        });
    }
    Ok(mounts)
}

/// Parses `mounts`, which tells less; lines with too few words are passed over.
pub(super) fn parse_mounts(text: &[u8]) -> Vec<Mount> {
    let parse_line = |line| {
        let mut words = words(line);
        Some(Mount {
            device_id: String::new(),
            device: to_text(words.next()?),
            mount_point: unescape(words.next()?).into_owned(),
            fs_type: to_text(words.next()?),
            options: split_options(words.next()?),
        })
    };
    text.split(|byte| *byte == b'\n').filter_map(parse_line).collect()
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn to_text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

fn split_options(options: &[u8]) -> Vec<String> {
    options.split(|byte| *byte == b',').map(to_text).collect()
}

/// The options of a mount, where reading and writing is what mount and file system allow together.
fn effective_options(mut mount: Vec<String>, file_system: &[String]) -> Vec<String> {
    let has = |options: &[String], mode: &str| options.iter().any(|option| option == mode);
    let mode = if has(&mount, "ro") || has(file_system, "ro") {
        "ro"
    } else if has(&mount, "rw") && has(file_system, "rw") {
        "rw"
    } else {
        return mount;
    };
    // It stands where it stood, or first.
    let is_mode = |option: &String| option == "ro" || option == "rw";
    let at = mount.iter().position(is_mode).unwrap_or(0);
    mount.retain(|option| !is_mode(option));
    mount.insert(at, mode.to_owned());
    mount
}

/// Resolves the octal numbers that the kernel writes for blanks, backslashes and the like.
fn unescape(path: &[u8]) -> Cow<'_, [u8]> {
    if !path.contains(&b'\\') {
        return Cow::Borrowed(path);
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = |digit: &u8| digit.is_ascii_digit() && *digit < b'8';
        match after {
            [high @ b'0'..=b'3', middle, low, after @ ..]
                if byte == b'\\' && octal(middle) && octal(low) =>
            {
                let digits = [high, middle, low].map(|digit| digit - b'0');
                bytes.push(digits[0] << 6 | digits[1] << 3 | digits[2]);
                rest = after;
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    Cow::Owned(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Vec<(String, String, String)> {
        let mounts = parse_mountinfo(text.as_bytes(), "mountinfo").unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        mounts
            .into_iter()
            .map(|mount| (mount.device, text(mount.mount_point), mount.options.join(",")))
            .collect()
    }

    #[test]
    fn devices_mount_points_and_options_are_read() {
        for (line, device, mount_point, options) in [
            (
                "36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/sda1 rw,errors=continue",
                "/dev/sda1",
                "/mnt",
                "rw,noatime",
            ),
            ("36 35 98:0 / /mnt noatime,rw - ext3 /dev/sda1 ro", "/dev/sda1", "/mnt", "noatime,ro"),
            ("36 35 98:0 / /mnt ro - ext3 /dev/sda1", "/dev/sda1", "/mnt", "ro"),
            ("36 35 98:0 / /mnt rw - ext3 /dev/sda1", "/dev/sda1", "/mnt", "rw"),
            ("36 35 98:0 / /mnt - ext3 /dev/sda1 ro", "/dev/sda1", "/mnt", "ro"),
            ("36 35 98:0 /srv /mnt rw - ext3 /dev/sda1 rw", "/dev/sda1", "/mnt", "rw,bind"),
            (
                "36 35 0:9 /@home /home rw - btrfs /dev/sdb rw,subvol=/@home",
                "/dev/sdb",
                "/home",
                "rw",
            ),
            (
                "36 35 0:9 /@home/a /a rw - btrfs /dev/sdb rw,subvol=/@home",
                "/dev/sdb",
                "/a",
                "rw,bind",
            ),
            ("36 35 0:4 net:[42] /run/netns/x rw - nsfs nsfs rw", "net:[42]", "/run/netns/x", "rw"),
            ("36 35 0:5 / /tmp rw - tmpfs tmpfs rw", "tmpfs", "/tmp", "rw"),
            ("36 35 0:5 / /a\\040b\\134c rw - tmpfs none rw", "none", "/a b\\c", "rw"),
        ] {
            let expected = [(device.to_owned(), mount_point.to_owned(), options.to_owned())];
            assert_eq!(parse(line), expected, "{line}");
        }
        assert_eq!(parse(""), []);
    }

    #[test]
    fn a_device_keeps_the_name_it_was_first_seen_with() {
        let text = "1 1 8:1 / / rw - ext4 /dev/root rw\n2 1 8:1 /x /y rw - ext4 /dev/sda1 rw\n";
        let devices: Vec<_> = parse(text).into_iter().map(|mount| mount.0).collect();
        assert_eq!(devices, ["/dev/root", "/dev/root"]);
    }

    #[test]
    fn a_line_that_lacks_something_is_shown() {
        for (line, part) in [
            ("36 35 98:0 / /mnt rw", "parts"),
            ("36 35 98:0 / - ext3 /dev/sda1 rw", "fields(1)"),
            ("36 35 98:0 / /mnt rw - ext3", "fields(2)"),
        ] {
            let error = parse_mountinfo(format!("{line}\n").as_bytes(), "m").unwrap_err();
            let expected =
                format!("found invalid mountinfo line in file m (bad {part} len): {line} ");
            assert_eq!(error.to_string(), expected);
        }
        assert!(parse_mountinfo(b"\n", "m").is_err());
    }

    #[test]
    fn the_older_list_tells_less() {
        let mounts = parse_mounts(b"/dev/sda1 /a\\040b ext4 rw,noatime 0 0\nodd line\n");
        let options = vec!["rw".to_owned(), "noatime".to_owned()];
        let mount = Mount {
            device_id: String::new(),
            device: "/dev/sda1".into(),
            mount_point: b"/a b".to_vec(),
            fs_type: "ext4".into(),
            options,
        };
        assert_eq!(mounts, [mount]);
    }

    #[test]
    fn only_what_the_kernel_escapes_is_resolved() {
        for (path, expected) in [
            (r"/plain", "/plain"),
            (r"\011\012\040\043\134", "\t\n #\\"),
            (r"/a\\040", "/a\\ "),
            (r"/\400\08\0", r"/\400\08\0"),
            (r#"/"\040"#, "/\" "),
        ] {
            assert_eq!(unescape(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            text in "([0-9]{1,2} 1 8:1 /x? /\\\\[0-9]{0,3} (rw|ro)?( - )?(ext4 )?[a-z/]{0,3} ?\n?){0,4}",
        ) {
            for text in [&bytes, text.as_bytes()] {
                let _ = parse_mountinfo(text, "m");
                parse_mounts(text);
            }
        }
    }
}
