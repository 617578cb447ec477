//! What the lines of a text come to: families of series that share a name.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::metric::ValueType;

/// Names and values; the names are distinct.
pub(super) type Labels<'t> = Vec<(&'t str, Cow<'t, str>)>;

/// The series of one name.
pub(super) struct Family<'t> {
    pub(super) name: &'t str,
    /// Known once it has been told, or the first sample has come.
    pub(super) kind: Option<Kind>,
    pub(super) has_help: bool,
    pub(super) series: Vec<Series<'t>>,
    /// The places of the series of a distribution, by their labels in order.
    places: HashMap<Labels<'t>, usize>,
}

/// The types that the format has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Untyped,
    Summary,
    Histogram,
    GaugeHistogram,
}

/// What was measured under one set of labels.
pub(super) struct Series<'t> {
    pub(super) labels: Labels<'t>,
    pub(super) time_ms: Option<i64>,
    pub(super) measured: Measured,
}

pub(super) enum Measured {
    Single(f64),
    Distribution(Distribution),
}

/// A histogram or summary.
#[derive(Default)]
pub(super) struct Distribution {
    pub(super) count: f64,
    pub(super) sum: f64,
    /// Upper bounds or quantiles, and the value of each.
    pub(super) points: Vec<(f64, f64)>,
}

impl Kind {
    /// Finds a type by its name, in whatever case.
    pub(super) fn named(name: &str) -> Option<Kind> {
        const NAMES: [(&str, Kind); 7] = [
            ("counter", Kind::Counter),
            ("gauge", Kind::Gauge),
            ("untyped", Kind::Untyped),
            ("summary", Kind::Summary),
            ("histogram", Kind::Histogram),
            ("gauge_histogram", Kind::GaugeHistogram),
            ("gaugehistogram", Kind::GaugeHistogram),
        ];
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, kind)| *kind)
    }

    /// The label that tells the points of a distribution apart.
    pub(super) fn point_label(self) -> Option<&'static str> {
        match self {
            Kind::Summary => Some("quantile"),
            Kind::Histogram | Kind::GaugeHistogram => Some("le"),
            Kind::Counter | Kind::Gauge | Kind::Untyped => None,
        }
    }
}

impl<'t> Family<'t> {
    pub(super) fn new(name: &'t str) -> Family<'t> {
        Family { name, kind: None, has_help: false, series: Vec::new(), places: HashMap::new() }
    }

    pub(super) fn value_type(&self) -> ValueType {
        match self.kind {
            Some(Kind::Counter) => ValueType::Counter,
            Some(Kind::Gauge) => ValueType::Gauge,
            Some(Kind::Summary) => ValueType::Summary,
            Some(Kind::Histogram) => ValueType::Histogram,
            Some(Kind::Untyped | Kind::GaugeHistogram) | None => ValueType::Untyped,
        }
    }

    pub(super) fn is_gauge_histogram(&self) -> bool {
        self.kind == Some(Kind::GaugeHistogram)
    }

    /// Adds a series with a single value.
    pub(super) fn add_single(&mut self, labels: Labels<'t>, value: f64) -> &mut Series<'t> {
        self.add(labels, Measured::Single(value)).0
    }

    /// The series of a distribution with these labels, made if it is not there.
    pub(super) fn distribution(&mut self, labels: Labels<'t>) -> (&mut Series<'t>, usize) {
        // The lines of a distribution mostly stand together.
        let last = self.series.len().checked_sub(1);
        if let Some(last) = last.filter(|last| self.series[*last].labels == labels) {
            return (&mut self.series[last], last);
        }
        let mut sorted = labels.clone();
        sorted.sort_unstable();
        if let Some(place) = self.places.get(&sorted).copied() {
            return (&mut self.series[place], place);
        }
        self.places.insert(sorted, self.series.len());
        self.add(labels, Measured::Distribution(Distribution::default()))
    }

    /// Adds a series as it is, beside others of the same labels.
    pub(super) fn push(&mut self, labels: Labels<'t>, measured: Measured) -> &mut Series<'t> {
        self.add(labels, measured).0
    }

    fn add(&mut self, labels: Labels<'t>, measured: Measured) -> (&mut Series<'t>, usize) {
        let place = self.series.len();
        self.series.push(Series { labels, time_ms: None, measured });
        (&mut self.series[place], place)
    }
}
