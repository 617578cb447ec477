//! The smallest parts of a script.

use num_bigint::BigInt;

use crate::plugin::Quoted;

/// A part of a script.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    End,
    Newline,
    Indent,
    Outdent,
    Name(String),
    Int(BigInt),
    Float(f64),
    Text(String),
    /// A word that means something to the language.
    Word(&'static str),
    /// Operators and brackets.
    Sign(&'static str),
}

impl Token {
    /// How errors show the token.
    pub(crate) fn shown(&self) -> String {
        match self {
            Token::End => "end of file".to_owned(),
            Token::Newline => "newline".to_owned(),
            Token::Indent => "indent".to_owned(),
            Token::Outdent => "outdent".to_owned(),
            Token::Name(_) => "identifier".to_owned(),
            Token::Int(_) => "int literal".to_owned(),
            Token::Float(_) => "float literal".to_owned(),
            Token::Text(_) => "string literal".to_owned(),
            Token::Word(word) => (*word).to_owned(),
            Token::Sign(sign) => format!("'{sign}'"),
        }
    }
}

/// The words of the language.
pub(crate) const WORDS: [&str; 16] = [
    "and", "break", "continue", "def", "elif", "else", "for", "if", "in", "lambda", "load", "not",
    "or", "pass", "return", "while",
];

/// Words that are kept for the future.
pub(crate) const RESERVED: [&str; 16] = [
    "as", "async", "await", "class", "del", "except", "finally", "from", "global", "import", "is",
    "nonlocal", "raise", "try", "with", "yield",
];

/// The signs, longer ones before those that they begin with.
pub(crate) const SIGNS: [&str; 41] = [
    "//=", "<<=", ">>=", "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "+=", "-=", "*=", "/=",
    "%=", "&=", "|=", "^=", "+", "-", "*", "/", "%", "&", "|", "^", "~", "<", ">", "=", ".", ",",
    ";", ":", "(", ")", "[", "]", "{", "}",
];

/// What two values are joined by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Unequal,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
    In,
    NotIn,
    Or,
    Xor,
    And,
    ShiftLeft,
    ShiftRight,
    Plus,
    Minus,
    Times,
    Modulo,
    Divide,
    FloorDivide,
}

impl Operator {
    /// How it is written.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Operator::Equal => "==",
            Operator::Unequal => "!=",
            Operator::Less => "<",
            Operator::Greater => ">",
            Operator::LessOrEqual => "<=",
            Operator::GreaterOrEqual => ">=",
            Operator::In => "in",
            Operator::NotIn => "not in",
            Operator::Or => "|",
            Operator::Xor => "^",
            Operator::And => "&",
            Operator::ShiftLeft => "<<",
            Operator::ShiftRight => ">>",
            Operator::Plus => "+",
            Operator::Minus => "-",
            Operator::Times => "*",
            Operator::Modulo => "%",
            Operator::Divide => "/",
            Operator::FloorDivide => "//",
        }
    }

    /// The operator that a sign or word stands for; `not in` is put together by the parser.
    pub(crate) fn of(token: &Token) -> Option<Operator> {
        Some(match token {
            Token::Word("in") => Operator::In,
            Token::Sign(sign) => match *sign {
                "==" => Operator::Equal,
                "!=" => Operator::Unequal,
                "<" => Operator::Less,
                ">" => Operator::Greater,
                "<=" => Operator::LessOrEqual,
                ">=" => Operator::GreaterOrEqual,
                "|" => Operator::Or,
                "^" => Operator::Xor,
                "&" => Operator::And,
                "<<" => Operator::ShiftLeft,
                ">>" => Operator::ShiftRight,
                "+" => Operator::Plus,
                "-" => Operator::Minus,
                "*" => Operator::Times,
                "%" => Operator::Modulo,
                "/" => Operator::Divide,
                "//" => Operator::FloorDivide,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// How tightly it binds; `or`, `and` and `not` bind less than any of them.
    pub(crate) fn strength(self) -> u8 {
        match self {
            Operator::Equal
            | Operator::Unequal
            | Operator::Less
            | Operator::Greater
            | Operator::LessOrEqual
            | Operator::GreaterOrEqual
            | Operator::In
            | Operator::NotIn => 3,
            Operator::Or => 4,
            Operator::Xor => 5,
            Operator::And => 6,
            Operator::ShiftLeft | Operator::ShiftRight => 7,
            Operator::Plus | Operator::Minus => 8,
            Operator::Times | Operator::Modulo | Operator::Divide | Operator::FloorDivide => 9,
        }
    }
}

/// Writes a string as a script would have it.
pub(crate) fn quote(text: &str) -> String {
    Quoted::new(text).to_string()
}
