//! The metrics of one partition number that wait for their match.
//!
//! They lie in *buckets* of event time, which are the spans of [`crate::plugin::event_time`]. Time is
//! that of each origin by itself, so that it does not matter how those of the two sides are
//! interleaved: a metric is late by the stream time of its own origin, two metrics match whenever
//! both came in time, and a bucket is over when the origins of both sides have come so far that
//! nothing in time can match what is in it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use compact_str::CompactString;

use super::held::{OfBuckets, Token};
use super::kept::{KeptGroup, KeptMetric};
use super::result::{ResultRules, Side};
use crate::metric::{Accompany, Companion, Metric, Origin};
use crate::plugin::PluginError;
use crate::plugin::event_time::{Known, Ledger, Moment};

/// Which unmatched metrics have a result, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// None.
    Inner,
    /// Those of the left side.
    Left,
    /// Those of both sides.
    Outer,
}

/// What matches, in nanoseconds.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) kind: Kind,
    /// How much earlier than the left metric the right one may be.
    pub(super) before: i64,
    /// How much later it may be.
    pub(super) after: i64,
    pub(super) grace: i64,
    /// After which silence the other side no longer waits; none for never.
    pub(super) idle: Option<Duration>,
    pub(super) results: ResultRules,
}

impl Rules {
    /// How far beyond a time the stream time has to be for nothing in time to match it.
    fn reach(&self) -> i64 {
        self.before.saturating_add(self.after).saturating_add(self.grace)
    }

    fn bucket_length(&self) -> i64 {
        self.reach().max(1_000_000)
    }

    /// How long what is done with is still needed, to know what has been matched.
    pub(super) fn retention(&self) -> i64 {
        match self.kind {
            Kind::Inner => 0,
            Kind::Left | Kind::Outer => self.before.max(self.after),
        }
    }

    /// How long after a time its metrics are in time.
    fn in_time_for(&self, side: Side) -> i64 {
        let reach = match side {
            Side::Left => self.after,
            Side::Right => self.before,
        };
        reach.saturating_add(self.grace)
    }

    /// The times of the other side that match.
    fn matching(&self, side: Side, time: i64) -> (i64, i64) {
        let (back, forth) = match side {
            Side::Left => (self.before, self.after),
            Side::Right => (self.after, self.before),
        };
        (time.saturating_sub(back), time.saturating_add(forth))
    }

    fn has_unmatched(&self, side: Side) -> bool {
        match (self.kind, side) {
            (Kind::Inner, _) | (Kind::Left, Side::Right) => false,
            (Kind::Left, Side::Left) | (Kind::Outer, _) => true,
        }
    }
}

/// A metric that has come.
#[derive(Debug)]
pub(super) struct Arrival<'m> {
    /// The place of its origin in the group.
    pub(super) source: usize,
    pub(super) side: Side,
    pub(super) key: &'m str,
    pub(super) metric: &'m Metric,
    /// When it came, by the clock that never goes back.
    pub(super) now: Duration,
}

/// What became of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Kept,
    Late,
    /// It was read before and is not needed any more.
    Repeated,
}

/// A metric that waits, without what went along with it.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) metric: Metric,
    pub(super) is_matched: bool,
    /// The place of its origin.
    pub(super) source: usize,
}

/// One side of a bucket, by the key.
type Shelf = HashMap<CompactString, Vec<Kept>>;

#[derive(Default)]
struct Bucket {
    left: Shelf,
    right: Shelf,
    token: Arc<Token>,
}

impl Bucket {
    fn count(&self) -> usize {
        [&self.left, &self.right].into_iter().flat_map(HashMap::values).map(Vec::len).sum()
    }

    fn side(&mut self, side: Side) -> &mut Shelf {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }
}

/// Where metrics of the group come from.
struct Source {
    /// None for what cannot be read again.
    origin: Option<Arc<Origin>>,
    ledger: Option<Arc<Ledger>>,
    known: Known,
    time: Option<i64>,
    now: Moment,
    /// Which sides it has brought.
    brings: [bool; 2],
    last_sign: Duration,
    is_gone: bool,
}

impl Source {
    /// Has the marks stay before a bucket until what holds the token has been delivered, also where
    /// nothing in it comes from here.
    fn wait_for(&self, place: usize, end: i64, token: &Token) {
        if let Some(ledger) = &self.ledger
            && !token.has(place)
        {
            token.add(place, ledger.hold(end, &Companion::default(), Moment::default()));
        }
    }
}

/// All that can match each other.
#[derive(Default)]
pub(super) struct Group {
    sources: Vec<Source>,
    /// By their numbers, counted from 1970.
    buckets: BTreeMap<i64, Bucket>,
    /// Up to where buckets have been done with, by the marks of all sources.
    done: Option<i64>,
    /// Up to where buckets are over.
    closed_to: Option<i64>,
    /// Those that are over, by their ends, and whose results may be on their way.
    closing: Vec<(i64, Weak<Token>)>,
    /// How many metrics wait.
    waiting: usize,
}

/// Results that are ready, with what has to be held until they are delivered.
pub(super) type Ready = Vec<(Companion, Vec<Metric>)>;

impl Group {
    /// The place of a source, if it is known.
    pub(super) fn source_of(&self, origin: Option<&Arc<Origin>>) -> Option<usize> {
        let is_it = |source: &Source| match (&source.origin, origin) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        self.sources.iter().position(|source| !source.is_gone && is_it(source))
    }

    /// Adds a source, with its book if it can be read again.
    pub(super) fn add_source(&mut self, opened: Option<(Arc<Ledger>, Known)>) -> usize {
        let (ledger, known) = opened.unzip();
        let known = known.unwrap_or_default();
        self.done = self.done.max(known.done);
        self.sources.push(Source {
            origin: ledger.as_ref().map(|ledger| ledger.origin().clone()),
            ledger,
            known,
            time: known.time,
            now: Moment { position: None, time: known.time },
            brings: [false; 2],
            last_sign: Duration::ZERO,
            is_gone: false,
        });
        let place = self.sources.len() - 1;
        for (end, token) in &self.closing {
            if let (Some(token), Some(source)) = (token.upgrade(), self.sources.get(place)) {
                source.wait_for(place, *end, &token);
            }
        }
        place
    }

    /// Takes a metric; its results are appended to `results`.
    pub(super) fn add(
        &mut self,
        arrival: &Arrival<'_>,
        rules: &Rules,
        results: &mut Vec<Metric>,
    ) -> Verdict {
        let Arrival { source, side, key, metric, now } = *arrival;
        let time = metric.time.nanos();
        let Some(from) = self.sources.get_mut(source) else { return Verdict::Repeated };
        let position = metric.companion.position();
        if from.known.is_before(position) {
            return Verdict::Repeated;
        }
        if from.now.position != position || position.is_none() {
            from.now = Moment { position, time: from.time };
        }
        from.brings[side as usize] = true;
        from.last_sign = now;
        let highest = from.time.map_or(time, |highest| highest.max(time));
        from.time = Some(highest);
        if highest >= time.saturating_add(rules.in_time_for(side)) && highest > time {
            return Verdict::Late;
        }
        let length = rules.bucket_length();
        let number = time.div_euclid(length);
        let end = end_of(number, length);
        // Only silence ends buckets that something in time may still come for.
        if Some(end) <= self.closed_to {
            return Verdict::Late;
        }
        let is_done = self.done.is_some_and(|done| end <= done);
        if is_done && self.done.is_some_and(|done| end <= done.saturating_sub(rules.retention())) {
            return Verdict::Repeated;
        }
        let own = self.buckets.entry(number).or_default();
        let token = own.token.clone();
        if let Some(ledger) = &from.ledger
            && !token.has(source)
        {
            token.add(source, ledger.hold(end, &metric.companion, from.now));
        }
        let mut kept = Kept { metric: bare(metric), is_matched: false, source };
        let (first, last) = rules.matching(side, time);
        for (other, bucket) in
            self.buckets.range_mut(first.div_euclid(length)..=last.div_euclid(length))
        {
            let is_other_done = self.done.is_some_and(|done| end_of(*other, length) <= done);
            let token_of_other = bucket.token.clone();
            let Some(matches) = bucket.side(side.other()).get_mut(key) else { continue };
            for matching in matches {
                if !(first..=last).contains(&matching.metric.time.nanos()) {
                    continue;
                }
                matching.is_matched = true;
                kept.is_matched = true;
                // What one of them is done with has been delivered.
                if is_done || is_other_done {
                    continue;
                }
                let (left, right) = match side {
                    Side::Left => (metric, &matching.metric),
                    Side::Right => (&matching.metric, metric),
                };
                let mut result = rules.results.result(Some(left), Some(right));
                let tokens = vec![token.clone(), token_of_other.clone()];
                result.companion = OfBuckets::held(tokens, metric.companion.clone());
                results.push(result);
            }
        }
        if let Some(bucket) = self.buckets.get_mut(&number) {
            self.waiting += 1;
            let shelf = bucket.side(side);
            match shelf.get_mut(key) {
                Some(all) => all.push(kept),
                None => drop(shelf.insert(key.into(), vec![kept])),
            }
        }
        Verdict::Kept
    }

    /// Takes out the buckets that are over, with the results of what has not been matched.
    pub(super) fn take_over(&mut self, now: Duration, rules: &Rules, ready: &mut Ready) {
        let Some(time) = self.common_time(now, rules.idle) else { return };
        let length = rules.bucket_length();
        let reach = rules.reach();
        while let Some((number, _)) = self.buckets.first_key_value() {
            let end = end_of(*number, length);
            if time < end.saturating_add(reach) {
                return;
            }
            let Some((_, mut bucket)) = self.buckets.pop_first() else { return };
            self.closed_to = self.closed_to.max(Some(end));
            self.waiting = self.waiting.saturating_sub(bucket.count());
            let mut results = Vec::new();
            if self.done.is_none_or(|done| end > done) {
                for side in [Side::Left, Side::Right] {
                    if rules.has_unmatched(side) {
                        unmatched(bucket.side(side), side, &rules.results, &mut results);
                    }
                }
            }
            // A mark beyond the end has to say of each source that these results were delivered.
            for (place, source) in self.sources.iter().enumerate() {
                source.wait_for(place, end, &bucket.token);
            }
            self.closing.retain(|(_, token)| token.strong_count() > 0);
            self.closing.push((end, Arc::downgrade(&bucket.token)));
            if !results.is_empty() {
                ready.push((OfBuckets::held(vec![bucket.token], Companion::default()), results));
            }
        }
    }

    /// How far the origins of both sides have come, if both have brought anything.
    fn common_time(&self, now: Duration, idle: Option<Duration>) -> Option<i64> {
        let mut common = None;
        for side in [Side::Left, Side::Right] {
            let mut all = self
                .sources
                .iter()
                .filter(|source| !source.is_gone && source.brings[side as usize]);
            let is_awake = |source: &&Source| {
                idle.is_none_or(|idle| now.saturating_sub(source.last_sign) < idle)
            };
            let awake = all.clone().filter(is_awake).filter_map(|source| source.time).min();
            let time = match (awake, idle) {
                (Some(time), _) => time,
                // A side that is silent for so long does not hold the other one up.
                (None, Some(_)) => i64::MAX,
                (None, None) => all.next().and_then(|source| source.time)?,
            };
            common = Some(common.map_or(time, |other: i64| other.min(time)));
        }
        let highest = self.sources.iter().filter_map(|source| source.time).max();
        common.zip(highest).map(|(common, highest)| common.min(highest))
    }

    /// Forgets what came from origins that somebody else reads; false if nothing is left.
    pub(super) fn forget_given_up(&mut self) -> bool {
        for (place, source) in self.sources.iter_mut().enumerate() {
            let is_given_up = source.origin.as_ref().is_some_and(|origin| origin.is_given_up());
            if source.is_gone || !is_given_up {
                continue;
            }
            source.is_gone = true;
            if let Some(ledger) = source.ledger.take() {
                ledger.leave_behind();
            }
            for bucket in self.buckets.values_mut() {
                bucket.token.forget(place);
                for shelf in [&mut bucket.left, &mut bucket.right] {
                    shelf.retain(|_, all| {
                        all.retain(|kept| kept.source != place);
                        !all.is_empty()
                    });
                }
            }
        }
        self.waiting = self.buckets.values().map(Bucket::count).sum();
        self.sources.iter().any(|source| !source.is_gone)
    }

    /// Lets it be known that whatever waits has to be read again.
    pub(super) fn leave_behind(&self) {
        for bucket in self.buckets.values() {
            bucket.token.all().iter().for_each(|completion| completion.leave_behind());
        }
        for ledger in self.sources.iter().filter_map(|source| source.ledger.as_ref()) {
            ledger.leave_behind();
        }
    }

    /// What waits of metrics that cannot be read again.
    pub(super) fn kept(&self) -> KeptGroup {
        let of_side = |side: Side, shelf: &Shelf| -> Vec<KeptMetric> {
            let all = shelf.iter().flat_map(|(key, all)| all.iter().map(move |kept| (key, kept)));
            all.map(|(key, kept)| KeptMetric::new(side, key, kept)).collect()
        };
        let buckets = self.buckets.values().flat_map(|bucket| {
            [of_side(Side::Left, &bucket.left), of_side(Side::Right, &bucket.right)].concat()
        });
        let source = self.sources.first();
        KeptGroup {
            time: source.and_then(|source| source.time),
            closed_to: self.closed_to,
            brings: source.map(|source| source.brings).unwrap_or_default(),
            metrics: buckets.collect(),
        }
    }

    /// Has wait again what waited before.
    pub(super) fn restore(&mut self, kept: KeptGroup, rules: &Rules) -> Result<(), PluginError> {
        let place = self.add_source(None);
        let length = rules.bucket_length();
        for each in kept.metrics {
            let (side, key, waiting) = each.restored(place)?;
            let number = waiting.metric.time.nanos().div_euclid(length);
            let shelf = self.buckets.entry(number).or_default().side(side);
            shelf.entry(key).or_default().push(waiting);
        }
        self.waiting = self.buckets.values().map(Bucket::count).sum();
        self.closed_to = kept.closed_to;
        if let Some(source) = self.sources.get_mut(place) {
            (source.time, source.brings) = (kept.time, kept.brings);
            source.now.time = kept.time;
        }
        Ok(())
    }

    /// How many metrics wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }
}

fn end_of(number: i64, length: i64) -> i64 {
    number.saturating_add(1).saturating_mul(length)
}

/// A copy that nothing which goes along with the metric waits for.
fn bare(metric: &Metric) -> Metric {
    let mut copy = metric.clone();
    copy.companion = Companion::default();
    copy
}

fn unmatched(shelf: &mut Shelf, side: Side, rules: &ResultRules, results: &mut Vec<Metric>) {
    let first = results.len();
    let all = shelf.values().flatten().filter(|kept| !kept.is_matched);
    results.extend(all.map(|kept| match side {
        Side::Left => rules.result(Some(&kept.metric), None),
        Side::Right => rules.result(None, Some(&kept.metric)),
    }));
    // The map has an order of its own in each process.
    results[first..].sort_by(|a, b| (a.time, a.tags()).cmp(&(b.time, b.tags())));
}
