//! What type an expression has, as far as that can be said before there is a metric.
//!
//! The expression library decides types while it runs. Telegraf's decides before, so that a
//! condition that can never come to true or false is refused when the configuration is loaded.

use std::fmt;

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, MapExpr, StructExpr, operators,
};

use super::zones;

/// The type of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Timestamp,
    Duration,
    List,
    /// A map of strings to strings, which the tags are.
    Tags,
    Map,
    Null,
    /// The name of a type, such as `double`, which is a value too.
    Name,
    /// Known only when there is a metric.
    Dyn,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Bool => "bool",
            Type::Int => "int",
            Type::Uint => "uint",
            Type::Double => "double",
            Type::String => "string",
            Type::Bytes => "bytes",
            Type::Timestamp => "timestamp",
            Type::Duration => "duration",
            Type::List => "list",
            Type::Tags | Type::Map => "map",
            Type::Null => "null",
            Type::Name => "type",
            Type::Dyn => "dyn",
        })
    }
}

/// Why an expression can come to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeError {
    /// A variable or function that there is not.
    #[error("undeclared reference to '{0}'")]
    Undeclared(String),
    /// Operands that an operator does not take together.
    #[error("found no matching overload for '{operator}' applied to '({left}, {right})'")]
    Operands {
        /// The operator, such as `_>_`.
        operator: String,
        /// The type on its left.
        left: String,
        /// The type on its right.
        right: String,
    },
    /// An operand that is neither true nor false where one has to be.
    #[error("expected type 'bool' but found '{0}'")]
    NotBoolean(String),
}

/// The names of types, which are values too.
const TYPE_NAMES: [&str; 11] =
    ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type", "dyn"];

/// Functions by what they return; those that are not listed return something that depends.
const BOOLEAN_FUNCTIONS: [&str; 8] = [
    "bool",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "math.isNaN",
    "math.isInf",
    "math.isFinite",
];
const INTEGER_FUNCTIONS: [&str; 5] = ["int", "size", "indexOf", "lastIndexOf", "math.sign"];
const STRING_FUNCTIONS: [&str; 13] = [
    "string",
    "charAt",
    "format",
    "join",
    "lowerAscii",
    "upperAscii",
    "replace",
    "reverse",
    "substring",
    "trim",
    "quote",
    "strings.quote",
    "base64.encode",
];
const OTHER_FUNCTIONS: [(&str, Type); 9] = [
    ("uint", Type::Uint),
    ("double", Type::Double),
    ("bytes", Type::Bytes),
    ("base64.decode", Type::Bytes),
    ("timestamp", Type::Timestamp),
    ("now", Type::Timestamp),
    (zones::IN_ZONE, Type::Timestamp),
    ("duration", Type::Duration),
    ("split", Type::List),
];
/// Functions whose result is of the type of what they are given.
const DEPENDING_FUNCTIONS: [&str; 16] = [
    "dyn",
    "math.greatest",
    "math.least",
    "math.abs",
    "math.ceil",
    "math.floor",
    "math.round",
    "math.trunc",
    "math.sqrt",
    "math.bitAnd",
    "math.bitOr",
    "math.bitXor",
    "math.bitNot",
    "math.bitShiftLeft",
    "math.bitShiftRight",
    "optional.of",
];

/// How many expressions stand in each other at most.
pub(super) fn depth(expression: &IdedExpr) -> usize {
    let deepest = |parts: &mut dyn Iterator<Item = &IdedExpr>| parts.map(depth).max().unwrap_or(0);
    1 + match &expression.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => 0,
        Expr::Select(select) => depth(&select.operand),
        Expr::Call(call) => deepest(&mut call.target.as_deref().into_iter().chain(&call.args)),
        Expr::List(list) => deepest(&mut list.elements.iter()),
        Expr::Comprehension(c) => {
            let parts = [&c.iter_range, &c.accu_init, &c.loop_cond, &c.loop_step, &c.result];
            deepest(&mut parts.into_iter())
        }
        Expr::Map(MapExpr { entries }) | Expr::Struct(StructExpr { entries, .. }) => {
            deepest(&mut entries.iter().flat_map(|entry| match &entry.expr {
                EntryExpr::StructField(field) => vec![&field.value],
                EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
            }))
        }
    }
}

/// The type of an expression over the variables of a metric.
///
/// # Errors
/// The first part of it that can come to nothing.
pub(super) fn infer(expression: &IdedExpr) -> Result<Type, TypeError> {
    Scope { names: &[], outer: None }.infer(expression)
}

/// The variables that a macro such as `exists` brings.
struct Scope<'a> {
    names: &'a [&'a str],
    outer: Option<&'a Scope<'a>>,
}

impl Scope<'_> {
    fn holds(&self, name: &str) -> bool {
        self.names.contains(&name) || self.outer.is_some_and(|outer| outer.holds(name))
    }

    fn infer(&self, expression: &IdedExpr) -> Result<Type, TypeError> {
        Ok(match &expression.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => Type::Bool,
                LiteralValue::Bytes(_) => Type::Bytes,
                LiteralValue::Double(_) => Type::Double,
                LiteralValue::Int(_) => Type::Int,
                LiteralValue::Null => Type::Null,
                LiteralValue::String(_) => Type::String,
                LiteralValue::UInt(_) => Type::Uint,
            },
            Expr::Ident(name) => self.variable(name)?,
            Expr::Select(select) => match (self.infer(&select.operand)?, select.test) {
                (_, true) => Type::Bool,
                (Type::Tags, false) => Type::String,
                (_, false) => Type::Dyn,
            },
            Expr::List(list) => {
                list.elements.iter().try_for_each(|element| self.infer(element).map(drop))?;
                Type::List
            }
            Expr::Map(_) => Type::Map,
            Expr::Call(call) => self.call(call)?,
            Expr::Comprehension(comprehension) => self.comprehension(comprehension)?,
            Expr::Struct(_) | Expr::Unspecified => Type::Dyn,
        })
    }

    fn variable(&self, name: &str) -> Result<Type, TypeError> {
        if self.holds(name) {
            return Ok(Type::Dyn);
        }
        match name {
            "name" => Ok(Type::String),
            "tags" => Ok(Type::Tags),
            "fields" => Ok(Type::Map),
            "time" => Ok(Type::Timestamp),
            _ if TYPE_NAMES.contains(&name) => Ok(Type::Name),
            _ => Err(TypeError::Undeclared(name.to_owned())),
        }
    }

    fn comprehension(&self, comprehension: &ComprehensionExpr) -> Result<Type, TypeError> {
        self.infer(&comprehension.iter_range)?;
        let mut names = vec![comprehension.iter_var.as_str(), comprehension.accu_var.as_str()];
        names.extend(comprehension.iter_var2.as_deref());
        let inner = Scope { names: &names, outer: Some(self) };
        inner.infer(&comprehension.loop_step)?;
        // What is accumulated, which the macros return, is of the type that it begins with;
        // `exists_one` counts and compares in the end.
        match inner.infer(&comprehension.result)? {
            Type::Dyn => inner.infer(&comprehension.accu_init),
            known => Ok(known),
        }
    }

    fn call(&self, call: &CallExpr) -> Result<Type, TypeError> {
        let operator = call.func_name.as_str();
        let mut operands = Vec::with_capacity(2);
        let name = match call.target.as_deref() {
            Some(target) => match namespace(target, operator) {
                Some(name) => name,
                None => {
                    operands.push(self.infer(target)?);
                    operator.to_owned()
                }
            },
            None => operator.to_owned(),
        };
        for argument in &call.args {
            operands.push(self.infer(argument)?);
        }
        match (operator, operands.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT, operands) => {
                operands.iter().try_for_each(|operand| boolean(*operand))?;
                Ok(Type::Bool)
            }
            (operators::NOT_STRICTLY_FALSE | operators::IN, _) => Ok(Type::Bool),
            (operators::CONDITIONAL, [condition, yes, no]) => {
                boolean(*condition)?;
                Ok(if yes == no { *yes } else { Type::Dyn })
            }
            (
                operators::EQUALS
                | operators::NOT_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS
                | operators::LESS
                | operators::LESS_EQUALS,
                [left, right],
            ) if fits(*left, *right) => Ok(Type::Bool),
            (
                operators::EQUALS
                | operators::NOT_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS
                | operators::LESS
                | operators::LESS_EQUALS,
                [left, right],
            ) => Err(mismatch(operator, *left, *right)),
            (operators::INDEX, [Type::Tags, _]) => Ok(Type::String),
            (operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT, _) => Ok(Type::Dyn),
            (operators::NEGATE, [operand]) => Ok(*operand),
            (
                operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO,
                [left, right],
            ) => arithmetic(operator, *left, *right),
            _ => function(&name),
        }
    }
}

/// The full name of a function in a namespace, such as `math.greatest`.
fn namespace(target: &IdedExpr, function: &str) -> Option<String> {
    match &target.expr {
        Expr::Ident(name) if ["math", "base64", "strings", "optional"].contains(&name.as_str()) => {
            Some(format!("{name}.{function}"))
        }
        _ => None,
    }
}

fn function(name: &str) -> Result<Type, TypeError> {
    if BOOLEAN_FUNCTIONS.contains(&name) {
        return Ok(Type::Bool);
    }
    if INTEGER_FUNCTIONS.contains(&name) || zones::ACCESSORS.contains(&name) {
        return Ok(Type::Int);
    }
    if STRING_FUNCTIONS.contains(&name) {
        return Ok(Type::String);
    }
    if let Some((_, result)) = OTHER_FUNCTIONS.iter().find(|(known, _)| *known == name) {
        return Ok(*result);
    }
    match name {
        "type" => Ok(Type::Name),
        _ if DEPENDING_FUNCTIONS.contains(&name) || name.contains('@') => Ok(Type::Dyn),
        _ => Err(TypeError::Undeclared(name.to_owned())),
    }
}

fn boolean(operand: Type) -> Result<(), TypeError> {
    match operand {
        Type::Bool | Type::Dyn => Ok(()),
        other => Err(TypeError::NotBoolean(other.to_string())),
    }
}

fn fits(left: Type, right: Type) -> bool {
    let is_map = |type_| matches!(type_, Type::Tags | Type::Map);
    left == right || left == Type::Dyn || right == Type::Dyn || (is_map(left) && is_map(right))
}

fn arithmetic(operator: &str, left: Type, right: Type) -> Result<Type, TypeError> {
    use Type::{Duration, Dyn, Timestamp};
    match (operator, left, right) {
        (_, Dyn, Dyn) => Ok(Dyn),
        // What is known decides: a sum is of the type of its parts, save for times.
        (_, Dyn, known) | (_, known, Dyn) if !matches!(known, Timestamp | Duration) => Ok(known),
        (_, Dyn, _) | (_, _, Dyn) => Ok(Dyn),
        (operators::SUBSTRACT, Timestamp, Timestamp) => Ok(Duration),
        (operators::ADD | operators::SUBSTRACT, Timestamp, Duration)
        | (operators::ADD, Duration, Timestamp) => Ok(Timestamp),
        (_, left, right) if left == right => Ok(left),
        (_, left, right) => Err(mismatch(operator, left, right)),
    }
}

fn mismatch(operator: &str, left: Type, right: Type) -> TypeError {
    TypeError::Operands {
        operator: operator.to_owned(),
        left: left.to_string(),
        right: right.to_string(),
    }
}
