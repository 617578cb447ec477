//! The numbers of states.
//!
//! # References
//! Telegraf's `inputs.systemd_units`, which numbers the tables of systemd's `unit-def.c`.

const LOAD: [(&str, i64); 7] = [
    ("loaded", 0),
    ("stub", 1),
    ("not-found", 2),
    ("bad-setting", 3),
    ("error", 4),
    ("merged", 5),
    ("masked", 6),
];

const ACTIVE: [(&str, i64); 6] = [
    ("active", 0),
    ("reloading", 1),
    ("inactive", 2),
    ("failed", 3),
    ("activating", 4),
    ("deactivating", 5),
];

const SUB: [(&str, i64); 50] = [
    ("running", 0x00),
    ("dead", 0x01),
    ("start-pre", 0x02),
    ("start", 0x03),
    ("exited", 0x04),
    ("reload", 0x05),
    ("stop", 0x06),
    ("stop-watchdog", 0x07),
    ("stop-sigterm", 0x08),
    ("stop-sigkill", 0x09),
    ("stop-post", 0x0a),
    ("final-sigterm", 0x0b),
    ("failed", 0x0c),
    ("auto-restart", 0x0d),
    ("condition", 0x0e),
    ("cleaning", 0x0f),
    ("waiting", 0x10),
    ("reload-signal", 0x11),
    ("reload-notify", 0x12),
    ("final-watchdog", 0x13),
    ("dead-before-auto-restart", 0x14),
    ("failed-before-auto-restart", 0x15),
    ("dead-resources-pinned", 0x16),
    ("auto-restart-queued", 0x17),
    ("tentative", 0x20),
    ("plugged", 0x21),
    ("mounting", 0x30),
    ("mounting-done", 0x31),
    ("mounted", 0x32),
    ("remounting", 0x33),
    ("unmounting", 0x34),
    ("remounting-sigterm", 0x35),
    ("remounting-sigkill", 0x36),
    ("unmounting-sigterm", 0x37),
    ("unmounting-sigkill", 0x38),
    ("abandoned", 0x50),
    ("active", 0x60),
    ("start-chown", 0x70),
    ("start-post", 0x71),
    ("listening", 0x72),
    ("stop-pre", 0x73),
    ("stop-pre-sigterm", 0x74),
    ("stop-pre-sigkill", 0x75),
    ("final-sigkill", 0x76),
    ("activating", 0x80),
    ("activating-done", 0x81),
    ("deactivating", 0x82),
    ("deactivating-sigterm", 0x83),
    ("deactivating-sigkill", 0x84),
    ("elapsed", 0xa0),
];

/// A state that has no number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parsing field '{field}' failed, value not in map: {value}")]
pub struct UnknownState {
    /// Which of the states.
    pub field: &'static str,
    /// What it is.
    pub value: String,
}

fn find(table: &[(&str, i64)], field: &'static str, value: &str) -> Result<i64, UnknownState> {
    let found = table.iter().find(|(name, _)| *name == value);
    found.map(|(_, code)| *code).ok_or_else(|| UnknownState { field, value: value.to_owned() })
}

/// The number of a load state.
pub(super) fn load(state: &str) -> Result<i64, UnknownState> {
    find(&LOAD, "load", state)
}

/// The number of an active state.
pub(super) fn active(state: &str) -> Result<i64, UnknownState> {
    find(&ACTIVE, "active", state)
}

/// The number of a sub state.
pub(super) fn sub(state: &str) -> Result<i64, UnknownState> {
    find(&SUB, "sub", state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_have_the_numbers_of_telegraf() {
        assert_eq!((load("masked"), active("failed"), sub("listening")), (Ok(6), Ok(3), Ok(0x72)));
        assert_eq!(sub("elapsed"), Ok(0xa0));
        assert_eq!(
            sub("odd").unwrap_err().to_string(),
            "parsing field 'sub' failed, value not in map: odd"
        );
    }
}
