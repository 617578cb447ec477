//! The settings of the input.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::http::tls::ServerTls;
use crate::plugin::BuildError;
use crate::plugin::settings::{Duration, Size};
use crate::socket::{
    Address, AddressError, Endianness, LengthField, ListenSettings, Packing, SplitError, Splitter,
};

/// What packets may come to when they are unpacked, unless another size is given.
const MAX_DECOMPRESSION_BYTES: u64 = 500 << 20;

/// The settings of the input.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Config {
    /// Where to listen.
    pub service_address: String,
    /// Permissions of a path, in octal digits.
    pub socket_mode: String,
    /// How many connections there may be; zero for any number.
    pub max_connections: u64,
    /// How long a connection may be silent; zero for ever.
    pub read_timeout: Duration,
    /// The size of the kernel's buffer; zero for its default.
    pub read_buffer_size: Size,
    /// Time between probes of connections; zero for none.
    pub keep_alive_period: Option<Duration>,
    /// How messages are packed.
    pub content_encoding: String,
    /// What packets may come to when they are unpacked; zero for 500 MiB.
    pub max_decompression_size: Size,
    /// Kept for configurations that have it.
    pub max_parallel_parsers: i64,
    /// Senders that are listened to; none listed is all.
    pub allowed_sources: Vec<String>,
    /// The one sender of a multicast group that is listened to.
    pub multicast_source: String,
    /// How connections are cut into messages.
    pub splitting_strategy: String,
    /// The bytes between messages, in hexadecimal digits.
    pub splitting_delimiter: String,
    /// The length of messages.
    pub splitting_length: i64,
    /// Where messages say how long they are.
    pub splitting_length_field: LengthFieldConfig,
}

/// Where messages say how long they are.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct LengthFieldConfig {
    /// Bytes before it.
    pub offset: i64,
    /// How many bytes it has.
    pub bytes: i64,
    /// `be` or `le`.
    pub endianness: String,
    /// Bytes to take off the beginning, which the length does not count.
    pub header_length: i64,
}

impl LengthFieldConfig {
    fn field(&self) -> Result<LengthField, SplitError> {
        let number = |number: i64, words| {
            usize::try_from(number).map_err(|_| SplitError::LengthField(words))
        };
        let bytes = number(self.bytes, "a number of 'bytes' from 1 to 8")?;
        if !(1..=8).contains(&bytes) {
            return Err(SplitError::LengthField("a number of 'bytes' from 1 to 8"));
        }
        Ok(LengthField {
            offset: number(self.offset, "an 'offset' that is not negative")?,
            bytes,
            endianness: match self.endianness.to_lowercase().as_str() {
                "" | "be" => Endianness::Big,
                "le" => Endianness::Little,
                _ => return Err(SplitError::Endianness(self.endianness.clone())),
            },
            header_length: number(self.header_length, "a 'header_length' that is not negative")?,
        })
    }
}

impl Config {
    /// Where to listen.
    ///
    /// # Errors
    /// If there is no such kind of socket.
    pub fn address(&self) -> Result<Address, BuildError> {
        Address::parse(&self.service_address).map_err(invalid::<AddressError>)
    }

    /// What the settings come to.
    ///
    /// # Errors
    /// If a value makes no sense.
    pub fn listen_settings(&self, tls: Option<ServerTls>) -> Result<ListenSettings, BuildError> {
        let splitter = Splitter::from_options(
            &self.splitting_strategy,
            &self.splitting_delimiter,
            self.splitting_length,
            || self.splitting_length_field.field(),
        );
        let ip = |option: &'static str, text: &str| {
            text.parse::<IpAddr>()
                .map(|address| address.to_canonical())
                .map_err(|_| BuildError::invalid(format!("{option}: invalid IP address {text:?}")))
        };
        let allowed = self.allowed_sources.iter().map(|text| ip("allowed_sources", text));
        let positive = |duration: Duration| Some(duration.to_std()).filter(|span| !span.is_zero());
        let buffer_bytes = usize::try_from(self.read_buffer_size.bytes()).unwrap_or(usize::MAX);
        Ok(ListenSettings {
            address: self.address()?,
            splitter: splitter.map_err(BuildError::invalid)?,
            packing: Packing::parse(&self.content_encoding).map_err(BuildError::invalid)?,
            max_decompression_bytes: match self.max_decompression_size.bytes() {
                0 => MAX_DECOMPRESSION_BYTES,
                bytes => bytes,
            },
            max_connections: usize::try_from(self.max_connections).ok().filter(|most| *most > 0),
            read_timeout: positive(self.read_timeout),
            read_buffer_bytes: Some(buffer_bytes).filter(|bytes| *bytes > 0),
            keep_alive: self.keep_alive_period.map(Duration::to_std),
            socket_mode: match self.socket_mode.as_str() {
                "" => None,
                digits => Some(u32::from_str_radix(digits, 8).map_err(|_| {
                    BuildError::invalid(format!(
                        "converting socket mode failed: {digits:?} is no octal number, such as \
                         \"660\""
                    ))
                })?),
            },
            allowed_sources: allowed.collect::<Result<_, _>>()?,
            multicast_source: match self.multicast_source.as_str() {
                "" => None,
                text => Some(text.parse().map_err(|_| {
                    BuildError::invalid(format!("invalid multicast_source address {text:?}"))
                })?),
            },
            tls,
        })
    }
}

fn invalid<E: Into<crate::plugin::PluginError>>(error: E) -> BuildError {
    BuildError::invalid(error)
}
