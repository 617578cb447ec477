//! Plugins that change metrics on their way.

pub mod clone;
pub mod converter;
pub mod date;
pub mod dedup;
pub mod defaults;
pub mod r#enum;
pub mod execd;
pub mod filter;
pub mod join;
pub mod lookup;
pub mod r#override;
pub mod parser;
pub mod pivot;
pub mod regex;
pub mod rename;
pub mod scale;
pub mod starlark;
pub mod strings;
pub mod table;
pub mod tag_limit;
pub mod template;
pub mod topk;
pub mod unpivot;
pub mod window;

use crate::plugin::{Declaration, Processor};

/// Every processor, sorted by name.
pub static ALL: &[&Declaration<dyn Processor>] = &[
    &clone::PLUGIN,
    &converter::PLUGIN,
    &date::PLUGIN,
    &dedup::PLUGIN,
    &defaults::PLUGIN,
    &r#enum::PLUGIN,
    &execd::PLUGIN,
    &filter::PLUGIN,
    &join::PLUGIN,
    &lookup::PLUGIN,
    &r#override::PLUGIN,
    &parser::PLUGIN,
    &pivot::PLUGIN,
    &regex::PLUGIN,
    &rename::PLUGIN,
    &scale::PLUGIN,
    &starlark::PLUGIN,
    &strings::PLUGIN,
    &table::PLUGIN,
    &tag_limit::PLUGIN,
    &template::PLUGIN,
    &topk::PLUGIN,
    &unpivot::PLUGIN,
    &window::PLUGIN,
];
