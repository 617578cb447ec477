//! The windows of metrics that cannot be read again, as the state file keeps them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::spans::Shape;
use super::stream::{Stream, Totals, Window};
use super::summary::Summary;
use crate::metric::{Metric, Tag, Timestamp};
use crate::plugin::series::{FieldMap, SeriesMap};

/// A stream as it is kept.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct KeptStream {
    time: Option<i64>,
    closed_to: Option<i64>,
    windows: Vec<KeptWindow>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptWindow {
    start: i64,
    series: Vec<KeptSeries>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptSeries {
    name: String,
    tags: Vec<(String, String)>,
    metrics: u64,
    fields: Vec<(String, [u64; 10])>,
}

impl KeptStream {
    pub(super) fn of(stream: &Stream) -> KeptStream {
        let windows = stream.windows.iter().map(KeptWindow::of).collect();
        KeptStream { time: stream.time, closed_to: stream.closed_to, windows }
    }

    /// Gives a stream back what was kept of it.
    pub(super) fn restore(self, shape: Shape, stream: &mut Stream) {
        let KeptStream { time, closed_to, mut windows } = self;
        windows.sort_by_key(|window| window.start);
        stream.time = time;
        stream.closed_to = closed_to;
        stream.windows = windows
            .into_iter()
            .filter_map(|window| window.restored(shape))
            .collect::<VecDeque<_>>();
    }
}

impl KeptWindow {
    fn of(window: &Window) -> KeptWindow {
        let series = window.series.iter().map(|series| KeptSeries {
            name: series.name.to_string(),
            tags: {
                let tags = series.tags.iter();
                tags.map(|tag| (tag.key.to_string(), tag.value.to_string())).collect()
            },
            metrics: series.value.metrics,
            fields: {
                let fields = series.value.fields.iter();
                fields.map(|(key, summary)| (key.to_string(), summary.to_bits())).collect()
            },
        });
        KeptWindow { start: window.start, series: series.collect() }
    }

    fn restored(self, shape: Shape) -> Option<Window> {
        let end = self.start.checked_add(shape.period)?;
        let mut series = SeriesMap::<Totals>::default();
        for kept in self.series {
            let tags = kept.tags.into_iter();
            let tags = tags.map(|(key, value)| Tag { key: key.into(), value: value.into() });
            let key = Metric::from_lists(kept.name, Timestamp::EPOCH, tags.collect(), Vec::new());
            let totals = series.get_or_insert_with(&key, Totals::default);
            totals.metrics = kept.metrics;
            totals.fields = FieldMap::default();
            for (key, bits) in kept.fields {
                totals.fields.set(&key.into(), Summary::from_bits(bits));
            }
        }
        Some(Window { start: self.start, end, series, completion: None })
    }
}
