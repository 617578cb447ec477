//! Times that people and machines read: RFC 3339 in UTC, to the millisecond.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metric::Timestamp;

/// A time that is written as `2026-01-31T12:00:00.250Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct UtcTime(Timestamp);

impl UtcTime {
    /// Seconds since 1970.
    pub fn seconds(self) -> f64 {
        self.0.millis() as f64 / 1000.0
    }
}

impl From<Timestamp> for UtcTime {
    fn from(time: Timestamp) -> UtcTime {
        UtcTime(Timestamp::from_millis(time.millis()))
    }
}

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = jiff::Timestamp::from_millisecond(self.0.millis()).unwrap_or_default();
        write!(f, "{time:.3}")
    }
}

impl From<UtcTime> for String {
    fn from(time: UtcTime) -> String {
        time.to_string()
    }
}

impl TryFrom<String> for UtcTime {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<UtcTime, jiff::Error> {
        let time: jiff::Timestamp = text.parse()?;
        Ok(UtcTime(Timestamp::from_millis(time.as_millisecond())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_and_read_as_json() {
        let time = UtcTime::from(Timestamp::from_nanos(1_136_214_245_250_999_999));
        assert_eq!(serde_json::to_string(&time).unwrap(), "\"2006-01-02T15:04:05.250Z\"");
        assert_eq!(serde_json::from_str::<UtcTime>("\"2006-01-02T15:04:05.25Z\"").unwrap(), time);
        assert!(serde_json::from_str::<UtcTime>("\"soon\"").is_err());
        assert_eq!(time.seconds(), 1_136_214_245.25);
    }
}
