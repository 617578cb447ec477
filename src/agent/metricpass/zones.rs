//! Times of day in a time zone: `time.getHours('Europe/Berlin')`.
//!
//! The expression library would bring the rules of all time zones with it, 1.2 MiB of them, as old
//! as the program. Like everything else here, and like Telegraf, conditions ask the system's: where
//! an accessor is given a zone, the time is first put into that zone, and then asked without one.

use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr};
use cel::parser::Macro;
use cel::{Context, Env, ExecutionError, Value};
use chrono::{DateTime, FixedOffset};
use jiff::tz::TimeZone;

/// What a time is asked for; each is a whole number.
pub(super) const ACCESSORS: [&str; 10] = [
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];

/// Puts a time into a zone. No expression can name it, since names have no spaces.
pub(super) const IN_ZONE: &str = "time in zone";

/// A zone that is none.
const NO_ZONE: &str = "timezone";

/// Lets accessors that are given a zone ask for the time there.
pub(super) fn expand(env: &mut Env) {
    for accessor in ACCESSORS {
        let in_zone = Macro::receiver(accessor, 1, move |helper, target, arguments| {
            let (Some(time), Some(zone)) = (target.take(), arguments.pop()) else {
                return Ok(None);
            };
            let there = helper.next_expr(Expr::Call(CallExpr {
                func_name: IN_ZONE.to_owned(),
                target: None,
                args: vec![time, zone],
            }));
            Ok(Some(helper.next_expr(Expr::Call(CallExpr {
                func_name: accessor.to_owned(),
                target: Some(Box::new(there)),
                args: Vec::new(),
            }))))
        });
        // It fails only if there is one already.
        let _ = env.add_macro(in_zone);
    }
}

/// Adds the function that the accessors are expanded to.
pub(super) fn add(context: &mut Context<'_, '_>) {
    // The name is free, as no other has spaces.
    let _ = context.add_function(IN_ZONE, |time: DateTime<FixedOffset>, zone: Arc<String>| {
        offset(&time, &zone).map(|offset| Value::Timestamp(time.with_timezone(&offset)))
    });
}

/// How far a zone's clocks are ahead of UTC at this time. A zone is a name of the IANA database, a
/// difference such as `-05:30`, or nothing for UTC.
fn offset(time: &DateTime<FixedOffset>, zone: &str) -> Result<FixedOffset, ExecutionError> {
    let seconds = match zone.split_once(':') {
        Some((hours, minutes)) => difference(hours, minutes),
        None => {
            let name = if zone.is_empty() { "UTC" } else { zone };
            let unknown =
                |_| ExecutionError::function_error(NO_ZONE, format!("unknown time zone {name}"));
            let zone = TimeZone::get(name).map_err(unknown)?;
            // Times that only chrono knows lie beyond all rules, and long before or after them.
            let time = jiff::Timestamp::from_second(time.timestamp()).unwrap_or_default();
            Some(zone.to_offset(time).seconds())
        }
    };
    seconds
        .and_then(FixedOffset::east_opt)
        .ok_or_else(|| ExecutionError::function_error(NO_ZONE, format!("bad offset {zone}")))
}

/// Hours and minutes as seconds, the minutes on the side of the hours.
fn difference(hours: &str, minutes: &str) -> Option<i32> {
    let (whole, rest) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
    let in_range = (-23..=23).contains(&whole) && (0..=59).contains(&rest);
    let minutes = if hours.starts_with('-') { whole * 60 - rest } else { whole * 60 + rest };
    in_range.then_some(minutes * 60)
}
