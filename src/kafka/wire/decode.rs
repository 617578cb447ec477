//! Reading answers: the primitives of Kafka's protocol, in the compact forms.
//!
//! # References
//! Kafka's protocol guide, "Protocol Primitive Types"; KIP-482 for the compact forms and tags.

/// An answer that does not hold what its version has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub(super) &'static str);

pub(super) type Decoded<T> = Result<T, Malformed>;

/// The longest list that is given memory before its items are read.
const TRUSTED_COUNT: usize = 1_024;

/// Takes one value after the other off the beginning of an answer.
#[derive(Debug, Clone)]
pub(super) struct Decoder<'b> {
    rest: &'b [u8],
}

impl<'b> Decoder<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Decoder<'b> {
        Decoder { rest: bytes }
    }

    /// How many bytes are left.
    pub(super) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn take(&mut self, count: usize) -> Decoded<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Malformed("it is cut off"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Malformed("it is cut off"))?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn boolean(&mut self) -> Decoded<bool> {
        Ok(self.int8()? != 0)
    }

    pub(super) fn int8(&mut self) -> Decoded<i8> {
        self.fixed().map(i8::from_be_bytes)
    }

    pub(super) fn int16(&mut self) -> Decoded<i16> {
        self.fixed().map(i16::from_be_bytes)
    }

    pub(super) fn int32(&mut self) -> Decoded<i32> {
        self.fixed().map(i32::from_be_bytes)
    }

    pub(super) fn int64(&mut self) -> Decoded<i64> {
        self.fixed().map(i64::from_be_bytes)
    }

    pub(super) fn float64(&mut self) -> Decoded<f64> {
        self.fixed().map(f64::from_be_bytes)
    }

    pub(super) fn skip_uuid(&mut self) -> Decoded<()> {
        self.take(16).map(drop)
    }

    fn unsigned_varint(&mut self) -> Decoded<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.fixed()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("a number in it does not end"))
    }

    /// A number of records, of which the sign stands in the lowest bit.
    pub(super) fn signed_varint(&mut self) -> Decoded<i64> {
        let value = self.unsigned_varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The length of a compact value, nothing where there is none.
    fn compact_length(&mut self) -> Decoded<Option<usize>> {
        let Some(length) = self.unsigned_varint()?.checked_sub(1) else { return Ok(None) };
        // Each item of a list has one byte at least.
        usize::try_from(length)
            .ok()
            .filter(|length| *length <= self.rest.len())
            .map(Some)
            .ok_or(Malformed("something in it is longer than the whole"))
    }

    pub(super) fn nullable_bytes(&mut self) -> Decoded<Option<&'b [u8]>> {
        match self.compact_length()? {
            Some(length) => self.take(length).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn nullable_string(&mut self) -> Decoded<Option<String>> {
        let Some(bytes) = self.nullable_bytes()? else { return Ok(None) };
        Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
    }

    pub(super) fn string(&mut self) -> Decoded<String> {
        Ok(self.nullable_string()?.unwrap_or_default())
    }

    pub(super) fn skip_string(&mut self) -> Decoded<()> {
        self.nullable_bytes().map(drop)
    }

    /// A text in the older form, with two bytes of length; nothing if that is negative.
    pub(super) fn plain_string(&mut self) -> Decoded<String> {
        let length = usize::try_from(self.int16()?).unwrap_or(0);
        Ok(String::from_utf8_lossy(self.take(length)?).into_owned())
    }

    /// A list; none counts as an empty one.
    pub(super) fn array<T>(
        &mut self,
        mut each: impl FnMut(&mut Decoder<'b>) -> Decoded<T>,
    ) -> Decoded<Vec<T>> {
        let count = self.compact_length()?.unwrap_or(0);
        let mut items = Vec::with_capacity(count.min(TRUSTED_COUNT));
        for _ in 0..count {
            items.push(each(self)?);
        }
        Ok(items)
    }

    /// A list of which the items matter to nobody.
    pub(super) fn skip_array(
        &mut self,
        mut each: impl FnMut(&mut Decoder<'b>) -> Decoded<()>,
    ) -> Decoded<()> {
        (0..self.compact_length()?.unwrap_or(0)).try_for_each(|_| each(self))
    }

    pub(super) fn int32s(&mut self) -> Decoded<Vec<i32>> {
        self.array(Decoder::int32)
    }

    /// The end of a struct; what newer brokers add there is passed over.
    pub(super) fn skip_tags(&mut self) -> Decoded<()> {
        for _ in 0..self.unsigned_varint()? {
            self.unsigned_varint()?;
            let size = self.unsigned_varint()?;
            self.take(usize::try_from(size).unwrap_or(usize::MAX))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::encode::Encoder;
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        proptest::proptest!(|(text: String, numbers: Vec<i32>, long: i64, bytes: Vec<u8>)| {
            let mut encoder = Encoder::default();
            encoder.string(&text);
            encoder.array(&numbers, |encoder, number| encoder.int32(*number));
            encoder.int64(long);
            encoder.compact_bytes(&bytes);
            encoder.no_tags();
            let written = encoder.into_bytes();
            let mut decoder = Decoder::new(&written);
            assert_eq!(decoder.string().unwrap(), text);
            assert_eq!(decoder.int32s().unwrap(), numbers);
            assert_eq!(decoder.int64().unwrap(), long);
            assert_eq!(decoder.nullable_bytes().unwrap().unwrap(), bytes);
            decoder.skip_tags().unwrap();
            assert_eq!(decoder.remaining(), 0);
        });
    }

    #[test]
    fn numbers_of_records_have_their_sign_in_the_lowest_bit() {
        for (bytes, number) in [
            (&[0][..], 0),
            (&[1], -1),
            (&[2], 1),
            (&[0x83, 0x01], -66),
            (&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], i64::MIN),
        ] {
            assert_eq!(Decoder::new(bytes).signed_varint(), Ok(number), "{bytes:?}");
        }
        assert!(Decoder::new(&[0x80; 10]).signed_varint().is_err());
    }

    #[test]
    fn lengths_beyond_the_end_take_no_memory() {
        let claims_much = [0xff, 0xff, 0xff, 0xff, 0x7f];
        let longer = Malformed("something in it is longer than the whole");
        assert_eq!(Decoder::new(&claims_much).string(), Err(longer));
        assert_eq!(Decoder::new(&claims_much).int32s(), Err(longer));
        assert_eq!(Decoder::new(&[]).int32(), Err(Malformed("it is cut off")));
        assert_eq!(Decoder::new(&[0, 9]).plain_string(), Err(Malformed("it is cut off")));
    }

    #[test]
    fn tags_of_newer_brokers_are_passed_over() {
        let mut decoder = Decoder::new(&[2, 0, 1, 0xaa, 7, 2, 0xbb, 0xcc, 5]);
        decoder.skip_tags().unwrap();
        assert_eq!(decoder.int8(), Ok(5));
    }
}
