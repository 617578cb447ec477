//! Names of users by their numbers.

use std::collections::HashMap;
use std::time::SystemTime;

use super::command::output;

const PASSWD: &str = "/etc/passwd";

/// Names of users by their numbers, as far as they were asked for.
#[derive(Debug, Default)]
pub(super) struct Users {
    /// When the file was last changed.
    changed: Option<SystemTime>,
    local: HashMap<u32, String>,
    /// Users that the file does not know, such as those of LDAP.
    remote: HashMap<u32, String>,
}

impl Users {
    /// Reads the file again if it has changed.
    pub(super) fn refresh(&mut self) {
        let changed = std::fs::metadata(PASSWD).and_then(|state| state.modified()).ok();
        if changed.is_none() || changed != self.changed {
            self.changed = changed;
            self.remote.clear();
            self.local = parse(&std::fs::read_to_string(PASSWD).unwrap_or_default());
        }
    }

    /// The name of a user; the number where nobody knows a name.
    pub(super) fn name(&mut self, uid: u32) -> &str {
        if let Some(name) = self.local.get(&uid) {
            return name;
        }
        self.remote.entry(uid).or_insert_with(|| {
            let number = uid.to_string();
            let name = output("id", &["-nu", &number], 0).unwrap_or_default();
            match name.trim() {
                "" => number,
                name => name.to_owned(),
            }
        })
    }
}

fn parse(text: &str) -> HashMap<u32, String> {
    let mut users = HashMap::new();
    for line in text.lines() {
        let mut fields = line.split(':');
        if let (Some(name), Some(uid)) = (fields.next(), fields.nth(1))
            && let Ok(uid) = uid.parse()
        {
            // The first line of a number counts.
            users.entry(uid).or_insert_with(|| name.to_owned());
        }
    }
    users
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_number_counts() {
        let users = parse("root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:\n# x\nbad:x:y:\na:x:7:7\n");
        assert_eq!(users.len(), 2);
        assert_eq!((users[&0].as_str(), users[&7].as_str()), ("root", "a"));
    }

    #[test]
    fn a_number_without_a_name_is_its_own() {
        let mut users = Users::default();
        users.refresh();
        assert_eq!(users.name(0), "root");
        assert_eq!(users.name(4_000_000_123), "4000000123");
    }
}
