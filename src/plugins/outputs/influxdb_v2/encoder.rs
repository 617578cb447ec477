//! Batches as line protocol, by bucket.

use crate::metric::Metric;
use crate::plugin::{Rejection, Serializer};

/// Makes line protocol of metrics.
pub(super) struct Encoder {
    pub(super) serializer: Box<dyn Serializer>,
    /// Where metrics go whose tags do not say it.
    pub(super) bucket: String,
    /// The tag that says it; none if empty.
    pub(super) bucket_tag: String,
    /// Whether that tag is left out.
    pub(super) exclude_bucket_tag: bool,
}

/// Metrics of one bucket, by their places in the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) bucket: String,
    pub(super) indices: Vec<usize>,
    /// As line protocol, once that has been made of them.
    pub(super) body: Vec<u8>,
}

impl Part {
    fn new(bucket: &str, indices: &[usize]) -> Part {
        Part { bucket: bucket.to_owned(), indices: indices.to_vec(), body: Vec::new() }
    }

    /// Its first half and its second.
    pub(super) fn halves(&self) -> [Part; 2] {
        let (first, second) = self.indices.split_at(self.indices.len() / 2);
        [Part::new(&self.bucket, first), Part::new(&self.bucket, second)]
    }
}

impl Encoder {
    /// The batch by bucket, in parts of at most `most` metrics.
    pub(super) fn parts(&self, batch: &[Metric], most: usize) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for (index, metric) in batch.iter().enumerate() {
            let tagged = match self.bucket_tag.as_str() {
                "" => None,
                tag => metric.tag(tag),
            };
            let bucket = tagged.unwrap_or(&self.bucket);
            // A full part has another of its bucket after it.
            let last = parts.iter_mut().rev().find(|part| part.bucket == bucket);
            match last.filter(|part| part.indices.len() < most) {
                Some(part) => part.indices.push(index),
                None => parts.push(Part::new(bucket, &[index])),
            }
        }
        parts
    }

    /// Makes line protocol of a part, as far as `most_bytes` go.
    ///
    /// What is beyond is taken out of the part and returned; what has no form is taken out of it
    /// and rejected.
    pub(super) fn encode(
        &mut self,
        part: &mut Part,
        batch: &[Metric],
        most_bytes: u64,
        rejected: &mut Vec<Rejection>,
    ) -> Vec<usize> {
        part.body.clear();
        let removed_tag =
            Some(self.bucket_tag.as_str()).filter(|tag| self.exclude_bucket_tag && !tag.is_empty());
        let mut encoded = Vec::with_capacity(part.indices.len());
        let mut indices = std::mem::take(&mut part.indices).into_iter();
        let mut rest = Vec::new();
        while let Some(index) = indices.next() {
            let before = part.body.len();
            let written = match removed_tag {
                Some(tag) => {
                    let mut metric = batch[index].clone();
                    metric.remove_tag(tag);
                    self.serializer.serialize(&metric, &mut part.body)
                }
                None => self.serializer.serialize(&batch[index], &mut part.body),
            };
            match written {
                Err(reason) => rejected.push(Rejection { index, reason }),
                Ok(()) if part.body.len() as u64 > most_bytes => {
                    part.body.truncate(before);
                    rest.push(index);
                    rest.extend(indices.by_ref());
                }
                Ok(()) => encoded.push(index),
            }
        }
        part.indices = encoded;
        rest
    }
}
