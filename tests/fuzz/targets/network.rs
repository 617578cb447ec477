//! What comes over the network beside metrics: packed bodies, addresses, messages in streams.

use metric_agent::http::{ContentEncoding, Url, decode};
use metric_agent::socket::{Endianness, LengthField, Splitter, StreamEnd};

use super::{Run, Target, outcome_of};

/// What an unpacked body may have.
const MOST_BYTES: usize = 1 << 20;

pub(super) fn targets() -> Vec<Target> {
    vec![encodings(), addresses(), streams()]
}

fn encodings() -> Target {
    let corpus = || {
        let text = b"cpu,host=a usage=1.5 1700000000000000000\n".repeat(20);
        let packed = ContentEncoding::Gzip.encode(text.clone()).unwrap();
        let bomb = ContentEncoding::Gzip.encode(vec![0; 8 << 20]).unwrap();
        vec![text, packed.clone(), bomb, [packed.clone(), packed].concat()]
    };
    Target::new("network/encoding", corpus, &["\u{1f}", "\u{78}"], || -> Run {
        Box::new(|input| {
            let mut all = 0;
            for encoding in ["gzip", "deflate", "snappy", "identity"] {
                let result = decode(encoding, input.to_vec(), MOST_BYTES);
                if let Ok(body) = &result {
                    assert!(body.len() <= MOST_BYTES.max(input.len()));
                }
                all = outcome_of(result, |body| body.len()) ^ u64::rotate_left(all, 9);
            }
            all
        })
    })
}

fn addresses() -> Target {
    const CORPUS: &[&str] = &[
        "http://localhost:8086/write?db=a&b=%20",
        "https://user:pass@[::1]:443",
        "unix:///run/a.sock:/path",
        "tcp://:8094",
        "http://é.example/%zz#f",
        "//host",
        "udp://127.0.0.1:0",
    ];
    const TOKENS: &[&str] =
        &["://", ":", "/", "?", "#", "@", "[", "]", "%", "%41", "&", "=", "+", " ", "..", "::1"];
    Target::of_text("network/url", CORPUS, TOKENS, || {
        |text| {
            outcome_of(Url::parse(text), |url| {
                url.port_or_default();
                url.query_pairs();
                url.decoded_path();
                let shown = format!("{}{}", url.address(), url.target());
                url.joined("ping").target().len() + shown.len()
            })
        }
    })
}

/// Streams come to the same messages in whatever pieces they are read.
fn streams() -> Target {
    let corpus = || {
        vec![b"a b\nc\r\nd".to_vec(), b"\x00\x03abc\x00\x00\x00\x01x".to_vec(), b"a\0b\0".to_vec()]
    };
    Target::new("network/stream", corpus, &["\n", "\r\n", "\0", "\u{1}", "\u{7f}"], || -> Run {
        let field = |offset, bytes, endianness, header_length| {
            Splitter::VariableLength(LengthField { offset, bytes, endianness, header_length })
        };
        let splitters = [
            Splitter::Newline,
            Splitter::Delimiter(b"ab".to_vec()),
            Splitter::FixedLength(3),
            field(0, 2, Endianness::Big, 2),
            field(1, 8, Endianness::Little, 9),
        ];
        Box::new(move |input| {
            let input = &input[..input.len().min(2000)];
            splitters.iter().fold(0, |all, splitter| {
                let whole = messages(splitter, input, usize::MAX);
                assert_eq!(whole, messages(splitter, input, 1), "{splitter:?} byte by byte");
                all * 7 + whole.len().min(6) as u64
            })
        })
    })
}

fn messages(splitter: &Splitter, mut input: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let (mut held, mut found) = (Vec::new(), Vec::new());
    loop {
        let (now, later) = input.split_at(piece.min(input.len()));
        held.extend_from_slice(now);
        input = later;
        let end = if now.is_empty() { StreamEnd::Reached } else { StreamEnd::Open };
        while let Some(message) = splitter.first(&held, end) {
            assert!(message.taken > 0, "it goes on");
            found.push(held[message.bytes].to_vec());
            held.drain(..message.taken);
        }
        if now.is_empty() {
            return found;
        }
    }
}
