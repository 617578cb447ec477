//! Messages of D-Bus.

use super::wire::{Malformed, Reader, Value, Writer};

/// What every message begins with: up to the length of its header fields.
pub(in super::super) const START_BYTES: usize = 16;

/// No message of systemd is anywhere near this long; the specification allows twice as much.
const MOST_BYTES: usize = 64 << 20;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Call = 1,
    Return = 2,
    Error = 3,
    Signal = 4,
}

impl Kind {
    /// Messages of kinds that there may be some day are to be passed over.
    fn from_number(number: u64) -> Option<Kind> {
        [Kind::Call, Kind::Return, Kind::Error, Kind::Signal]
            .into_iter()
            .find(|kind| *kind as u64 == number)
    }
}

/// A call to be made.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Call<'a> {
    pub destination: &'a str,
    pub path: &'a str,
    pub interface: &'a str,
    pub member: &'a str,
    /// Lists of texts and single texts to call it with.
    pub arguments: &'a [Argument<'a>],
}

/// What a method is called with.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Argument<'a> {
    Text(&'a str),
    Texts(&'a [String]),
}

const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const ERROR_NAME: u8 = 4;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

impl Call<'_> {
    /// The bytes of the message.
    pub(in super::super) fn encode(&self, serial: u32) -> Vec<u8> {
        let mut signature = String::new();
        let mut body = Writer::default();
        for argument in self.arguments {
            match argument {
                Argument::Text(text) => {
                    signature.push('s');
                    body.text(text);
                }
                Argument::Texts(texts) => {
                    signature.push_str("as");
                    body.texts(texts);
                }
            }
        }
        let fields = [
            (PATH, "o", self.path),
            (INTERFACE, "s", self.interface),
            (MEMBER, "s", self.member),
            (DESTINATION, "s", self.destination),
        ];
        encode(Kind::Call, serial, &fields, None, &signature, &body.bytes)
    }
}

/// The bytes of a message with these header fields.
pub(in super::super) fn encode(
    kind: Kind,
    serial: u32,
    texts: &[(u8, &str, &str)],
    reply_to: Option<u32>,
    signature: &str,
    body: &[u8],
) -> Vec<u8> {
    let mut message = Writer { bytes: vec![b'l', kind as u8, 0, 1] };
    message.number(body.len() as u32);
    message.number(serial);
    message.number(0);
    let start = message.bytes.len();
    for (code, kind, text) in texts {
        message.align(8);
        message.byte(*code);
        message.signature(kind);
        message.text(text);
    }
    if let Some(serial) = reply_to {
        message.align(8);
        message.byte(REPLY_SERIAL);
        message.signature("u");
        message.number(serial);
    }
    if !signature.is_empty() {
        message.align(8);
        message.byte(SIGNATURE);
        message.signature("g");
        message.signature(signature);
    }
    message.set_length(start);
    message.align(8);
    message.bytes.extend_from_slice(body);
    message.bytes
}

/// A message that was read.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Message {
    pub kind: Option<Kind>,
    pub serial: u32,
    pub reply_to: Option<u32>,
    pub error_name: Option<String>,
    pub path: Option<String>,
    pub member: Option<String>,
    pub values: Vec<Value>,
}

/// How long a message is that begins like this.
pub(in super::super) fn length(start: &[u8; START_BYTES]) -> Result<usize, Malformed> {
    let numbers = Reader::new(start, start[0] == b'B').values("yyyyuuu")?;
    let number = |at: usize| match numbers.get(at) {
        Some(Value::Unsigned(number)) => usize::try_from(*number).map_err(|_| Malformed),
        _ => Err(Malformed),
    };
    let (body, fields) = (number(4)?, number(6)?);
    let length = (START_BYTES + fields).next_multiple_of(8) + body;
    if length > MOST_BYTES { Err(Malformed) } else { Ok(length) }
}

impl Message {
    /// Reads a whole message.
    pub(in super::super) fn decode(bytes: &[u8]) -> Result<Message, Malformed> {
        let is_big_endian = bytes.first() == Some(&b'B');
        let mut reader = Reader::new(bytes, is_big_endian);
        let head = reader.values("yyyyuua(yv)")?;
        let [_, Value::Unsigned(kind), _, _, _, Value::Unsigned(serial), fields] = &head[..] else {
            return Err(Malformed);
        };
        let mut message = Message {
            kind: Kind::from_number(*kind),
            serial: u32::try_from(*serial).map_err(|_| Malformed)?,
            reply_to: None,
            error_name: None,
            path: None,
            member: None,
            values: Vec::new(),
        };
        let mut signature = String::new();
        for field in fields.items() {
            let [Value::Unsigned(code), value] = field.items() else { return Err(Malformed) };
            let text = || value.text().map(str::to_owned);
            match (u8::try_from(*code).unwrap_or(0), value) {
                (REPLY_SERIAL, Value::Unsigned(serial)) => {
                    message.reply_to = u32::try_from(*serial).ok();
                }
                (PATH, _) => message.path = text(),
                (MEMBER, _) => message.member = text(),
                (ERROR_NAME, _) => message.error_name = text(),
                (SIGNATURE, _) => signature = text().unwrap_or_default(),
                _ => {}
            }
        }
        reader.align(8);
        message.values = reader.values(&signature)?;
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_reads_back_as_what_it_was() {
        let texts = ["a".to_owned(), "bc".to_owned()];
        let call = Call {
            destination: "org.example.X",
            path: "/org/example",
            interface: "org.example.I",
            member: "Do",
            arguments: &[Argument::Texts(&texts), Argument::Text("x")],
        };
        let bytes = call.encode(7);
        assert_eq!(length(bytes[..START_BYTES].try_into().unwrap()), Ok(bytes.len()));
        let message = Message::decode(&bytes).unwrap();
        assert_eq!((message.kind, message.serial), (Some(Kind::Call), 7));
        assert_eq!(message.path.as_deref(), Some("/org/example"));
        assert_eq!(message.member.as_deref(), Some("Do"));
        let texts = Value::List(vec![Value::Text("a".into()), Value::Text("bc".into())]);
        assert_eq!(message.values, [texts, Value::Text("x".into())]);
        for end in 0..bytes.len() {
            let _ = Message::decode(&bytes[..end]);
        }
    }
}
