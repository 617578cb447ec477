//! The functions that templates can call: Go's own, and those of the sprig library.
//!
//! # References
//! Go's `text/template`, "Functions"; sprig's documentation.

mod compare;
mod date;
mod dict;
mod encode;
mod list;
mod number;
mod path;
mod pattern;
mod standard;
mod text;

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use regex::Regex;

use super::data::{Data, Dict};
use super::error::Reason;
use crate::system::System;

/// Which functions a template may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// Go's own.
    Standard,
    /// Go's own, and `join` with the separator behind the list, as `strings.Join` has it.
    Joining,
    /// Go's own and those of the sprig library.
    Sprig,
}

/// A function by its name and the number of its arguments.
pub(super) struct Function {
    pub(super) name: &'static str,
    least: usize,
    most: usize,
    pub(super) run: Run,
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What a function yields.
pub(super) type Answer<'a> = Result<Data<'a>, Reason>;

type Body = for<'c, 'a> fn(&Call<'c, 'a>) -> Answer<'a>;

/// How a function is carried out.
#[derive(Clone, Copy)]
pub(super) enum Run {
    /// With all its arguments evaluated.
    Eager(Body),
    /// Up to the first argument that is false.
    And,
    /// Up to the first argument that is true.
    Or,
}

/// Any number of arguments.
const MANY: usize = usize::MAX;

/// A function with a fixed number of arguments.
const fn takes(count: usize, name: &'static str, run: Body) -> Function {
    Function { name, least: count, most: count, run: Run::Eager(run) }
}

/// A function that takes as many arguments as there are, and a least number of them.
const fn takes_any(least: usize, name: &'static str, run: Body) -> Function {
    Function { name, least, most: MANY, run: Run::Eager(run) }
}

const STANDARD: [&[Function]; 2] = [standard::FUNCTIONS, compare::FUNCTIONS];

const SPRIG: [&[Function]; 8] = [
    text::FUNCTIONS,
    number::FUNCTIONS,
    list::FUNCTIONS,
    dict::FUNCTIONS,
    date::FUNCTIONS,
    path::FUNCTIONS,
    encode::FUNCTIONS,
    pattern::FUNCTIONS,
];

/// Sprig's functions for keys, certificates, passwords, versions and names of hosts, which have
/// no use on metrics.
const LEFT_OUT: [&str; 16] = [
    "bcrypt",
    "htpasswd",
    "genPrivateKey",
    "derivePassword",
    "buildCustomCert",
    "genCA",
    "genCAWithKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "encryptAES",
    "decryptAES",
    "getHostByName",
    "semver",
    "semverCompare",
];

/// The function of this name.
///
/// # Errors
/// If there is none; the message is Go's.
pub(super) fn find(name: &str, library: Library) -> Result<&'static Function, String> {
    static STANDARD_FUNCTIONS: [&[Function]; 2] = STANDARD;
    static SPRIG_FUNCTIONS: [&[Function]; 8] = SPRIG;
    static JOINING_FUNCTIONS: [&[Function]; 1] = [list::STRINGS_JOIN];
    let sprig: &'static [&'static [Function]] = match library {
        Library::Standard => &[],
        Library::Joining => &JOINING_FUNCTIONS,
        Library::Sprig => &SPRIG_FUNCTIONS,
    };
    // Sprig's functions hide Go's of the same name, such as `slice`.
    let mut all = sprig.iter().chain(&STANDARD_FUNCTIONS).flat_map(|functions| functions.iter());
    match all.find(|function| function.name == name) {
        Some(function) => Ok(function),
        None if library == Library::Sprig && LEFT_OUT.contains(&name) => {
            Err(format!("function {name:?} is not supported by this version"))
        }
        None => Err(format!("function {name:?} not defined")),
    }
}

impl Function {
    pub(super) fn check_count(&self, got: usize) -> Result<(), Reason> {
        if (self.least..=self.most).contains(&got) {
            return Ok(());
        }
        let is_open = self.most == MANY;
        Err(Reason::WrongCount { function: self.name.to_owned(), want: self.least, got, is_open })
    }
}

/// What functions may need beside their arguments.
pub(super) struct World {
    system: System,
    /// Compiled patterns by their text: most templates name the same one for every metric.
    patterns: RefCell<HashMap<String, Regex>>,
    random: RefCell<fastrand::Rng>,
}

impl World {
    pub(super) fn new(system: System) -> World {
        let random = RefCell::new(system.random.derive("templates"));
        World { system, patterns: RefCell::default(), random }
    }
}

/// One call of a function.
pub(super) struct Call<'c, 'a> {
    name: &'static str,
    pub(super) values: &'c [Data<'a>],
    pub(super) world: &'c World,
}

impl<'c, 'a> Call<'c, 'a> {
    pub(super) fn new(
        name: &'static str,
        values: &'c [Data<'a>],
        world: &'c World,
    ) -> Call<'c, 'a> {
        Call { name, values, world }
    }

    /// The argument at this place; missing ones are nil.
    fn value(&self, at: usize) -> &'c Data<'a> {
        self.values.get(at).unwrap_or(&Data::Nil)
    }

    /// The arguments from this place on.
    fn rest(&self, at: usize) -> &'c [Data<'a>] {
        self.values.get(at..).unwrap_or_default()
    }

    fn text(&self, at: usize) -> Result<&'c str, Reason> {
        match self.value(at) {
            Data::Text(text) => Ok(text),
            other => Err(wrong_type("string", other)),
        }
    }

    fn int(&self, at: usize) -> Result<i64, Reason> {
        match self.value(at) {
            Data::Int(value) => Ok(*value),
            other => Err(wrong_type("int", other)),
        }
    }

    fn boolean(&self, at: usize) -> Result<bool, Reason> {
        match self.value(at) {
            Data::Boolean(value) => Ok(*value),
            other => Err(wrong_type("bool", other)),
        }
    }

    fn dict(&self, at: usize) -> Result<&'c Dict<'a>, Reason> {
        match self.value(at) {
            Data::Dict(dict) if !dict.is_of_texts() => Ok(dict),
            other => Err(wrong_type("map[string]interface {}", other)),
        }
    }

    /// The elements of a list; `verb` is what was to be done with it, for the message.
    fn list(&self, at: usize, verb: &str) -> Result<Vec<Data<'a>>, Reason> {
        let value = self.value(at);
        let reason = || self.failure(format!("Cannot {verb} type {}", value.kind_name()));
        value.as_list().ok_or_else(reason)
    }

    fn failure(&self, reason: impl Into<String>) -> Reason {
        Reason::Call { function: self.name.to_owned(), reason: reason.into() }
    }
}

fn wrong_type(expected: &'static str, value: &Data<'_>) -> Reason {
    match value {
        Data::Nil => Reason::NoValue { expected },
        other => Reason::WrongType { expected, found: other.type_name() },
    }
}

/// Makes a dictionary from pairs.
fn dict_of<'a>(entries: impl IntoIterator<Item = (String, Data<'a>)>) -> Data<'a> {
    Data::dict(entries.into_iter().collect::<BTreeMap<_, _>>())
}
