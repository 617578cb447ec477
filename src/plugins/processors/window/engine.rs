//! The windows of all streams, and what becomes of each metric.

use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;

use super::stream::{Rules, Stream, Verdict};
use crate::metric::{Accompany, Companion, Metric, Origin, Timestamp};
use crate::plugin::event_time::{Completion, Ledger, Outbox};
use crate::plugin::{Counter, PluginLog};

/// When results are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Emit {
    /// Once for each window, when it is over.
    Final,
    /// With each metric that changes them.
    Updates,
}

/// What becomes of metrics whose windows are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Late {
    /// They are counted.
    Drop,
    /// They are counted, and go on by themselves.
    Pass,
}

/// Whether the metrics themselves go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Originals {
    Drop,
    Pass,
}

/// What the engine goes by, beside the rules of each window.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) emit: Emit,
    pub(super) originals: Originals,
    pub(super) late: Late,
    /// The name of late metrics that go on; empty for their own.
    pub(super) late_name: CompactString,
    /// The name of the marks.
    pub(super) mark: String,
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) late: Counter,
    pub(super) repeated: Counter,
    pub(super) ignored: Counter,
    pub(super) open: Counter,
    pub(super) closed: Counter,
}

/// All windows.
pub(super) struct Engine {
    rules: Rules,
    course: Course,
    /// Of metrics that come from nowhere that they could be read from again.
    local: Stream,
    streams: Vec<OfOrigin>,
    /// The place of the stream that was found last.
    last: usize,
    outbox: Arc<Outbox>,
    counters: Counters,
    log: PluginLog,
    /// Room for a key, used again and again.
    key: Metric,
}

struct OfOrigin {
    origin: Arc<Origin>,
    /// None if somebody else keeps marks of the same name.
    stream: Option<Stream>,
}

impl Engine {
    pub(super) fn new(
        rules: Rules,
        course: Course,
        outbox: Arc<Outbox>,
        counters: Counters,
        log: PluginLog,
    ) -> Engine {
        Engine {
            rules,
            course,
            local: Stream::default(),
            streams: Vec::new(),
            last: 0,
            outbox,
            counters,
            log,
            key: Metric::new("", Timestamp::EPOCH),
        }
    }

    /// Takes metrics; what goes on at once is appended to `onward`.
    pub(super) fn add(&mut self, metrics: Vec<Metric>, now: Duration, onward: &mut Vec<Metric>) {
        self.forget_given_up();
        for metric in metrics {
            self.add_one(metric, now, onward);
        }
        self.hand_over();
        self.outbox.take(onward);
    }

    /// Ends the windows of streams of which nothing has come for a while.
    pub(super) fn end_idle(&mut self, now: Duration, idle: Duration, onward: &mut Vec<Metric>) {
        self.forget_given_up();
        let of_origins = self.streams.iter_mut().filter_map(|of| of.stream.as_mut());
        for stream in of_origins.chain([&mut self.local]) {
            if now.saturating_sub(stream.last_sign) >= idle {
                stream.close_all();
            }
        }
        self.hand_over();
        self.outbox.take(onward);
    }

    /// Lets go of everything that can be read again.
    pub(super) fn stop(&mut self) {
        for of in self.streams.drain(..) {
            if let Some(stream) = &of.stream {
                stream.leave_behind();
            }
        }
        self.outbox.close();
    }

    /// The stream of metrics without origin, which outlives the agent in its state.
    pub(super) fn local(&mut self) -> &mut Stream {
        &mut self.local
    }

    fn add_one(&mut self, mut metric: Metric, now: Duration, onward: &mut Vec<Metric>) {
        let place = metric.companion.origin().map(|origin| self.place_of(origin));
        let stream = match place {
            None => &mut self.local,
            Some(place) => {
                let found = self.streams.get_mut(place).and_then(|of| of.stream.as_mut());
                let Some(stream) = found else { return onward.push(metric) };
                stream
            }
        };
        stream.last_sign = now;
        let key = match &self.rules.keys {
            None => &metric,
            Some(keys) => {
                self.key.name.clone_from(&metric.name);
                self.key.retain_tags(|_| false);
                for tag in metric.tags().iter().filter(|tag| keys.match_any(&tag.key)) {
                    self.key.set_tag(tag.key.clone(), tag.value.clone());
                }
                &self.key
            }
        };
        let mut updates = match self.course.emit {
            Emit::Final => None,
            Emit::Updates => Some(Vec::new()),
        };
        let verdict = stream.add(&metric, key, &self.rules, updates.as_mut());
        for (completion, mut update) in updates.into_iter().flatten() {
            if !metric.companion.is_none() {
                let of = metric.companion.clone();
                update.companion = Companion::new(Arc::new(Update { completion, of }));
            }
            onward.push(update);
        }
        match verdict {
            Verdict::Counted => {}
            Verdict::Repeated => self.counters.repeated.add(1),
            Verdict::Ignored => self.counters.ignored.add(1),
            Verdict::Late(since) => {
                self.counters.late.add(1);
                if self.course.late == Late::Pass {
                    if let Some(ledger) = stream.ledger() {
                        metric.companion =
                            ledger.pass(std::mem::take(&mut metric.companion), since);
                    }
                    if !self.course.late_name.is_empty() {
                        metric.name.clone_from(&self.course.late_name);
                    }
                    return onward.push(metric);
                }
            }
        }
        if self.course.originals == Originals::Pass {
            onward.push(metric);
        }
    }

    /// The place of an origin's stream, which is made where it is seen for the first time.
    fn place_of(&mut self, origin: &Arc<Origin>) -> usize {
        let is_it = |of: &OfOrigin| Arc::ptr_eq(&of.origin, origin);
        if self.streams.get(self.last).is_some_and(is_it) {
            return self.last;
        }
        self.last = self.streams.iter().position(is_it).unwrap_or_else(|| {
            let mark = &self.course.mark;
            let opened = Ledger::open(origin, mark, 0);
            if opened.is_none() {
                self.log.error(format_args!(
                    "Another processor keeps the mark {mark:?} of {}: metrics from there pass \
                     unchanged; set an alias for each of the two",
                    origin.name()
                ));
            }
            let stream = opened.map(|(ledger, known)| Stream::of_ledger(ledger, known));
            self.streams.push(OfOrigin { origin: origin.clone(), stream });
            self.streams.len() - 1
        });
        self.last
    }

    fn forget_given_up(&mut self) {
        if !self.streams.iter().any(|of| of.origin.is_given_up()) {
            return;
        }
        self.outbox.forget_given_up();
        self.streams.retain(|of| {
            let is_given_up = of.origin.is_given_up();
            if is_given_up && let Some(stream) = &of.stream {
                stream.leave_behind();
            }
            !is_given_up
        });
    }

    /// Brings the results of windows that are over to the outbox.
    fn hand_over(&mut self) {
        let mut over = Vec::new();
        let mut open = 0;
        let of_origins = self.streams.iter_mut().filter_map(|of| of.stream.as_mut());
        for stream in of_origins.chain([&mut self.local]) {
            stream.take_closed(&mut over);
            open += stream.windows.len() as u64;
        }
        self.counters.open.set(open);
        self.counters.closed.add(over.len() as u64);
        for window in over {
            // The last update was the result.
            if self.course.emit == Emit::Final {
                let (completion, results) = window.into_results(&self.rules);
                let completion = completion.map(|completion| Companion::new(completion));
                self.outbox.put(completion.unwrap_or_default(), results);
            }
        }
    }
}

/// What goes along with a result that is not the last one of its window: the metric that changed
/// it is not done with before, so that the input waits for outputs that are slow.
struct Update {
    completion: Option<Arc<Completion>>,
    of: Companion,
}

impl Accompany for Update {
    fn origin(&self) -> Option<&Arc<Origin>> {
        self.of.origin()
    }

    fn leave_behind(&self) {
        if let Some(completion) = &self.completion {
            completion.leave_behind();
        }
        self.of.leave_behind();
    }
}
