//! Quantiles of very many values from few centroids.
//!
//! # References
//! Dunning and Ertl, Computing Extremely Accurate Quantiles Using t-Digests; the variant is that
//! of the Go package `caio/go-tdigest`, version 3, which Telegraf uses: the same values give the
//! same quantiles.

use super::go_random::GoRandom;

/// A sketch of the values that were added.
#[derive(Debug)]
pub(super) struct Digest {
    /// The means of the centroids, ascending.
    means: Vec<f64>,
    /// How many values each of them stands for.
    counts: Vec<u64>,
    /// How many values there are altogether.
    total: u64,
    /// The larger, the more centroids and the nearer to the truth; at least 1.
    compression: f64,
    random: GoRandom,
}

impl Digest {
    pub(super) fn new(compression: f64) -> Digest {
        Digest {
            means: Vec::new(),
            counts: Vec::new(),
            total: 0,
            compression,
            random: GoRandom::default(),
        }
    }

    /// Adds a value, which is a number.
    pub(super) fn add(&mut self, value: f64) {
        self.add_weighted(value, 1);
    }

    fn add_weighted(&mut self, value: f64, count: u64) {
        match self.centroid_for(value, count) {
            Some(place) => self.merge(place, value, count),
            None => {
                let place = self.means.partition_point(|mean| *mean <= value);
                self.means.insert(place, value);
                self.counts.insert(place, count);
            }
        }
        self.total += count;
        if self.means.len() as f64 > 20.0 * self.compression {
            self.compress();
        }
    }

    /// A centroid among the nearest that has room for so many values more, drawn by chance.
    fn centroid_for(&mut self, value: f64, count: u64) -> Option<usize> {
        if self.means.is_empty() {
            return None;
        }
        let (first, end) = self.nearest(value);
        let mut before = self.counts[..first].iter().sum::<u64>() as f64;
        let mut chosen = None;
        let mut candidates = 0.0_f32;
        for place in first..end {
            let size = self.counts[place] as f64;
            let quantile = match self.total {
                1 => 0.5,
                total => (before + (size - 1.0) / 2.0) / (total - 1) as f64,
            };
            let room = 4.0 * self.total as f64 * quantile * (1.0 - quantile) / self.compression;
            if size + count as f64 <= room {
                candidates += 1.0;
                if self.random.float() < 1.0 / candidates {
                    chosen = Some(place);
                }
            }
            before += size;
        }
        chosen
    }

    /// The first of the centroids nearest to a value, and the place behind the last of them.
    fn nearest(&self, value: f64) -> (usize, usize) {
        let below = self.means.partition_point(|mean| *mean < value).saturating_sub(1);
        let mut first = below;
        let mut least = f64::MAX;
        for (place, mean) in self.means.iter().enumerate().skip(below) {
            let distance = (mean - value).abs();
            if distance < least {
                (first, least) = (place, distance);
            } else if distance > least {
                return (first, place);
            }
        }
        (first, self.means.len())
    }

    /// Adds values to a centroid, whose mean moves between the two.
    fn merge(&mut self, place: usize, value: f64, count: u64) {
        let (mean, size) = (self.means[place], self.counts[place]);
        let (low, low_weight, high, high_weight) = match mean > value {
            true => (value, count as f64, mean, size as f64),
            false => (mean, size as f64, value, count as f64),
        };
        let average = (low * low_weight + high * high_weight) / (low_weight + high_weight);
        self.means[place] = low.max(average.min(high));
        self.counts[place] = size + count;
        self.sort_from(place);
    }

    /// Moves the one centroid that may have passed its neighbours to where it belongs.
    fn sort_from(&mut self, place: usize) {
        let mut at = place;
        while at + 1 < self.means.len() && self.means[at] > self.means[at + 1] {
            self.swap(at, at + 1);
            at += 1;
        }
        let mut at = place;
        while at > 0 && self.means[at - 1] > self.means[at] {
            self.swap(at - 1, at);
            at -= 1;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.means.swap(a, b);
        self.counts.swap(a, b);
    }

    /// Adds all centroids anew, in an order of chance, so that many of them merge.
    fn compress(&mut self) {
        for place in (2..self.means.len()).rev() {
            let end = u32::try_from(place + 1).unwrap_or(u32::MAX >> 1);
            let other = self.random.below(end);
            self.swap(place, usize::try_from(other).unwrap_or(place));
        }
        let means = std::mem::take(&mut self.means);
        let counts = std::mem::take(&mut self.counts);
        self.total = 0;
        for (mean, count) in means.into_iter().zip(counts) {
            self.add_weighted(mean, count);
        }
    }

    /// The value below which a share of the values lies, `share` being from 0 to 1; NaN without
    /// any value.
    pub(super) fn quantile(&self, share: f64) -> f64 {
        match self.means.as_slice() {
            [] => return f64::NAN,
            [only] => return *only,
            _ => {}
        }
        let index = share * (self.total - 1) as f64;
        let (mut place, mut before) = self.centroid_at(index);
        // The centroid before, by the index of its middle and its mean.
        let mut previous = place
            .checked_sub(1)
            .map(|place| (before - (self.counts[place] + 1) as f64 / 2.0, self.means[place]));
        loop {
            let (mean, count) = (self.means[place], self.counts[place]);
            let middle = before + (count - 1) as f64 / 2.0;
            if middle >= index {
                let (previous_middle, previous_mean) = match previous {
                    Some(previous) => previous,
                    None if middle == 0.0 => return mean,
                    None => (0.0, self.mean_before_first(place, before, middle)),
                };
                return between(index, (previous_middle, previous_mean), (middle, mean));
            }
            if place + 1 == self.means.len() {
                let (previous_middle, previous_mean) = previous.unwrap_or((0.0, f64::NAN));
                let end = (self.total - 1) as f64;
                let last = (mean * (end - previous_middle) - previous_mean * (end - middle))
                    / (middle - previous_middle);
                return between(index, (middle, mean), (end, last));
            }
            before += count as f64;
            previous = Some((middle, mean));
            place += 1;
        }
    }

    /// What the mean at index 0 would be if values grew before the first centroid as behind it.
    fn mean_before_first(&self, place: usize, before: f64, middle: f64) -> f64 {
        let Some(next) = self.counts.get(place + 1) else { return self.means[place] };
        let next_middle = before + self.counts[place] as f64 + (next - 1) as f64 / 2.0;
        (next_middle * self.means[place] - middle * self.means[place + 1]) / (next_middle - middle)
    }

    /// The last centroid that begins at or before an index, and how many values are before it.
    fn centroid_at(&self, index: f64) -> (usize, f64) {
        let mut found = (0, 0.0);
        let mut before = 0.0;
        for (place, count) in self.counts.iter().enumerate() {
            if before > index {
                break;
            }
            found = (place, before);
            before += *count as f64;
        }
        found
    }
}

/// The value at an index on the line through two points.
fn between(index: f64, (low, low_value): (f64, f64), (high, high_value): (f64, f64)) -> f64 {
    let span = high - low;
    low_value * ((high - index) / span) + high_value * ((index - low) / span)
}
