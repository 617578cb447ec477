//! Which files make up the configuration, and reading them.
//!
//! # References
//! Telegraf's `docs/CONFIGURATION.md`, "Configuration Loading"; `WalkDirectory` and
//! `GetDefaultConfigPath` for the corners.

use std::io;
use std::path::{Path, PathBuf};

use super::environment::Lookup;
use super::errors::{ConfigError, Problem};
use super::remote;

/// Where files are looked for that nobody has named.
const ETC: &str = "/etc/telegraf";

/// What the command line says about configuration files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The values of `--config`, files or URLs, in order.
    pub files: Vec<String>,
    /// The values of `--config-directory`, in order.
    pub directories: Vec<String>,
}

impl Sources {
    /// Lists the files to load in their order: those named, then those in folders; if there are
    /// none, those at the usual places.
    ///
    /// # Errors
    /// If a folder that was named cannot be read, or no file is found at all.
    pub fn find(&self, environment: &Lookup<'_>) -> Result<Vec<String>, ConfigError> {
        let mut files = self.files.clone();
        for directory in &self.directories {
            let found = walk(Path::new(directory))
                .map_err(|source| ConfigError::Directory { path: directory.clone(), source })?;
            files.extend(found);
        }
        if files.is_empty() { usual_files(Path::new(ETC), environment) } else { Ok(files) }
    }
}

fn usual_files(etc: &Path, environment: &Lookup<'_>) -> Result<Vec<String>, ConfigError> {
    let home = format!("{}/.telegraf/telegraf.conf", environment("HOME").unwrap_or_default());
    for path in [environment("TELEGRAF_CONFIG_PATH").unwrap_or_default(), home.clone()] {
        if remote::scheme(&path).is_some() || (!path.is_empty() && Path::new(&path).exists()) {
            return Ok(vec![path]);
        }
    }
    let (file, directory) = (etc.join("telegraf.conf"), etc.join("telegraf.d"));
    let mut files = Vec::new();
    if file.exists() {
        files.push(text(&file));
    }
    if directory.exists() {
        match walk(&directory) {
            Ok(found) => files.extend(found),
            Err(error) => {
                log::warn!(target: "", "unable walk {:?}: {error}", text(&directory));
            }
        }
    }
    if files.is_empty() {
        let variable = "$TELEGRAF_CONFIG_PATH".to_owned();
        let last = format!("or {}/*.conf", text(&directory));
        return Err(ConfigError::NoFile { places: vec![variable, home, text(&file), last] });
    }
    Ok(files)
}

/// The files below a folder whose names end in `.conf`, in the order of names.
fn walk(directory: &Path) -> io::Result<Vec<String>> {
    let mut files = Vec::new();
    walk_into(&sorted(directory)?, &mut files);
    Ok(files)
}

fn walk_into(entries: &[PathBuf], files: &mut Vec<String>) {
    for path in entries {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        // A link is what it is called; what is behind it shows when it is read.
        let is_directory = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
        if !is_directory {
            if name.len() >= 6 && name.ends_with(b".conf") {
                files.push(text(path));
            }
            continue;
        }
        // Kubernetes keeps the versions of a mounted configuration in folders of such names.
        if name.starts_with(b"..") {
            continue;
        }
        match sorted(path) {
            Ok(entries) => walk_into(&entries, files),
            Err(_) => {
                log::warn!(target: "", "metric-agent is not permitted to read {}", path.display());
            }
        }
    }
}

fn sorted(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = std::fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<_>>>()?;
    entries.sort();
    Ok(entries)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Reads a file: the only place where configurations come in from the disk.
///
/// # Errors
/// If it cannot be read, or is the URL of something that nobody fetches.
pub fn read(path: &str) -> Result<Vec<u8>, Problem> {
    if let Some(other) = remote::scheme(path) {
        return Err(Problem::Scheme(other.to_owned()));
    }
    std::fs::read(path).map_err(|source| {
        let action = if source.kind() == io::ErrorKind::IsADirectory { "read" } else { "open" };
        Problem::Read { action, path: path.to_owned(), source }
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn relative(root: &Path, files: &[String]) -> Vec<String> {
        let prefix = format!("{}/", root.display());
        files.iter().map(|file| file.replace(&prefix, "")).collect()
    }

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        root
    }

    #[test]
    fn folders_are_walked_in_the_order_of_names() {
        let root = tree(&[
            "b.conf",
            "a.conf",
            "m/z.conf",
            "m/deep/a.conf",
            ".conf",
            ".hidden.conf",
            "c.CONF",
            "c.conf.bak",
            "..data/x.conf",
            "..conf",
            ".d/y.conf",
        ]);
        std::os::unix::fs::symlink(
            root.path().join("..data/x.conf"),
            root.path().join("link.conf"),
        )
        .unwrap();
        std::os::unix::fs::symlink(root.path().join("m"), root.path().join("n")).unwrap();
        let files = walk(root.path()).unwrap();
        assert_eq!(
            relative(root.path(), &files),
            [
                "..conf",
                ".d/y.conf",
                ".hidden.conf",
                "a.conf",
                "b.conf",
                "link.conf",
                "m/deep/a.conf",
                "m/z.conf"
            ]
        );
    }

    #[test]
    fn named_files_come_before_folders_and_keep_their_order() {
        let root = tree(&["d/a.conf"]);
        let directory = text(&root.path().join("d"));
        let sources =
            Sources { files: vec!["z.conf".into(), "b.conf".into()], directories: vec![directory] };
        let files = sources.find(&|_| None).unwrap();
        assert_eq!(relative(root.path(), &files), ["z.conf", "b.conf", "d/a.conf"]);

        let sources = Sources { directories: vec!["/nowhere/at/all".into()], ..Sources::default() };
        assert_eq!(
            sources.find(&|_| None).unwrap_err().to_string(),
            "reading config directory failed: open /nowhere/at/all: no such file or directory"
        );
    }

    #[test]
    fn without_a_named_file_the_usual_places_are_tried_in_turn() {
        let root = tree(&[
            "env.conf",
            "home/.telegraf/telegraf.conf",
            "etc/telegraf.conf",
            "etc/telegraf.d/b.conf",
            "etc/telegraf.d/a.conf",
            "only/telegraf.d/a.conf",
        ]);
        let at = |path: &str| text(&root.path().join(path));
        let find = |etc: &str, variables: &[(&str, &str)]| {
            let lookup = |name: &str| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, value)| match *value {
                    url if url.contains("://") => url.to_owned(),
                    path => at(path),
                })
            };
            usual_files(&root.path().join(etc), &lookup)
                .map(|files| relative(root.path(), &files))
                .map_err(|error| error.to_string())
        };
        let env = ("TELEGRAF_CONFIG_PATH", "env.conf");
        let home = ("HOME", "home");
        assert_eq!(find("etc", &[env, home]).unwrap(), ["env.conf"]);
        let url = ("TELEGRAF_CONFIG_PATH", "http://host/x");
        assert_eq!(find("etc", &[url, home]).unwrap(), ["http://host/x"]);
        let gone = ("TELEGRAF_CONFIG_PATH", "gone.conf");
        assert_eq!(find("etc", &[gone, home]).unwrap(), ["home/.telegraf/telegraf.conf"]);
        assert_eq!(
            find("etc", &[]).unwrap(),
            ["etc/telegraf.conf", "etc/telegraf.d/a.conf", "etc/telegraf.d/b.conf"]
        );
        assert_eq!(find("only", &[]).unwrap(), ["only/telegraf.d/a.conf"]);
        assert_eq!(
            find("none", &[("HOME", "nobody")]).unwrap_err(),
            format!(
                "unable to load default config paths: no config file specified, and could not find \
                 one in $TELEGRAF_CONFIG_PATH, {}/.telegraf/telegraf.conf, {}/telegraf.conf, or \
                 {}/telegraf.d/*.conf",
                at("nobody"),
                at("none"),
                at("none")
            )
        );
    }

    #[test]
    fn what_is_no_readable_file_is_said_in_telegrafs_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = text(folder.path());
        for (path, message) in [
            (path.as_str(), format!("read {path}: is a directory")),
            ("/nowhere/a.conf", "open /nowhere/a.conf: no such file or directory".into()),
            ("ftp://host/a", "scheme \"ftp\" not supported".into()),
        ] {
            assert_eq!(read(path).unwrap_err().to_string(), message);
        }
    }
}
