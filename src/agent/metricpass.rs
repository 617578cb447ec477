//! Conditions on whole metrics, written in CEL: `metricpass`.
//!
//! # References
//! The Common Expression Language, <https://cel.dev>; Telegraf's `docs/CONFIGURATION.md`, "Metric
//! Filtering", for the variables `name`, `tags`, `fields` and `time` and the function `now()`.

mod inference;
mod values;
mod zones;

use std::sync::{Arc, Mutex, PoisonError};
use std::{fmt, thread};

use cel::{Context, Env, ExecutionError, Program, Value};

use crate::metric::Metric;
use crate::plugin::PluginLog;
use crate::system::Clock;
use inference::{Type, TypeError};
use values::Variables;

/// How deep parts of a condition can stand in each other; the same as with Telegraf.
const MOST_DEPTH: usize = 250;

/// Stack for reading a condition: the expression library takes a good deal of it for each level, and
/// stops by itself only after many of them.
const STACK_BYTES: usize = 256 << 20;

/// Why a condition is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// The text is no CEL.
    #[error("{0}")]
    Syntax(String),
    /// Parts stand in each other too deep.
    #[error("expression recursion limit exceeded: {MOST_DEPTH}")]
    TooDeep,
    /// The system has no room for the thread that reads it.
    #[error("starting a thread: {0}")]
    Thread(String),
    /// Types do not fit, or something is not known.
    #[error("{0}")]
    Type(#[from] TypeError),
    /// It is an expression, but of something else than true or false.
    #[error("expression needs to return a boolean")]
    NotBoolean,
}

/// A compiled condition.
///
/// A metric about which the condition cannot be decided, because it asks for a field that is not
/// there for example, passes; the reason is logged when it is another one than the last time.
pub struct Condition {
    program: Program,
    context: Context<'static, 'static>,
    log: PluginLog,
    last_error: Mutex<String>,
}

impl Condition {
    /// Compiles an expression; `clock` is what `now()` asks.
    ///
    /// # Errors
    /// Whatever is wrong with the expression.
    pub fn new(
        expression: &str,
        clock: Arc<dyn Clock>,
        log: PluginLog,
    ) -> Result<Condition, ConditionError> {
        if nesting(expression) > MOST_DEPTH {
            return Err(ConditionError::TooDeep);
        }
        let env = Arc::new(environment());
        let program = thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(STACK_BYTES);
            let reader = thread
                .spawn_scoped(scope, || compile(&env, expression))
                .map_err(|error| ConditionError::Thread(error.to_string()))?;
            reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })?;
        let mut context = Context::with_env(env);
        // The name is free: the standard library has no clock.
        let _ = context.add_function("now", move || Value::Timestamp(values::time(clock.now())));
        zones::add(&mut context);
        Ok(Condition { program, context, log, last_error: Mutex::default() })
    }

    /// Whether the metric passes.
    pub fn passes(&self, metric: &Metric) -> bool {
        let variables = Variables(metric);
        let mut context = self.context.new_inner_scope();
        context.set_variable_resolver(&variables);
        match self.program.execute(&context) {
            Ok(Value::Bool(passes)) => passes,
            Ok(other) => {
                self.complain(format!("invalid result type {}", other.type_of()));
                true
            }
            Err(error) => {
                self.complain(words(&error));
                true
            }
        }
    }

    fn complain(&self, error: String) {
        let mut last = self.last_error.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != error {
            self.log.error(format_args!("filtering failed: {error}"));
            *last = error;
        }
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condition({:?})", self.program.source_info().source)
    }
}

/// Reads an expression and finds out whether it can come to true or false.
fn compile(env: &Env, expression: &str) -> Result<Program, ConditionError> {
    let program = env
        .compile(expression)
        .map_err(|errors| ConditionError::Syntax(errors.to_string().trim_end().to_owned()))?;
    if inference::depth(program.expression()) > MOST_DEPTH {
        return Err(ConditionError::TooDeep);
    }
    match inference::infer(program.expression())? {
        Type::Bool => Ok(program),
        _ => Err(ConditionError::NotBoolean),
    }
}

/// How many brackets are open at most, counted as if there were no strings.
fn nesting(expression: &str) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for byte in expression.bytes() {
        match byte {
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

fn environment() -> Env {
    let mut env = Env::stdlib();
    for extension in [cel::extensions::encoders, cel::extensions::math, cel::extensions::strings] {
        // An extension fails only if its functions were there already.
        let _ = env.add_extension(extension);
    }
    zones::expand(&mut env);
    env
}

/// What went wrong, as Telegraf's library words it where the cases are the same.
fn words(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::NoSuchOverload(_) => "no such overload".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Timestamp;
    use crate::system::fake::FakeClock;

    fn condition(expression: &str) -> Result<Condition, ConditionError> {
        let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(1_700_100_000)));
        Condition::new(expression, clock, PluginLog::new("inputs.test"))
    }

    fn metric() -> Metric {
        Metric::new("m", Timestamp::from_seconds(1_700_000_000))
            .with_tag("t", "a")
            .with_field("i", 5i64)
            .with_field("f", 1.5)
            .with_field("s", "abc")
            .with_field("b", true)
            .with_field("u", 7u64)
    }

    #[test]
    fn a_condition_may_nest_only_so_deep() {
        for (open, inner, close) in [
            ("(", "true", ")"),
            ("[", "1", "]"),
            ("{\"\":", "a", "}"),
            ("!", "true", ""),
            ("true ? true : ", "true", ""),
            ("", "name == 'a'", " + 'a'"),
            ("name.replace(", "name", ",'')"),
            ("[1].all(x, ", "true", ")"),
        ] {
            for depth in [40, 300, 3_000] {
                let expression = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
                // It is answered, and what is taken can be worked out: with optimization on a stack
                // of one mebibyte.
                if let Ok(condition) = condition(&expression) {
                    assert!(depth < 300 || open == "!", "{expression}");
                    let thread = thread::Builder::new().stack_size(32 << 20);
                    thread.spawn(move || condition.passes(&metric())).unwrap().join().unwrap();
                }
            }
        }
        let ten = format!("{}true{}", "(".repeat(10), ")".repeat(10));
        assert!(condition(&ten).unwrap().passes(&metric()));
        let deep = "(".repeat(251);
        let error = condition(&deep).unwrap_err().to_string();
        assert_eq!(error, "expression recursion limit exceeded: 250");
    }

    #[test]
    fn conditions_decide_by_name_tags_fields_and_time() {
        for (expression, passes) in [
            ("fields.f > 1", true),
            ("fields.f > 2", false),
            ("fields.i == 5.0", true),
            ("fields.u == 7", true),
            ("fields.b == false", false),
            ("fields[\"f\"] > 1", true),
            ("name == 'm' && tags.t == 'b'", false),
            ("has(fields.f) && fields.f > 1", true),
            ("has(fields.nope) && fields.nope > 1", false),
            ("name.matches('^m')", true),
            ("'t' in tags", true),
            ("tags.t in ['b', 'c']", false),
            ("math.greatest(fields.i, 3) == 5", true),
            ("name.upperAscii() == 'M'", true),
            ("base64.encode(b'a') == 'YQ=='", true),
            ("time < now()", true),
            ("now() - time > duration('24h')", true),
            ("now() - time > duration('48h')", false),
            ("time.getFullYear() == 2023", true),
            ("time.getHours() == 22 && time.getHours('') == 22", true),
            ("time.getHours('Europe/Berlin') == 23 && time.getDate('Asia/Tokyo') == 15", true),
            ("time.getHours('-05:30') == 16 && time.getMinutes('-05:30') == 43", true),
            // What cannot be decided passes.
            ("time.getHours('Mars/Base') == 0 && false", false),
            ("time.getHours('Mars/Base') == 0", true),
            ("time.getHours('24:00') == 0", true),
            ("fields.exists(k, k == 'f')", true),
            ("tags.t == 'a' ? true : false", true),
            ("!(fields.s.startsWith('ab') || false)", false),
            ("size(fields) == 5", true),
            ("type(fields.f) == double", true),
            ("true", true),
        ] {
            let condition = condition(expression).unwrap_or_else(|error| {
                panic!("{expression}: {error}");
            });
            assert_eq!(condition.passes(&metric()), passes, "{expression}");
        }
    }

    #[test]
    fn a_metric_passes_if_nothing_can_be_said_of_it() {
        for (expression, error) in [
            ("fields.nope > 1", "no such key: nope"),
            ("fields.s > 5", "no such overload"),
            ("tags.nope == 'a'", "no such key: nope"),
        ] {
            let condition = condition(expression).unwrap();
            assert!(condition.passes(&metric()), "{expression}");
            assert_eq!(*condition.last_error.lock().unwrap(), error, "{expression}");
        }
    }

    #[test]
    fn what_is_no_condition_is_refused() {
        for (expression, message) in [
            ("fields.i", "expression needs to return a boolean"),
            ("tags.t", "expression needs to return a boolean"),
            ("size(name)", "expression needs to return a boolean"),
            ("1", "expression needs to return a boolean"),
            ("foo == 1", "undeclared reference to 'foo'"),
            ("nofunc(name)", "undeclared reference to 'nofunc'"),
            ("name == 5", "found no matching overload for '_==_' applied to '(string, int)'"),
            (
                "fields.f + 1.0 > 2",
                "found no matching overload for '_>_' applied to '(double, int)'",
            ),
            ("name == 'm' && tags.t", "expected type 'bool' but found 'string'"),
        ] {
            assert_eq!(condition(expression).unwrap_err().to_string(), message, "{expression}");
        }
        assert!(matches!(condition("fields.f > "), Err(ConditionError::Syntax(_))));
    }
}
