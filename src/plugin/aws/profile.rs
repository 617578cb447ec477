//! Files in which people keep what they prove with who they are.
//!
//! # References
//! "Configuration and credential file settings in the AWS CLI" of Amazon's documentation.

use std::collections::BTreeMap;

/// Sections by name, and in them values by key in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Profiles(BTreeMap<String, Profile>);

/// The values of one section.
pub(super) type Profile = BTreeMap<String, String>;

/// How a file writes the name of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// `[name]`, as the file with credentials does it.
    Bare,
    /// `[profile name]`, but for `[default]`, as the other one does it.
    Prefixed,
}

impl Profiles {
    /// Adds what a file says; its values count more than those that are there.
    pub(super) fn add(&mut self, text: &str, naming: Naming) {
        let mut section = None;
        for line in text.lines() {
            // What is indented belongs to a value of several lines, of which none is needed here.
            if line.starts_with([' ', '\t', '#', ';']) || line.trim().is_empty() {
                continue;
            }
            let line = without_comment(line);
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                section = section_key(name.trim(), naming);
                if let Some(name) = &section {
                    self.0.entry(name.clone()).or_default();
                }
                continue;
            }
            if let Some(profile) = section.as_ref().and_then(|name| self.0.get_mut(name))
                && let Some((key, value)) = line.split_once('=')
            {
                profile.insert(key.trim().to_lowercase(), value.trim().to_owned());
            }
        }
    }

    /// The session of a name for signing on, of a file that writes profiles with a prefix.
    pub(super) fn session(&self, name: &str) -> Option<&Profile> {
        self.0.get(&session_key(name))
    }

    /// The profile of a name.
    pub(super) fn get(&self, name: &str) -> Option<&Profile> {
        self.0.get(name)
    }
}

/// Under what a section is kept.
fn section_key(section: &str, naming: Naming) -> Option<String> {
    match section.strip_prefix("sso-session").filter(|rest| rest.starts_with([' ', '\t'])) {
        Some(name) => (naming == Naming::Prefixed).then(|| session_key(name.trim())),
        None => profile_name(section, naming).map(str::to_owned),
    }
}

/// The key of a session, which no profile can have: names do not end with a blank.
fn session_key(name: &str) -> String {
    format!("{name} ")
}

fn profile_name(section: &str, naming: Naming) -> Option<&str> {
    let prefixed = section.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t']));
    match (naming, prefixed) {
        (Naming::Prefixed, Some(name)) => Some(name.trim()),
        (Naming::Prefixed, None) => (section == "default").then_some(section),
        // Such a section is for the other file.
        (Naming::Bare, Some(_)) => None,
        (Naming::Bare, None) => Some(section),
    }
}

/// The line up to a comment, which begins after a blank.
fn without_comment(line: &str) -> &str {
    let comment = [" #", " ;", "\t#", "\t;"].iter().filter_map(|mark| line.find(mark)).min();
    line[..comment.unwrap_or(line.len())].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_profile_and_the_later_file_counts_more() {
        let mut profiles = Profiles::default();
        let config = "# all\n[default]\nregion = eu-west-1 ; here\naws_access_key_id = old\n\
                      [profile  a b]\ns3 =\n  region = nested\nROLE_ARN=arn:x\n[other]\nregion = x\n";
        profiles.add(config, Naming::Prefixed);
        let credentials =
            "lost = 1\n[default]\naws_access_key_id=new=\n[profile c]\nx = y\n[d]\nx = y";
        profiles.add(credentials, Naming::Bare);
        let value = |profile: &str, key: &str| {
            profiles.get(profile).and_then(|profile| profile.get(key)).map(String::as_str)
        };
        assert_eq!(value("default", "region"), Some("eu-west-1"));
        assert_eq!(value("default", "aws_access_key_id"), Some("new="));
        assert_eq!(value("a b", "role_arn"), Some("arn:x"));
        assert_eq!((value("a b", "region"), value("d", "x")), (None, Some("y")));
        assert!(profiles.get("other").is_none() && profiles.get("c").is_none());
    }
}
