//! The values that a script works with.

use std::sync::Arc;

use jiff::Zoned;
use num_bigint::BigInt;

use super::library::{Builtin, Module};
use super::text::Str;

/// The place of something in the heap.
pub(crate) type Id = u32;

/// Any value; what a script can change lies in the heap.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// What a variable holds before something is assigned to it; scripts never see it.
    Unset,
    /// What a variable holds that functions inside a function share; scripts never see it.
    Cell(Id),
    None,
    Bool(bool),
    Int(i64),
    /// A whole number beyond 64 bits.
    Big(Arc<BigInt>),
    Float(f64),
    Str(Str),
    Tuple(Arc<[Value]>),
    Range(Arc<Range>),
    Parts(Arc<Parts>),
    List(Id),
    Dict(Id),
    Set(Id),
    Function(Id),
    Builtin(&'static Builtin),
    Method(Arc<Method>),
    Module(&'static Module),
    Duration(i64),
    Time(Arc<Zoned>),
    Metric(Id),
    Tags(Id),
    Fields(Id),
}

/// Numbers at the same distance from each other.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    pub(crate) start: i64,
    pub(crate) stop: i64,
    pub(crate) step: i64,
    pub(crate) len: usize,
}

impl Range {
    /// Makes a range; `step` is not zero.
    pub(crate) fn new(start: i64, stop: i64, step: i64) -> Range {
        let span = if step > 0 {
            i128::from(stop) - i128::from(start)
        } else {
            i128::from(start) - i128::from(stop)
        };
        let step_size = i128::from(step).abs().max(1);
        let len = if span <= 0 { 0 } else { (span - 1) / step_size + 1 };
        Range { start, stop, step, len: usize::try_from(len).unwrap_or(usize::MAX) }
    }

    /// The number at a place below the length.
    pub(crate) fn get(&self, at: usize) -> i64 {
        self.start.wrapping_add((at as i64).wrapping_mul(self.step))
    }

    /// Whether a number is among them.
    pub(crate) fn contains(&self, number: i64) -> bool {
        let from_start = i128::from(number) - i128::from(self.start);
        let step = i128::from(self.step);
        from_start % step == 0 && (0..self.len as i128).contains(&(from_start / step))
    }
}

/// The parts of a string, as `elems` and its like give them.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) text: Str,
    pub(crate) of: PartsOf,
}

/// What the parts of a string are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartsOf {
    Bytes,
    ByteNumbers,
    Characters,
    CharacterNumbers,
}

/// A function of the language together with the value that it was taken from.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) receiver: Value,
    pub(crate) builtin: &'static Builtin,
}

impl Value {
    /// The value of some text.
    pub(crate) fn text(text: impl Into<Str>) -> Value {
        Value::Str(text.into())
    }

    /// The tuple of some values.
    pub(crate) fn tuple(values: impl Into<Arc<[Value]>>) -> Value {
        Value::Tuple(values.into())
    }

    /// What scripts call the type.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Value::Unset | Value::Cell(_) => "variable",
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::Big(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "string",
            Value::Tuple(_) => "tuple",
            Value::Range(_) => "range",
            Value::Parts(parts) => match parts.of {
                PartsOf::Bytes | PartsOf::ByteNumbers => "string.elems",
                PartsOf::Characters | PartsOf::CharacterNumbers => "string.codepoints",
            },
            Value::List(_) => "list",
            Value::Dict(_) => "dict",
            Value::Set(_) => "set",
            Value::Function(_) => "function",
            Value::Builtin(_) | Value::Method(_) => "builtin_function_or_method",
            Value::Module(_) => "module",
            Value::Duration(_) => "time.duration",
            Value::Time(_) => "time.time",
            Value::Metric(_) => "Metric",
            Value::Tags(_) => "Tags",
            Value::Fields(_) => "Fields",
        }
    }

    /// What Go calls the type, which stands in some of Telegraf's errors.
    pub(crate) fn go_type_name(&self) -> &'static str {
        match self {
            Value::Unset | Value::Cell(_) => "<nil>",
            Value::None => "starlark.NoneType",
            Value::Bool(_) => "starlark.Bool",
            Value::Int(_) | Value::Big(_) => "starlark.Int",
            Value::Float(_) => "starlark.Float",
            Value::Str(_) => "starlark.String",
            Value::Tuple(_) => "starlark.Tuple",
            Value::Range(_) => "starlark.rangeValue",
            Value::Parts(parts) => match parts.of {
                PartsOf::Bytes | PartsOf::ByteNumbers => "starlark.stringElems",
                PartsOf::Characters | PartsOf::CharacterNumbers => "starlark.stringCodepoints",
            },
            Value::List(_) => "*starlark.List",
            Value::Dict(_) => "*starlark.Dict",
            Value::Set(_) => "*starlark.Set",
            Value::Function(_) => "*starlark.Function",
            Value::Builtin(_) | Value::Method(_) => "*starlark.Builtin",
            Value::Module(_) => "*starlarkstruct.Module",
            Value::Duration(_) => "time.Duration",
            Value::Time(_) => "time.Time",
            Value::Metric(_) => "*starlark.Metric",
            Value::Tags(_) => "starlark.TagDict",
            Value::Fields(_) => "starlark.FieldDict",
        }
    }
}
