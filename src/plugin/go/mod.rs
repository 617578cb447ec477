//! Text as Go reads and writes it, which is what Telegraf's options and data are made of: numbers,
//! regular expressions and what they are replaced by.

mod base64;
mod convert;
mod number;
mod regex;

pub use base64::{Base64Error, decode_base64};
pub use convert::{ConvertError, to_bool, to_float, to_integer, to_text, to_unsigned, type_name};
pub use number::{NumberError, parse_bool, parse_float, parse_integer, parse_unsigned};
pub use regex::{Regex, RegexError, Replacer, SyntaxFault};
