//! What can be wrong with a text.

use crate::plugin::Quoted;

/// What is wrong with a text, and on which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("text format parsing error in line {line}: {fault}")]
pub struct TextError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What can be wrong, in the words of the original.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The last line has no end.
    #[error("unexpected end of input stream")]
    End,
    /// A line begins with what is no name.
    #[error("invalid metric name")]
    NoName,
    /// A name has characters that names have not.
    #[error("invalid metric name {}", Quoted::new(.0))]
    Name(String),
    /// What a comment tells about is no name.
    #[error("invalid metric name in comment")]
    NameInComment,
    /// A name in quotes goes over the end of the line.
    #[error("metric name {} contains unescaped new-line", Quoted::new(.0))]
    NameWithNewline(String),
    /// There is a second name within braces.
    #[error("multiple metric names for metric {}", Quoted::new(.0))]
    SecondName(String),
    /// A name within braces is followed by something else than a comma or brace.
    #[error("unexpected end of metric name {}", QuotedChar(*.0))]
    AfterName(char),
    /// A backslash stands before something that needs none.
    #[error("invalid escape sequence '\\{0}'")]
    Escape(char),
    /// What describes the metric comes twice.
    #[error("second HELP line for metric name {}", Quoted::new(.0))]
    SecondHelp(String),
    /// The type comes twice, or too late.
    #[error("second TYPE line for metric name {}, or TYPE reported after samples", Quoted::new(.0))]
    SecondType(String),
    /// A type that there is not.
    #[error("unknown metric type {}", Quoted::new(.0))]
    Type(String),
    /// What should be a label has no name.
    #[error("invalid label name for metric {}", Quoted::new(.0))]
    NoLabelName(String),
    /// A label's name has characters that such names have not.
    #[error("invalid label name {}", Quoted::new(.0))]
    LabelName(String),
    /// A label is called as no label may be.
    #[error("label name {} is reserved", Quoted::new("__name__"))]
    ReservedLabel,
    /// A label comes twice.
    #[error("duplicate label names for metric {}", Quoted::new(.0))]
    DoubleLabel(String),
    /// A label has no value.
    #[error("expected '=' after label name, found {}", QuotedChar(*.0))]
    NoEquals(char),
    /// A label's value has no quotes.
    #[error("expected '\"' at start of label value, found {}", QuotedChar(*.0))]
    NoQuote(char),
    /// A label's value goes over the end of the line.
    #[error("label value {} contains unescaped new-line", Quoted::new(.0))]
    LabelValueWithNewline(String),
    /// A label is followed by something else than a comma or brace.
    #[error("unexpected end of label value {}", Quoted::new(.0))]
    AfterLabelValue(String),
    /// A quantile or bound is no number.
    #[error("expected float as value for '{label}' label, got {}", Quoted::new(value))]
    Point {
        /// Which of both it is.
        label: &'static str,
        /// What is there instead.
        value: String,
    },
    /// A value is no number.
    #[error("expected float as value, got {}", Quoted::new(.0))]
    Value(String),
    /// A histogram's count is below zero.
    #[error("negative count for histogram {}", Quoted::new(.0))]
    NegativeCount(String),
    /// A bucket's count is below zero.
    #[error("negative bucket population for histogram {}", Quoted::new(.0))]
    NegativeBucket(String),
    /// A time is no whole number.
    #[error("expected integer as timestamp, got {}", Quoted::new(.0))]
    Time(String),
    /// Something stands behind the time.
    #[error("spurious string after timestamp: {}", Quoted::new(.0))]
    AfterTime(String),
}

/// Shows a character in quotes as Go's `%q` does.
struct QuotedChar(char);

impl std::fmt::Display for QuotedChar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            '"' => f.write_str("'\"'"),
            '\'' => f.write_str("'\\''"),
            c => {
                let quoted = Quoted::new(c.encode_utf8(&mut [0; 4])).to_string();
                write!(f, "'{}'", quoted.trim_matches('"'))
            }
        }
    }
}
