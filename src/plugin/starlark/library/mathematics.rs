//! The module `math.star`.

use std::f64::consts;

use super::super::failure::{Outcome, fail};
use super::super::number::{float_to_int, to_float};
use super::super::run::Machine;
use super::super::value::Value;
use super::call::{Call, want};
use super::{Builtin, Module, find};

/// The module.
pub(super) static MODULE: Module = Module {
    name: "math",
    member: |name| match name {
        "e" => Some(Value::Float(consts::E)),
        "pi" => Some(Value::Float(consts::PI)),
        _ => find(FUNCTIONS, name).map(Value::Builtin),
    },
    names: &[
        "acos",
        "acosh",
        "asin",
        "asinh",
        "atan",
        "atan2",
        "atanh",
        "ceil",
        "copysign",
        "cos",
        "cosh",
        "degrees",
        "e",
        "exp",
        "fabs",
        "floor",
        "gamma",
        "hypot",
        "log",
        "mod",
        "pi",
        "pow",
        "radians",
        "remainder",
        "round",
        "sin",
        "sinh",
        "sqrt",
        "tan",
        "tanh",
    ],
};

/// Its functions, by name.
pub(super) static FUNCTIONS: &[Builtin] = &[
    Builtin { name: "acos", run: of_one },
    Builtin { name: "acosh", run: of_one },
    Builtin { name: "asin", run: of_one },
    Builtin { name: "asinh", run: of_one },
    Builtin { name: "atan", run: of_one },
    Builtin { name: "atan2", run: of_two },
    Builtin { name: "atanh", run: of_one },
    Builtin { name: "ceil", run: to_whole },
    Builtin { name: "copysign", run: of_two },
    Builtin { name: "cos", run: of_one },
    Builtin { name: "cosh", run: of_one },
    Builtin { name: "degrees", run: of_one },
    Builtin { name: "exp", run: of_one },
    Builtin { name: "fabs", run: of_one },
    Builtin { name: "floor", run: to_whole },
    Builtin { name: "gamma", run: of_one },
    Builtin { name: "hypot", run: of_two },
    Builtin { name: "log", run: log },
    Builtin { name: "mod", run: of_two },
    Builtin { name: "pow", run: of_two },
    Builtin { name: "radians", run: of_one },
    Builtin { name: "remainder", run: of_two },
    Builtin { name: "round", run: of_one },
    Builtin { name: "sin", run: of_one },
    Builtin { name: "sinh", run: of_one },
    Builtin { name: "sqrt", run: of_one },
    Builtin { name: "tan", run: of_one },
    Builtin { name: "tanh", run: of_one },
];

fn number(call: &Call<'_>, at: usize) -> Outcome<f64> {
    let value = call.value(at);
    to_float(value).ok_or_else(|| call.wrong(at, &want(value, "float or int")))
}

fn of_one(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    let x = number(&call, 0)?;
    Ok(Value::Float(match call.name {
        "acos" => x.acos(),
        "acosh" => x.acosh(),
        "asin" => x.asin(),
        "asinh" => x.asinh(),
        "atan" => x.atan(),
        "atanh" => x.atanh(),
        "cos" => x.cos(),
        "cosh" => x.cosh(),
        "degrees" => 360.0 * x / (2.0 * consts::PI),
        "exp" => x.exp(),
        "fabs" => x.abs(),
        "gamma" => gamma(x),
        "radians" => 2.0 * consts::PI * x / 360.0,
        "round" => x.round(),
        "sin" => x.sin(),
        "sinh" => x.sinh(),
        "sqrt" => x.sqrt(),
        "tan" => x.tan(),
        _ => x.tanh(),
    }))
}

fn of_two(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(2, 2)?;
    let (x, y) = (number(&call, 0)?, number(&call, 1)?);
    Ok(Value::Float(match call.name {
        "atan2" => x.atan2(y),
        "copysign" => x.copysign(y),
        "hypot" => x.hypot(y),
        "mod" => x % y,
        "pow" => x.powf(y),
        _ => remainder(x, y),
    }))
}

/// The logarithm, natural unless there is a base.
fn log(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 2)?;
    let x = number(&call, 0)?;
    let base = if call.get(1).is_some() { number(&call, 1)? } else { consts::E };
    if base == 1.0 {
        fail!("division by zero")
    }
    Ok(Value::Float(x.ln() / base.ln()))
}

/// `ceil` and `floor`, which give whole numbers.
fn to_whole(_: &mut Machine, call: Call<'_>) -> Outcome {
    call.expect(1, 1)?;
    match call.value(0) {
        Value::Float(x) if call.name == "ceil" => float_to_int(x.ceil()),
        Value::Float(x) => float_to_int(x.floor()),
        whole @ (Value::Int(_) | Value::Big(_)) => Ok(whole.clone()),
        other => fail!("{}", want(other, "float or int")),
    }
}

/// What is left of `x` behind the nearest multiple of `y`, of two the even one.
fn remainder(x: f64, y: f64) -> f64 {
    if y.is_infinite() && x.is_finite() {
        return x;
    }
    let y = y.abs();
    // Exact, as twice the divisor is; below, x is smaller than that.
    let rest = if y <= f64::MAX / 2.0 { x.abs() % (y + y) } else { x.abs() };
    let half = y / 2.0;
    let mut rest = rest;
    if rest > half {
        rest -= y;
        if rest >= half {
            rest -= y;
        }
    }
    if x.is_sign_negative() { -rest } else { rest }
}

/// The gamma function by the approximation of Lanczos; of whole numbers it is exact.
fn gamma(x: f64) -> f64 {
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x == x.floor() {
        return match x {
            x if x == f64::NEG_INFINITY || x < 0.0 => f64::NAN,
            0.0 => f64::INFINITY.copysign(x),
            x if x > 171.0 => f64::INFINITY,
            x => (2..x as u32).map(f64::from).product(),
        };
    }
    if x < 0.5 {
        return consts::PI / ((consts::PI * x).sin() * gamma(1.0 - x));
    }
    let x = x - 1.0;
    let sum = TERMS
        .iter()
        .enumerate()
        .skip(1)
        .fold(TERMS[0], |sum, (at, term)| sum + term / (x + at as f64));
    let t = x + 7.5;
    // In two steps, since the power alone would soon be infinite.
    let power = t.powf((x + 0.5) / 2.0);
    (2.0 * consts::PI).sqrt() * power * (-t).exp() * power * sum
}
