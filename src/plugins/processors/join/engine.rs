//! All groups, and what becomes of each metric.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use super::group::{Arrival, Group, Rules, Verdict};
use super::kept::KeptGroup;
use super::result::Side;
use crate::metric::{Metric, Origin};
use crate::plugin::event_time::{Ledger, Outbox};
use crate::plugin::{Counter, Patterns, PluginError, PluginLog};

/// Which side a metric belongs to.
#[derive(Debug)]
pub(super) struct Sides {
    /// The tag that tells; empty for the name.
    pub(super) tag: String,
    pub(super) left: Option<Patterns>,
    pub(super) right: Option<Patterns>,
}

impl Sides {
    /// The side of a metric, if it belongs to one.
    fn of(&self, metric: &Metric) -> Option<Side> {
        let text =
            if self.tag.is_empty() { metric.name.as_str() } else { metric.tag(&self.tag)? };
        let is_in = |side: &Option<Patterns>| {
            side.as_ref().is_some_and(|patterns| patterns.match_any(text))
        };
        match (is_in(&self.left), is_in(&self.right)) {
            (true, _) => Some(Side::Left),
            (false, true) => Some(Side::Right),
            (false, false) => None,
        }
    }
}

/// Whether the metrics themselves go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Originals {
    Drop,
    Pass,
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) late: Counter,
    pub(super) repeated: Counter,
    pub(super) waiting: Counter,
}

/// What can match each other: what comes from partitions of the same number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum GroupId {
    /// What comes from nowhere that it could be read from again.
    Local,
    Partition(i32),
    /// An origin that is no partition, by its name.
    Named(String),
}

impl GroupId {
    fn of(origin: Option<&Arc<Origin>>) -> GroupId {
        let Some(origin) = origin else { return GroupId::Local };
        match origin.partition() {
            Some(number) => GroupId::Partition(number),
            None => GroupId::Named(origin.name().to_owned()),
        }
    }
}

/// The way from an origin to its group.
struct Place {
    origin: Option<Arc<Origin>>,
    group: GroupId,
    /// None if somebody else keeps marks of the same name.
    source: Option<usize>,
}

/// All groups.
pub(super) struct Engine {
    rules: Rules,
    sides: Sides,
    originals: Originals,
    /// The name of the marks.
    mark: String,
    groups: HashMap<GroupId, Group>,
    places: Vec<Place>,
    /// The place that was found last.
    last: usize,
    outbox: Arc<Outbox>,
    counters: Counters,
    log: PluginLog,
    /// Room for a key, used again and again.
    key: String,
}

impl Engine {
    pub(super) fn new(
        rules: Rules,
        sides: Sides,
        originals: Originals,
        mark: String,
        outbox: Arc<Outbox>,
        counters: Counters,
        log: PluginLog,
    ) -> Engine {
        Engine {
            rules,
            sides,
            originals,
            mark,
            groups: HashMap::new(),
            places: Vec::new(),
            last: 0,
            outbox,
            counters,
            log,
            key: String::new(),
        }
    }

    /// Takes metrics; what goes on at once is appended to `onward`.
    pub(super) fn add(&mut self, metrics: Vec<Metric>, now: Duration, onward: &mut Vec<Metric>) {
        self.forget_given_up();
        for metric in metrics {
            self.add_one(metric, now, onward);
        }
        let mut ready = Vec::new();
        let mut waiting = 0;
        for group in self.groups.values_mut() {
            group.take_over(now, &self.rules, &mut ready);
            waiting += group.waiting() as u64;
        }
        self.counters.waiting.set(waiting);
        for (held, results) in ready {
            self.outbox.put(held, results);
        }
        self.outbox.take(onward);
    }

    /// Lets go of everything that can be read again.
    pub(super) fn stop(&mut self) {
        self.groups.values().for_each(Group::leave_behind);
        self.groups.retain(|id, _| *id == GroupId::Local);
        self.places.clear();
        self.outbox.close();
    }

    /// What waits of metrics that cannot be read again.
    pub(super) fn kept_local(&self) -> Option<KeptGroup> {
        self.groups.get(&GroupId::Local).map(Group::kept)
    }

    /// Has wait again what waited before.
    ///
    /// # Errors
    /// If it is no state.
    pub(super) fn restore_local(&mut self, kept: KeptGroup) -> Result<(), PluginError> {
        self.groups.entry(GroupId::Local).or_default().restore(kept, &self.rules)
    }

    fn add_one(&mut self, metric: Metric, now: Duration, onward: &mut Vec<Metric>) {
        let Some(side) = self.sides.of(&metric) else { return onward.push(metric) };
        let place = self.place_of(metric.companion.origin());
        let Some(Place { group, source: Some(source), .. }) = self.places.get(place) else {
            return onward.push(metric);
        };
        let Some(group) = self.groups.get_mut(group) else { return onward.push(metric) };
        self.key.clear();
        for tag in metric.tags().iter().filter(|tag| self.rules.results.is_key(&tag.key)) {
            // Lengths keep apart what would read the same. Writing to memory never fails.
            let (name, value) = (&tag.key, &tag.value);
            let _ = write!(self.key, "{}:{name}{}:{value}", name.len(), value.len());
        }
        let arrival = Arrival { source: *source, side, key: &self.key, metric: &metric, now };
        match group.add(&arrival, &self.rules, onward) {
            Verdict::Kept => {}
            Verdict::Late => self.counters.late.add(1),
            Verdict::Repeated => self.counters.repeated.add(1),
        }
        if self.originals == Originals::Pass {
            onward.push(metric);
        }
    }

    /// The place of an origin, which is made where it is seen for the first time.
    fn place_of(&mut self, origin: Option<&Arc<Origin>>) -> usize {
        let is_it = |place: &Place| match (&place.origin, origin) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        if self.places.get(self.last).is_some_and(is_it) {
            return self.last;
        }
        self.last = self.places.iter().position(is_it).unwrap_or_else(|| {
            let id = GroupId::of(origin);
            let group = self.groups.entry(id.clone()).or_default();
            let source = match origin {
                None => Some(group.source_of(None).unwrap_or_else(|| group.add_source(None))),
                Some(origin) => {
                    let opened = Ledger::open(origin, &self.mark, self.rules.retention());
                    if opened.is_none() {
                        self.log.error(format_args!(
                            "Another processor keeps the mark {:?} of {}: metrics from there pass \
                             unchanged; set an alias for each of the two",
                            self.mark,
                            origin.name()
                        ));
                    }
                    opened.map(|opened| group.add_source(Some(opened)))
                }
            };
            self.places.push(Place { origin: origin.cloned(), group: id, source });
            self.places.len() - 1
        });
        self.last
    }

    fn forget_given_up(&mut self) {
        let is_given_up =
            |place: &Place| place.origin.as_ref().is_some_and(|origin| origin.is_given_up());
        if !self.places.iter().any(is_given_up) {
            return;
        }
        self.outbox.forget_given_up();
        self.groups.retain(|id, group| group.forget_given_up() || *id == GroupId::Local);
        self.places.retain(|place| !is_given_up(place));
    }
}
