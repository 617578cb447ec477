//! Sprig's functions of regular expressions.

use regex::Regex;

use super::super::data::Data;
use super::super::error::Reason;
use super::{Answer, Call, Function, takes};

pub(super) const FUNCTIONS: &[Function] = &[
    takes(2, "regexMatch", |call| {
        // A pattern that is wrong matches nothing.
        let is_match = compiled(call).and_then(|pattern| Ok(pattern.is_match(call.text(1)?)));
        Ok(Data::Boolean(is_match.unwrap_or(false)))
    }),
    takes(2, "mustRegexMatch", |call| Ok(Data::Boolean(compiled(call)?.is_match(call.text(1)?)))),
    takes(3, "regexFindAll", find_all),
    takes(3, "mustRegexFindAll", find_all),
    takes(2, "regexFind", find),
    takes(2, "mustRegexFind", find),
    takes(3, "regexReplaceAll", replace),
    takes(3, "mustRegexReplaceAll", replace),
    takes(3, "regexReplaceAllLiteral", replace_literally),
    takes(3, "mustRegexReplaceAllLiteral", replace_literally),
    takes(3, "regexSplit", split),
    takes(3, "mustRegexSplit", split),
    takes(1, "regexQuoteMeta", |call| {
        let mut out = String::new();
        for c in call.text(0)?.chars() {
            if r"\.+*?()|[]{}^$".contains(c) {
                out.push('\\');
            }
            out.push(c);
        }
        Ok(Data::text(out))
    }),
];

/// How many patterns are kept compiled: a template that makes ever new ones must not grow.
const MOST_PATTERNS: usize = 64;

/// The pattern that the first argument is.
fn compiled(call: &Call<'_, '_>) -> Result<Regex, Reason> {
    let text = call.text(0)?;
    let mut patterns = call.world.patterns.borrow_mut();
    if let Some(pattern) = patterns.get(text) {
        return Ok(pattern.clone());
    }
    let pattern = Regex::new(text).map_err(|error| call.failure(error.to_string()))?;
    if patterns.len() == MOST_PATTERNS {
        patterns.clear();
    }
    patterns.insert(text.to_owned(), pattern.clone());
    Ok(pattern)
}

fn find<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let found = compiled(call)?.find(call.text(1)?).map(|found| found.as_str().to_owned());
    Ok(Data::text(found.unwrap_or_default()))
}

fn find_all<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    // A negative number asks for all.
    let most = usize::try_from(call.int(2)?).unwrap_or(usize::MAX);
    let (pattern, text) = (compiled(call)?, call.text(1)?);
    Ok(Data::texts(pattern.find_iter(text).take(most).map(|found| found.as_str().to_owned())))
}

fn replace<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (pattern, text, by) = (compiled(call)?, call.text(1)?, call.text(2)?);
    Ok(Data::text(pattern.replace_all(text, by).into_owned()))
}

fn replace_literally<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (pattern, text, by) = (compiled(call)?, call.text(1)?, call.text(2)?);
    Ok(Data::text(pattern.replace_all(text, regex::NoExpand(by)).into_owned()))
}

fn split<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (pattern, text) = (compiled(call)?, call.text(1)?);
    let most = usize::try_from(call.int(2)?).unwrap_or(usize::MAX);
    Ok(Data::texts(pattern.splitn(text, most).map(str::to_owned)))
}
