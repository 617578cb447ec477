//! Damages inputs by chance.

use fastrand::Rng;

/// Numbers at which types end and sums overflow.
const NUMBERS: [&str; 20] = [
    "0",
    "-1",
    "127",
    "255",
    "256",
    "32768",
    "65536",
    "2147483647",
    "-2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "1e-400",
    "1e999999999",
    "99999999999999999999999999999999999999",
];

/// Pieces of text that are valid UTF-8 but seldom thought of, and some that are not.
const TEXTS: [&[u8]; 12] = [
    b"\0",
    b"\r\n",
    b"\n\n",
    b"\xff",
    b"\xc3",
    b"\xe2\x82",
    b"\xef\xbb\xbf",
    "é".as_bytes(),
    "İ".as_bytes(),
    "\u{2028}".as_bytes(),
    "🦀".as_bytes(),
    b"\x1b[0m",
];

/// What inputs are made of.
pub(crate) struct Material<'m> {
    /// Inputs to splice with.
    pub(crate) corpus: &'m [Vec<u8>],
    /// Words of the language.
    pub(crate) tokens: &'m [Vec<u8>],
    /// How long an input may become.
    pub(crate) most_bytes: usize,
    /// How many bytes at the beginning of an input stay as they are.
    pub(crate) head: fn(&[u8]) -> usize,
}

impl Material<'_> {
    /// An input of the corpus, damaged in one place or several behind its head.
    pub(crate) fn damaged(&self, rng: &mut Rng) -> Vec<u8> {
        let mut any = || {
            let whole = rng.choice(self.corpus).map_or(&[][..], Vec::as_slice);
            whole.split_at((self.head)(whole))
        };
        let (own_head, input) = any();
        let (other_head, _) = any();
        let head = if rng.u8(0..4) == 0 { other_head } else { own_head };
        let mut input = input.to_vec();
        // Mostly little damage: much of it only ever reaches the first check.
        let most = 1 << rng.u32(0..4);
        for _ in 0..rng.u32(1..=most) {
            self.damage(&mut input, rng);
            input.truncate(self.most_bytes);
        }
        [head, &input].concat()
    }

    fn damage(&self, input: &mut Vec<u8>, rng: &mut Rng) {
        match rng.u32(0..100) {
            0..12 => flip(input, rng),
            12..22 => drop(input.drain(stretch(input.len(), rng))),
            22..32 => insert(input, &random_bytes(rng), rng),
            32..52 => {
                if let Some(token) = rng.choice(self.tokens) {
                    insert(input, token, rng);
                }
            }
            52..60 => self.replace_number(input, rng),
            60..66 => insert(input, TEXTS[rng.usize(0..TEXTS.len())], rng),
            66..76 => {
                let copied = input[stretch(input.len(), rng)].to_vec();
                insert(input, &copied, rng);
            }
            76..86 => self.splice(input, rng),
            86..90 => self.repeat(input, rng),
            90..93 => self.nest(input, rng),
            93..96 => input.truncate(rng.usize(0..=input.len())),
            _ => {
                // A byte that stands in it already: mostly one that has a meaning.
                if let Some(byte) = rng.choice(&*input).copied() {
                    insert(input, &[byte], rng);
                }
            }
        }
    }

    /// Goes on with the end of another input.
    fn splice(&self, input: &mut Vec<u8>, rng: &mut Rng) {
        let Some(other) = rng.choice(self.corpus) else { return };
        input.truncate(rng.usize(0..=input.len()));
        input.extend_from_slice(&other[rng.usize(0..=other.len())..]);
    }

    /// Repeats a piece until the input is very long: what takes quadratic time shows then.
    fn repeat(&self, input: &mut Vec<u8>, rng: &mut Rng) {
        let piece = match rng.choice(self.tokens) {
            Some(token) if rng.bool() => token.clone(),
            _ => input[stretch(input.len(), rng)].to_vec(),
        };
        let room = self.most_bytes.saturating_sub(input.len());
        let length = if rng.u8(0..16) == 0 { room } else { room.min(rng.usize(1..4096)) };
        if !piece.is_empty() {
            insert(input, &piece.repeat(length / piece.len()), rng);
        }
    }

    /// Repeats an opening piece and a closing one: what recurses without a limit shows then.
    fn nest(&self, input: &mut Vec<u8>, rng: &mut Rng) {
        const PAIRS: [(&[u8], &[u8]); 8] = [
            (b"(", b")"),
            (b"[", b"]"),
            (b"{", b"}"),
            (b"{\"a\":", b"}"),
            (b"[{\"a\":[", b"]}]"),
            (b"<a>", b"</a>"),
            (b"\"", b"\""),
            (b"${A:-", b"}"),
        ];
        let (open, close) = match (rng.choice(self.tokens), rng.choice(self.tokens)) {
            (Some(open), Some(close)) if rng.u8(0..3) == 0 => (&open[..], &close[..]),
            _ => PAIRS[rng.usize(0..PAIRS.len())],
        };
        let room = self.most_bytes / (open.len() + close.len()).max(1);
        let depth = if rng.u8(0..8) == 0 { room } else { rng.usize(1..200).min(room.max(1)) };
        let inner = if rng.bool() { &b"1"[..] } else { b"" };
        insert(input, &[&open.repeat(depth), inner, &close.repeat(depth)].concat(), rng);
    }

    fn replace_number(&self, input: &mut Vec<u8>, rng: &mut Rng) {
        let number = NUMBERS[rng.usize(0..NUMBERS.len())].as_bytes();
        let from = rng.usize(0..=input.len());
        let Some(start) = input[from..].iter().position(u8::is_ascii_digit) else {
            return insert(input, number, rng);
        };
        let start = from + start;
        let length = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        input.splice(start..start + length, number.iter().copied());
    }
}

fn flip(input: &mut [u8], rng: &mut Rng) {
    if let Some(byte) = rng.choice(&mut *input) {
        *byte = if rng.bool() { *byte ^ (1 << rng.u8(0..8)) } else { rng.u8(..) };
    }
}

fn insert(input: &mut Vec<u8>, piece: &[u8], rng: &mut Rng) {
    let at = rng.usize(0..=input.len());
    input.splice(at..at, piece.iter().copied());
}

fn random_bytes(rng: &mut Rng) -> Vec<u8> {
    let length = rng.usize(1..9);
    std::iter::repeat_with(|| if rng.bool() { rng.u8(b' '..b'\x7f') } else { rng.u8(..) })
        .take(length)
        .collect()
}

/// A stretch of an input of this length, mostly short.
fn stretch(length: usize, rng: &mut Rng) -> std::ops::Range<usize> {
    let start = rng.usize(0..=length);
    let most = if rng.u8(0..4) == 0 { length - start } else { (length - start).min(16) };
    start..start + rng.usize(0..=most)
}
