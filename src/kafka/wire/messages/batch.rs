//! When a record was made, read out of a batch of records.
//!
//! # References
//! Kafka's documentation, "Record Batch" and "Record".

use super::{Decoded, Decoder};

/// The part of a batch's head that counts into its length.
const HEAD_AFTER_LENGTH: usize = 49;

/// The bits of a batch's attributes that tell how it is compressed.
const COMPRESSION: i16 = 0x07;

/// The bit of a batch's attributes that says that its records have the time of their arrival.
const APPEND_TIME: i16 = 0x08;

/// The head of a batch, as far as it matters here.
#[derive(Debug, Clone, Copy)]
struct Head {
    first_offset: i64,
    last_offset: i64,
    attributes: i16,
    first_ms: i64,
    /// The latest time of all its records.
    latest_ms: i64,
    records: i32,
}

/// When the first record at or behind `offset` was made, in milliseconds since 1970.
///
/// The records of a batch that is compressed are not unpacked: between the time of its first record
/// and its latest, the record has the place that its offset has. A batch is mostly made within
/// the few milliseconds for which its producer waits.
pub(super) fn record_time(mut batches: &[u8], offset: i64) -> Option<i64> {
    loop {
        let mut decoder = Decoder::new(batches);
        let (head, length) = head(&mut decoder).ok()?;
        if head.last_offset < offset {
            batches = batches.get(length..)?;
            continue;
        }
        let has_own_times = head.attributes & APPEND_TIME == 0;
        return Some(match (has_own_times, head.attributes & COMPRESSION) {
            (false, _) => head.latest_ms,
            (true, 0) => {
                plain_record_time(head, decoder, offset).unwrap_or_else(|| head.at(offset))
            }
            (true, _) => head.at(offset),
        });
    }
}

/// Reads the head of a batch, and returns how long the batch is as a whole.
fn head(batch: &mut Decoder<'_>) -> Decoded<(Head, usize)> {
    let first_offset = batch.int64()?;
    let length = usize::try_from(batch.int32()?).unwrap_or(0);
    let _leader_epoch = batch.int32()?;
    let format = batch.int8()?;
    if format != 2 || length < HEAD_AFTER_LENGTH {
        // Kafka 4 has none of the older formats any more.
        return Err(super::super::decode::Malformed("a batch of records of an older format"));
    }
    let _checksum = batch.int32()?;
    let attributes = batch.int16()?;
    let last_offset = first_offset.saturating_add(i64::from(batch.int32()?));
    let (first_ms, latest_ms) = (batch.int64()?, batch.int64()?);
    let (_producer, _epoch, _sequence) = (batch.int64()?, batch.int16()?, batch.int32()?);
    let records = batch.int32()?;
    let head = Head { first_offset, last_offset, attributes, first_ms, latest_ms, records };
    Ok((head, 8 + 4 + length))
}

/// Looks the record up in a batch that is not compressed; nothing if it is cut off before.
fn plain_record_time(head: Head, mut records: Decoder<'_>, offset: i64) -> Option<i64> {
    for _ in 0..head.records {
        let length = usize::try_from(records.signed_varint().ok()?).ok()?;
        let left = records.remaining();
        let _attributes = records.int8().ok()?;
        let time_ms = head.first_ms.saturating_add(records.signed_varint().ok()?);
        let at = head.first_offset.saturating_add(records.signed_varint().ok()?);
        if at >= offset {
            return Some(time_ms);
        }
        let read = left - records.remaining();
        records.take(length.checked_sub(read)?).ok()?;
    }
    None
}

impl Head {
    /// The time at the place that an offset has within the batch.
    fn at(self, offset: i64) -> i64 {
        let span = i128::from(self.latest_ms) - i128::from(self.first_ms);
        let offsets = i128::from(self.last_offset) - i128::from(self.first_offset);
        let place = i128::from(offset.max(self.first_offset)) - i128::from(self.first_offset);
        let part = if offsets > 0 { span * place / offsets } else { 0 };
        i64::try_from(i128::from(self.first_ms) + part).unwrap_or(self.latest_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A batch whose records stand at `offsets` with `times`, without keys, values and headers.
    fn batch(attributes: i16, offsets: &[i64], times: &[i64]) -> Vec<u8> {
        let (first, last) = (offsets[0], offsets[offsets.len() - 1]);
        let mut records = Vec::new();
        for (offset, time) in offsets.iter().zip(times) {
            // Small numbers, of which each fits into one byte: twice as large for the sign.
            let body = [0, (time - times[0]) as u8 * 2, (offset - first) as u8 * 2, 1, 1, 0];
            records.push(body.len() as u8 * 2);
            records.extend(body);
        }
        let mut batch = Vec::new();
        batch.extend(first.to_be_bytes());
        batch.extend((HEAD_AFTER_LENGTH as i32 + records.len() as i32).to_be_bytes());
        batch.extend([0, 0, 0, 0, 2, 0, 0, 0, 0]);
        batch.extend(attributes.to_be_bytes());
        batch.extend(((last - first) as i32).to_be_bytes());
        batch.extend(times[0].to_be_bytes());
        batch.extend(times.iter().max().unwrap().to_be_bytes());
        batch.extend([0; 14]);
        batch.extend((offsets.len() as i32).to_be_bytes());
        batch.extend(records);
        batch
    }

    #[test]
    fn the_record_at_an_offset_or_behind_it_tells_its_time() {
        let mut batches = batch(0, &[10, 11, 14], &[1_000, 1_009, 1_003]);
        batches.extend(batch(0, &[15, 16], &[1_020, 1_030]));
        for (offset, time) in [
            (3, Some(1_000)),
            (10, Some(1_000)),
            (11, Some(1_009)),
            (12, Some(1_003)),
            (15, Some(1_020)),
            (16, Some(1_030)),
            (17, None),
        ] {
            assert_eq!(record_time(&batches, offset), time, "{offset}");
        }
    }

    #[test]
    fn within_a_compressed_batch_the_time_is_that_of_the_place() {
        let zstd = batch(4, &[10, 11, 14], &[1_000, 1_009, 1_008]);
        let times = [10, 12, 14].map(|offset| record_time(&zstd, offset));
        assert_eq!(times, [Some(1_000), Some(1_004), Some(1_009)]);
    }

    #[test]
    fn records_may_have_the_time_of_their_arrival() {
        let arrived = batch(APPEND_TIME, &[10, 11], &[5, 100]);
        assert_eq!(record_time(&arrived, 10), Some(100));
    }

    #[test]
    fn a_batch_that_is_cut_off_tells_as_much_as_its_head() {
        let whole = batch(0, &[10, 11, 12], &[1_000, 1_002, 1_004]);
        let head = 61;
        assert_eq!(record_time(&whole[..head + 9], 12), Some(1_004));
        for end in 0..head {
            assert_eq!(record_time(&whole[..end], 12), None, "{end}");
        }
    }
}
