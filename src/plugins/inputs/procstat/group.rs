//! Processes that were found together.

/// Processes that were found together, and what is known of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Group {
    /// Their numbers.
    pub pids: Vec<i32>,
    /// Tags for all of them.
    pub tags: Vec<(&'static str, String)>,
    /// How many generations they are away from what the filter matched.
    pub level: i64,
}

impl Group {
    pub(super) fn new(pids: Vec<i32>, tags: Vec<(&'static str, String)>) -> Group {
        Group { pids, tags, level: 0 }
    }
}
