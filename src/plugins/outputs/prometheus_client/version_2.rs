//! Series as the serializer of the same format makes them: metrics that came from Prometheus look
//! again as they did there.

use std::borrow::Cow;
use std::time::Duration;

use super::Samples;
use super::listing::{ListedSeries, Listing};
use crate::metric::Metric;
use crate::plugin::exposition::{Collection, Conversion, HELP};

/// What is known by the rules of version 2.
pub(super) struct Version2 {
    conversion: Conversion,
    collection: Collection,
}

impl Version2 {
    /// Knows nothing yet.
    pub(super) fn new(conversion: Conversion) -> Version2 {
        Version2 { conversion, collection: Collection::default() }
    }
}

impl Samples for Version2 {
    fn add(&mut self, batch: &[Metric], now: Duration) {
        for metric in batch {
            self.conversion.add(metric, now, &mut self.collection);
        }
    }

    fn forget_before(&mut self, oldest: Duration) {
        self.collection.forget_before(oldest);
    }

    fn list<'s>(&'s self, listing: &mut Listing<'s>) {
        for family in &self.collection.families {
            let series = family.series.iter().map(|series| ListedSeries {
                labels: Cow::Borrowed(&series.labels),
                time: series.time,
                measured: Cow::Borrowed(&series.measured),
            });
            listing.add(&family.name, family.value_type, HELP, series);
        }
    }
}
