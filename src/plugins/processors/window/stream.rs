//! The windows of one stream: of one origin, or of all metrics that have none.

use std::collections::VecDeque;
use std::sync::Arc;

use compact_str::CompactString;

use super::spans::Shape;
use super::summary::{Function, Summary};
use crate::metric::{Accompany, Companion, Field, Metric, Timestamp};
use crate::plugin::Patterns;
use crate::plugin::event_time::{Completion, Known, Ledger, Moment};
use crate::plugin::series::{FieldMap, Series, SeriesMap};

/// What is counted, and what results look like.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) shape: Shape,
    /// For how long after their end windows are open, in nanoseconds.
    pub(super) grace: i64,
    /// The tags that make the key; all if there are none.
    pub(super) keys: Option<Patterns>,
    /// The fields that count; all if there are none.
    pub(super) fields: Option<Patterns>,
    pub(super) functions: Vec<Function>,
    /// The field that tells how many metrics there were; empty for none.
    pub(super) count_field: CompactString,
    /// The name of results; empty for that of the metrics.
    pub(super) name: CompactString,
    pub(super) name_suffix: CompactString,
    pub(super) time: ResultTime,
    pub(super) bounds: Bounds,
}

/// What the time of a result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ResultTime {
    /// The start of the window, its first time.
    Start,
    /// The end of the window, the first time behind it.
    End,
}

/// As what results tell where their window begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Bounds {
    /// Not at all.
    None,
    /// As tags.
    Tags,
    /// As fields.
    Fields,
}

/// What became of a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It counts in a window at least.
    Counted,
    /// All its windows are over.
    Late(Moment),
    /// It was read before, and is in results that have been delivered.
    Repeated,
    /// Nothing in it counts.
    Ignored,
}

/// A result that has changed, with what has to be held until it is delivered.
pub(super) type Changed = (Option<Arc<Completion>>, Metric);

/// What is known of a key in a window.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) metrics: u64,
    pub(super) fields: FieldMap<Summary>,
}

/// A window that is open.
pub(super) struct Window {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) series: SeriesMap<Totals>,
    /// None where the metrics cannot be read again.
    pub(super) completion: Option<Arc<Completion>>,
}

/// The windows of one stream.
#[derive(Default)]
pub(super) struct Stream {
    ledger: Option<Arc<Ledger>>,
    known: Known,
    /// The highest time of what counts.
    pub(super) time: Option<i64>,
    /// Windows that end here or before are over.
    pub(super) closed_to: Option<i64>,
    /// Those that are open, by their start, and those that are over since the last look.
    pub(super) windows: VecDeque<Window>,
    /// The position that metrics come from now, and the time before it.
    now: Moment,
    /// When something came last, by the clock that never goes back.
    pub(super) last_sign: std::time::Duration,
}

impl Stream {
    /// A stream whose metrics can be read again.
    pub(super) fn of_ledger(ledger: Arc<Ledger>, known: Known) -> Stream {
        // What lies before the known position is as good as seen.
        let now = Moment { position: None, time: known.time };
        Stream { ledger: Some(ledger), known, time: known.time, now, ..Stream::default() }
    }

    /// The book of what is held, where metrics can be read again.
    pub(super) fn ledger(&self) -> Option<&Arc<Ledger>> {
        self.ledger.as_ref()
    }

    /// Takes a metric into account. With `updates` each result that it changes is appended to them.
    ///
    /// `key` is the metric with the tags that make the key.
    pub(super) fn add(
        &mut self,
        metric: &Metric,
        key: &Metric,
        rules: &Rules,
        mut updates: Option<&mut Vec<Changed>>,
    ) -> Verdict {
        let position = metric.companion.position();
        if self.known.is_before(position) {
            return Verdict::Repeated;
        }
        if self.now.position != position || position.is_none() {
            self.now = Moment { position, time: self.time };
        }
        if rules.count_field.is_empty() && values(metric, rules).next().is_none() {
            return Verdict::Ignored;
        }
        let time = metric.time.nanos();
        let stream_time = self.time.map_or(time, |highest| highest.max(time));
        self.time = Some(stream_time);
        self.closed_to = self.closed_to.max(Some(stream_time.saturating_sub(rules.grace)));
        let mut verdict = Verdict::Late(self.now);
        let mut starts = rules.shape.starts(time).peekable();
        let first = starts.peek().copied().unwrap_or_default();
        let mut at = self.windows.partition_point(|window| window.start < first);
        for start in starts {
            let is_open = self.windows.get(at).is_some_and(|window| window.start == start);
            let end = start + rules.shape.period;
            if Some(end) <= self.closed_to {
                at += usize::from(is_open);
                continue;
            }
            if self.known.is_done(end) {
                if verdict != Verdict::Counted {
                    verdict = Verdict::Repeated;
                }
                continue;
            }
            if !is_open {
                self.windows.insert(at, self.opened(start, end, &metric.companion));
            }
            let window = &mut self.windows[at];
            let totals = window.series.get_or_insert_with(key, Totals::default);
            totals.add(metric, rules);
            if let Some(updates) = &mut updates {
                let (name, tags) = (key.name.clone(), key.tags().to_vec());
                let result = result(rules, (start, end), name, tags, totals);
                updates.push((window.completion.clone(), result));
            }
            verdict = Verdict::Counted;
            at += 1;
        }
        verdict
    }

    fn opened(&self, start: i64, end: i64, first: &Companion) -> Window {
        let hold = |ledger: &Arc<Ledger>| ledger.hold(end, first, self.now);
        let completion = self.ledger.as_ref().map(hold);
        Window { start, end, series: SeriesMap::default(), completion }
    }

    /// Takes out the windows that are over.
    pub(super) fn take_closed(&mut self, over: &mut Vec<Window>) {
        let is_over = |window: &&Window| Some(window.end) <= self.closed_to;
        let count = self.windows.iter().take_while(is_over).count();
        over.extend(self.windows.drain(..count));
    }

    /// Has all windows be over.
    pub(super) fn close_all(&mut self) {
        let last = self.windows.back().map(|window| window.end);
        self.closed_to = self.closed_to.max(last);
    }

    /// Lets it be known that what is in open windows has to be read again.
    pub(super) fn leave_behind(&self) {
        let completions = self.windows.iter().filter_map(|window| window.completion.as_ref());
        completions.for_each(|completion| completion.leave_behind());
    }
}

impl Window {
    /// What the window came to, with what has to be held until all of it is delivered.
    pub(super) fn into_results(mut self, rules: &Rules) -> (Option<Arc<Completion>>, Vec<Metric>) {
        let bounds = (self.start, self.end);
        let results = self.series.drain().map(|series| {
            let Series { name, tags, value, .. } = series;
            result(rules, bounds, name, tags, &value)
        });
        (self.completion, results.collect())
    }
}

impl Totals {
    fn add(&mut self, metric: &Metric, rules: &Rules) {
        self.metrics += 1;
        for (field, value) in values(metric, rules) {
            match self.fields.get_mut(&field.key) {
                Some(summary) => summary.add(value, metric.time),
                None => self.fields.insert_new(&field.key, Summary::new(value, metric.time)),
            }
        }
    }
}

/// The fields that count, with their values; what is not a number does not.
fn values<'m>(metric: &'m Metric, rules: &Rules) -> impl Iterator<Item = (&'m Field, f64)> {
    metric.fields().iter().filter_map(|field| {
        let value = field.value.as_f64().filter(|value| value.is_finite())?;
        let counts = rules.fields.as_ref().is_none_or(|fields| fields.match_any(&field.key));
        counts.then_some((field, value))
    })
}

fn result(
    rules: &Rules,
    (start, end): (i64, i64),
    name: CompactString,
    tags: Vec<crate::metric::Tag>,
    totals: &Totals,
) -> Metric {
    let mut fields = Vec::with_capacity(totals.fields.len() * rules.functions.len() + 3);
    if !rules.count_field.is_empty() {
        let value = i64::try_from(totals.metrics).unwrap_or(i64::MAX).into();
        fields.push(Field { key: rules.count_field.clone(), value });
    }
    for (key, summary) in totals.fields.iter() {
        for function in &rules.functions {
            if let Some(value) = summary.value(*function) {
                let ending = function.ending();
                let mut name = CompactString::with_capacity(key.len() + ending.len());
                name.push_str(key);
                name.push_str(ending);
                fields.push(Field { key: name, value });
            }
        }
    }
    let mut name = if rules.name.is_empty() { name } else { rules.name.clone() };
    name.push_str(&rules.name_suffix);
    let time = match rules.time {
        ResultTime::Start => start,
        ResultTime::End => end,
    };
    let mut metric = Metric::from_lists(name, Timestamp::from_nanos(time), tags, fields);
    for (key, nanos) in [("window_start", start), ("window_end", end)] {
        let millis = Timestamp::from_nanos(nanos).millis();
        match rules.bounds {
            Bounds::None => {}
            Bounds::Tags => metric.set_tag(key, itoa::Buffer::new().format(millis)),
            Bounds::Fields => metric.set_field(key, millis),
        }
    }
    metric
}
