//! The processes that a newer filter selects, and their children.

use std::collections::HashMap;
use std::io;

use super::config::{Filter, Service};
use super::finder::{FindError, Finder};
use super::group::Group;
use super::process::Reader;
use crate::system::Root;

impl Filter {
    /// The processes that it selects, a group for each service and generation.
    ///
    /// # Errors
    /// If the services cannot be asked.
    pub(super) fn apply(&self, finder: &mut Finder<'_>) -> Result<Vec<Group>, FindError> {
        let mut reader = Reader::new(finder.host);
        let failed =
            |source: io::Error| FindError::Read { path: finder.host.path(Root::Proc, ""), source };
        let mut groups = match &self.service {
            Service::PidFiles(paths) => finder.by_pid_files(paths)?,
            Service::Cgroups(patterns) => finder.by_cgroups(patterns)?,
            Service::SystemdUnits(patterns) => finder.by_systemd(patterns)?,
            Service::SupervisorUnits(units) => finder.by_supervisor(units)?,
            Service::Windows => Vec::new(),
            Service::Any => vec![Group::new(reader.pids().map_err(failed)?, Vec::new())],
        };
        for group in &mut groups {
            group.pids.retain(|pid| self.selects(*pid, finder, &mut reader));
        }
        if self.recursion_depth != 0 {
            let children = reader.children().map_err(failed)?;
            self.add_children(&mut groups, &children);
        }
        Ok(groups)
    }

    fn selects(&self, pid: i32, finder: &mut Finder<'_>, reader: &mut Reader<'_>) -> bool {
        if let Some(users) = &self.users {
            let uid = reader.status(pid).and_then(|status| status.uid);
            if !uid.is_some_and(|uid| users.match_any(finder.users.name(uid))) {
                return false;
            }
        }
        if let Some(executables) = &self.executables
            && !reader.executable(pid).is_some_and(|path| executables.match_any(&path))
        {
            return false;
        }
        if let Some(names) = &self.process_names
            && !reader.name(pid).is_some_and(|name| names.match_any(&name))
        {
            return false;
        }
        self.patterns.is_empty()
            || reader
                .command_line(pid)
                .is_some_and(|line| self.patterns.iter().any(|pattern| pattern.is_match(&line)))
    }

    fn add_children(&self, groups: &mut Vec<Group>, children: &HashMap<i32, Vec<i32>>) {
        let mut previous = groups.clone();
        let mut level = 0;
        while !previous.is_empty() && (self.recursion_depth < 0 || level < self.recursion_depth) {
            level += 1;
            let mut next = Vec::new();
            for group in &previous {
                for pid in &group.pids {
                    let Some(pids) = children.get(pid) else { continue };
                    let mut tags = group.tags.clone();
                    tags.retain(|(key, _)| *key != "parent_pid");
                    tags.push(("parent_pid", pid.to_string()));
                    next.push(Group { pids: pids.clone(), tags, level });
                }
            }
            groups.extend_from_slice(&next);
            previous = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::FilterConfig;
    use super::*;

    fn generations(depth: i64) -> Vec<(Vec<i32>, i64, Option<String>)> {
        let config =
            FilterConfig { name: "x".into(), recursion_depth: depth, ..FilterConfig::default() };
        let filter = Filter::new(&config).unwrap();
        let children = HashMap::from([(1, vec![2, 3]), (2, vec![4]), (4, vec![5])]);
        let mut groups = vec![Group::new(vec![1], Vec::new())];
        filter.add_children(&mut groups, &children);
        let parent = |group: &Group| group.tags.first().map(|(_, value)| value.clone());
        groups.iter().map(|group| (group.pids.clone(), group.level, parent(group))).collect()
    }

    #[test]
    fn children_are_taken_down_to_the_depth() {
        let all = [
            (vec![1], 0, None),
            (vec![2, 3], 1, Some("1".to_owned())),
            (vec![4], 2, Some("2".to_owned())),
            (vec![5], 3, Some("4".to_owned())),
        ];
        assert_eq!(generations(0), all[..1]);
        assert_eq!(generations(1), all[..2]);
        assert_eq!(generations(2), all[..3]);
        assert_eq!(generations(-1), all);
    }
}
