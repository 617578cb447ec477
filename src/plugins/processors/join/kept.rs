//! What waits of metrics that cannot be read again, as the state file keeps it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::group::Kept;
use super::result::Side;
use crate::metric::Metric;
use crate::plugin::PluginError;

/// A group as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct KeptGroup {
    pub(super) time: Option<i64>,
    pub(super) closed_to: Option<i64>,
    pub(super) brings: [bool; 2],
    pub(super) metrics: Vec<KeptMetric>,
}

/// A metric as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KeptMetric {
    is_left: bool,
    is_matched: bool,
    key: String,
    /// Its bytes in base64.
    metric: String,
}

impl KeptMetric {
    pub(super) fn new(side: Side, key: &str, kept: &Kept) -> KeptMetric {
        let mut bytes = Vec::new();
        kept.metric.encode(&mut bytes);
        KeptMetric {
            is_left: side == Side::Left,
            is_matched: kept.is_matched,
            key: key.to_owned(),
            metric: STANDARD.encode(bytes),
        }
    }

    /// The metric with its side and key, of the source at a place.
    ///
    /// # Errors
    /// If it is none.
    pub(super) fn restored(
        self,
        source: usize,
    ) -> Result<(Side, CompactString, Kept), PluginError> {
        let metric = Metric::decode(&STANDARD.decode(self.metric)?)?;
        let side = if self.is_left { Side::Left } else { Side::Right };
        Ok((side, self.key.into(), Kept { metric, is_matched: self.is_matched, source }))
    }
}
