//! Scripts as a whole: values, errors, what is freed, delivered and kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, json};

use super::*;
use crate::metric::{Accompany, Companion, Value as FieldValue};
use crate::plugin::Stateful;
use crate::system::fake::FakeClock;

fn load(text: &str) -> Result<Script, ScriptError> {
    let clock = Arc::new(FakeClock::at(Timestamp::from_seconds(1_700_000_000)));
    let log = PluginLog::new("processors.starlark");
    Script::new(Source { text, file: "" }, &Map::new(), log, clock)
}

fn applied(script: &mut Script, metric: Metric) -> Vec<Metric> {
    let mut out = Vec::new();
    script.apply(metric, &mut out);
    out
}

fn numbered(number: i64) -> Metric {
    Metric::new("m", Timestamp::from_nanos(number)).with_field("n", number)
}

/// The text of an expression's value, or the words of its failure.
fn shown(expression: &str) -> String {
    let text = format!(
        "def work(): return {expression}\n\
         def apply(metric):\n\
         \x20   values = []\n\
         \x20   failed = catch(lambda: values.append(repr(work())))\n\
         \x20   metric.fields['shown'] = failed or values[0]\n\
         \x20   return metric\n"
    );
    let mut script = load(&text).unwrap();
    match applied(&mut script, numbered(1))[0].field("shown") {
        Some(FieldValue::String(shown)) => shown.to_string(),
        other => panic!("{expression}: {other:?}"),
    }
}

#[test]
fn whole_numbers_have_any_size() {
    for (expression, expected) in [
        ("9223372036854775807 + 1", "9223372036854775808"),
        ("-9223372036854775807 - 2", "-9223372036854775809"),
        ("(1 << 64) - (1 << 64) + 3", "3"),
        ("-(1 << 64) // 3", "-6148914691236517206"),
        ("-(1 << 64) % 7", "5"),
        ("-9223372036854775807 // -1", "9223372036854775807"),
        ("(1 << 64) == 18446744073709551616.0", "True"),
        ("(1 << 53) + 1 > float(1 << 53)", "True"),
        ("{1: 'one'}[1.0]", "\"one\""),
        ("int(1e20)", "100000000000000000000"),
        ("1 << 512", "shift count too large: 512"),
        ("7 // 0", "floored division by zero"),
        ("-7 // 2", "-4"),
        ("7 % -3", "-2"),
    ] {
        assert_eq!(shown(expression), expected, "{expression}");
    }
}

#[test]
fn floats_are_written_as_in_go() {
    for (expression, expected) in [
        ("1.5", "1.5"),
        ("100000.0", "100000.0"),
        ("1e6", "1e+06"),
        ("1e-5", "1e-05"),
        ("1e308 * 10", "+inf"),
        ("float('nan')", "nan"),
        ("'%f %e %G' % (1, 1.5, 1e-7)", "\"1.000000 1.500000e+00 1E-07\""),
    ] {
        assert_eq!(shown(expression), expected, "{expression}");
    }
}

#[test]
fn strings_count_bytes_and_stay_text() {
    for (expression, expected) in [
        ("len('zł')", "3"),
        ("'zł'.find('ł')", "1"),
        ("'zł'[1:]", "\"ł\""),
        ("'zł'[1:2]", "\"\u{fffd}\""),
        ("list('zł'.codepoints())", "[\"z\", \"ł\"]"),
        ("list('zł'.elem_ords())", "[122, 197, 130]"),
    ] {
        assert_eq!(shown(expression), expected, "{expression}");
    }
}

#[test]
fn names_that_are_not_there_come_with_a_guess() {
    let error = load("def apply(metric):\n    return metrik\n").err().unwrap();
    assert_eq!(error.to_string(), ":2:12: undefined: metrik (did you mean metric?)");
    assert_eq!(shown("''.uper()"), "string has no .uper field or method (did you mean .upper?)");
}

#[test]
fn a_script_needs_the_function_apply_of_one_metric() {
    for (text, expected) in [
        ("", "apply is not defined"),
        ("apply = 1", "apply is not a function"),
        ("def apply(a, b): pass", "apply function must take 1 parameter(s)"),
        ("x = 1 / 0", "floating-point division by zero"),
        ("while 1: pass", ":1:1: this Starlark dialect does not support while loops"),
        ("load('os.star', 'os')", "cannot load os.star: module os.star is not available"),
    ] {
        assert_eq!(load(text).err().unwrap().to_string(), expected, "{text}");
    }
}

#[test]
fn endless_recursion_and_deep_nesting_are_errors() {
    // Code that is not optimized takes several times the stack.
    let checks = std::thread::Builder::new().stack_size(4 << 20).spawn(check_depths).unwrap();
    checks.join().unwrap();
}

fn check_depths() {
    let mut script = load(
        "def deeper(n):\n    return sorted([n], key = lambda x: [deeper(x + 1) for y in [x]][0])\n\
         def apply(metric):\n    metric.fields['e'] = catch(lambda: deeper(0))\n    return metric\n",
    )
    .unwrap();
    let out = applied(&mut script, numbered(1));
    assert_eq!(out[0].field("e"), Some(&FieldValue::from("Starlark stack overflow")));
    for (open, close) in [("(", ")"), ("[", "]"), ("-", ""), ("not ", ""), ("f(", ")")] {
        let text = format!("x = {}1{}", open.repeat(5000), close.repeat(5000));
        assert!(matches!(load(&text), Err(ScriptError::Syntax(_))), "{open}");
    }
    let sum = vec!["1"; 5000].join(" + ");
    assert_eq!(shown(&sum), "5000");
}

#[test]
fn what_scripts_make_is_freed_again() {
    let mut script = load(
        "def apply(metric):\n\
         \x20   rounds = state.setdefault('rounds', [])\n\
         \x20   if len(rounds) == 50:\n        rounds.clear()\n\
         \x20   rounds.append({'metric': deepcopy(metric), 'around': rounds})\n\
         \x20   inner = lambda: [inner, metric.fields.items()]\n\
         \x20   return [deepcopy(metric), inner()[1] and metric]\n",
    )
    .unwrap();
    let mut out = Vec::new();
    let mut most = 0;
    for number in 0..100_000 {
        script.apply(numbered(number), &mut out);
        assert_eq!(out.len(), 2);
        out.clear();
        most = most.max(script.machine.heap.in_use());
    }
    assert!(most < 1000, "{most} objects");
    let kept = script.machine.index(&Value::Dict(script.state.unwrap()), &Value::text("rounds"));
    assert_eq!(script.machine.len(&kept.unwrap()), Some(50));
}

struct Settled(Arc<AtomicUsize>);

impl Accompany for Settled {}

impl Drop for Settled {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_metric_is_delivered_when_all_that_takes_part_is_done_with() {
    // What is given back, whether copies take part, how many metrics hold up the delivery.
    for (back, holding) in [
        ("metric", 1),
        ("None", 0),
        ("deepcopy(metric)", 0),
        ("deepcopy(metric, track = True)", 1),
        ("[metric, deepcopy(metric)]", 1),
        ("[deepcopy(metric, track = True), metric]", 2),
        ("fail('no')", 0),
        ("Metric('other')", 0),
    ] {
        let mut script = load(&format!("def apply(metric):\n    return {back}\n")).unwrap();
        let settled = Arc::new(AtomicUsize::new(0));
        let mut metric = numbered(1);
        metric.companion = Companion::new(Arc::new(Settled(Arc::clone(&settled))));
        let out = applied(&mut script, metric);
        let held = out.iter().filter(|metric| !metric.companion.is_none()).count();
        assert_eq!(held, holding, "{back}");
        assert_eq!(settled.load(Ordering::SeqCst), usize::from(holding == 0), "{back}");
        drop(out);
        script.apply(numbered(2), &mut Vec::new());
        script.collect();
        // A copy that the script let go of may wait until room is wanted.
        if !back.contains("track") {
            assert_eq!(settled.load(Ordering::SeqCst), 1, "{back}");
        }
    }
}

#[test]
fn a_metric_that_was_given_back_is_not_changed_afterwards() {
    let mut script = load(
        "def apply(metric):\n\
         \x20   last = state.setdefault('last', deepcopy(metric))\n\
         \x20   last.fields['n'] += 10\n\
         \x20   return last\n",
    )
    .unwrap();
    let first = applied(&mut script, numbered(1));
    let second = applied(&mut script, numbered(2));
    assert_eq!(first[0].field("n"), Some(&FieldValue::Integer(11)));
    assert_eq!(second[0].field("n"), Some(&FieldValue::Integer(21)));
}

#[test]
fn the_state_outlives_the_script() {
    let text = "def apply(metric):\n\
                \x20   state['count'] = state.get('count', 0) + 1\n\
                \x20   state['share'] = 0.5 * state['count'] * 2\n\
                \x20   state['odd'] = state['count'] % 2 == 1\n\
                \x20   state['inf'] = 1e308 * 10\n\
                \x20   state['name'] = metric.name\n\
                \x20   state['list'] = []\n\
                \x20   metric.fields['count'] = state['count']\n\
                \x20   return metric\n";
    let mut script = load(text).unwrap();
    applied(&mut script, numbered(1));
    let state = script.state();
    let expected = json!({
        "count": 1, "share": 1.0, "odd": true, "inf": {"float": "inf"}, "name": "m",
    });
    assert_eq!(state, expected);
    let mut next = load(text).unwrap();
    next.set_state(serde_json::from_str(&state.to_string()).unwrap()).unwrap();
    assert_eq!(next.state(), state);
    let out = applied(&mut next, numbered(2));
    assert_eq!(out[0].field("count"), Some(&FieldValue::Integer(2)));
    assert!(next.set_state(json!("text")).is_err());
    next.set_state(json!(null)).unwrap();
    let mut without = load("def apply(metric): return metric").unwrap();
    assert_eq!(without.state(), json!(null));
    without.set_state(state).unwrap();
}

#[test]
fn a_state_that_the_script_declares_can_be_changed() {
    let mut script = load(
        "state = {'n': 5}\nother = {}\n\
         def apply(metric):\n\
         \x20   state['n'] += 1\n\
         \x20   metric.fields['n'] = state['n']\n\
         \x20   metric.fields['e'] = catch(lambda: other.update(a = 1))\n\
         \x20   return metric\n",
    )
    .unwrap();
    applied(&mut script, numbered(1));
    let out = applied(&mut script, numbered(1));
    assert_eq!(out[0].field("n"), Some(&FieldValue::Integer(7)));
    let words = FieldValue::from("update: cannot insert into frozen hash table");
    assert_eq!(out[0].field("e"), Some(&words));
}

#[test]
fn functions_share_variables_with_those_inside() {
    let out = shown("[f() for f in (lambda box: [lambda: box, lambda: box + box])([1])]");
    assert_eq!(out, "[[1], [1, 1]]");
    assert_eq!(shown("[(lambda: i)() for i in range(3)]"), "[0, 1, 2]");
}
