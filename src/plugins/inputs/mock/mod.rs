//! Makes metrics up, for tests and demonstrations.
//!
//! # References
//! Telegraf's `inputs.mock`.

mod config;
mod sine;

use std::f64::consts::PI;

use compact_str::CompactString;

use crate::metric::{Field, Metric, Tag, Value};
use crate::plugin::{
    Accumulator, Build, BuildError, Context, Declaration, DeprecatedOption, Input, PluginError,
};

pub use config::{Config, Constant, ConstantValue, Random, SineWave, Step, Stock};
use sine::sine;

/// Declares `inputs.mock`.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::new::<Config>("mock", include_str!("sample.conf")).deprecating(&[MIN, MAX]);

const MIN: DeprecatedOption = DeprecatedOption {
    option: "min",
    since: "1.28.2",
    removal: "1.35.0",
    notice: "use 'start' instead",
};
const MAX: DeprecatedOption = DeprecatedOption {
    option: "max",
    since: "1.28.2",
    removal: "1.35.0",
    notice: "use 'step' instead",
};

/// No price falls below this.
const LOWEST_PRICE: f64 = 1.0;

impl Build<dyn Input> for Config {
    fn build(self, context: &Context<'_>) -> Result<Box<dyn Input>, BuildError> {
        let steps = self.step.unwrap_or_default();
        if steps.iter().any(|step| step.min != 0.0) {
            MIN.log_use_in("inputs.mock");
        }
        if steps.iter().any(|step| step.max != 0.0) {
            MAX.log_use_in("inputs.mock");
        }
        let tags = self.tags.unwrap_or_default();
        Ok(Box::new(Mock {
            name: self.metric_name.into(),
            tags: tags
                .into_iter()
                .map(|(key, value)| Tag { key: key.into(), value: value.into() })
                .collect(),
            chance: context.system.random.derive(context.log.name()),
            random: self.random.unwrap_or_default(),
            stock: self.stock.unwrap_or_default().into_iter().map(RunningStock::new).collect(),
            sine_wave: self.sine_wave.unwrap_or_default(),
            step: steps.iter().map(RunningStep::new).collect(),
            constants: self.constant.unwrap_or_default().iter().filter_map(constant).collect(),
            round: 0,
        }))
    }
}

/// The field of a constant; none for values that no field can have.
fn constant(constant: &Constant) -> Option<Field> {
    let value = match &constant.value {
        ConstantValue::Boolean(value) => Value::from(*value),
        ConstantValue::Integer(value) => Value::from(*value),
        ConstantValue::Float(value) => Value::from(*value),
        ConstantValue::String(value) => Value::from(value.as_str()),
        ConstantValue::Other => return None,
    };
    Some(Field { key: constant.name.as_str().into(), value })
}

struct Mock {
    name: CompactString,
    tags: Vec<Tag>,
    chance: fastrand::Rng,
    random: Vec<Random>,
    stock: Vec<RunningStock>,
    sine_wave: Vec<SineWave>,
    step: Vec<RunningStep>,
    constants: Vec<Field>,
    round: i64,
}

struct RunningStep {
    name: CompactString,
    next: f64,
    step: f64,
}

impl RunningStep {
    fn new(config: &Step) -> RunningStep {
        let or = |value: f64, older: f64| if value == 0.0 { older } else { value };
        RunningStep {
            name: config.name.as_str().into(),
            next: or(config.start, config.min),
            step: or(config.step, config.max),
        }
    }

    fn advance(&mut self) -> f64 {
        let value = self.next;
        self.next += self.step;
        value
    }
}

struct RunningStock {
    config: Stock,
    /// Zero as long as there was no price.
    latest: f64,
}

impl RunningStock {
    fn new(config: Stock) -> RunningStock {
        RunningStock { config, latest: 0.0 }
    }

    fn advance(&mut self, chance: &mut fastrand::Rng) -> f64 {
        self.latest = if self.latest == 0.0 {
            self.config.price
        } else {
            let noise = 2.0 * (chance.f64() - 0.5);
            let price = self.latest + self.latest * self.config.volatility * noise;
            price.max(LOWEST_PRICE)
        };
        self.latest
    }
}

impl SineWave {
    fn at(&self, round: i64) -> f64 {
        sine((round as f64 + self.phase) * self.period * PI) * self.amplitude + self.base_line
    }
}

impl Input for Mock {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        let Mock { random, stock, sine_wave, step, constants, chance, round, .. } = self;
        let mut fields = Vec::with_capacity(
            random.len() + stock.len() + sine_wave.len() + step.len() + constants.len(),
        );
        let mut push = |key: CompactString, value: f64| {
            fields.push(Field { key, value: Value::Float(value) });
        };
        for Random { name, min, max } in &*random {
            push(name.into(), min + chance.f64() * (max - min));
        }
        for stock in stock {
            push(stock.config.name.as_str().into(), stock.advance(chance));
        }
        for wave in &*sine_wave {
            push(wave.name.as_str().into(), wave.at(*round));
        }
        for step in step {
            push(step.name.clone(), step.advance());
        }
        fields.extend_from_slice(constants);
        *round += 1;
        let now = accumulator.now();
        accumulator.add(Metric::from_lists(self.name.clone(), now, self.tags.clone(), fields));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_begins_at_its_start_and_grows_each_round() {
        let mut step = RunningStep::new(&Step { start: 3.0, step: -0.5, ..Step::default() });
        assert_eq!([step.advance(), step.advance(), step.advance()], [3.0, 2.5, 2.0]);
    }

    #[test]
    fn the_older_names_of_a_step_count_where_the_newer_are_zero() {
        let mut step =
            RunningStep::new(&Step { min: 5.0, max: 2.0, start: 1.0, ..Step::default() });
        assert_eq!([step.advance(), step.advance()], [1.0, 3.0]);
    }

    #[test]
    fn a_price_moves_by_its_volatility_at_most_and_never_falls_below_one() {
        let config = Stock { name: "s".into(), price: 50.0, volatility: 0.2 };
        let mut stock = RunningStock::new(config);
        let mut chance = fastrand::Rng::with_seed(1);
        let mut last = stock.advance(&mut chance);
        assert_eq!(last, 50.0);
        let mut lowest = last;
        for _ in 0..1_000 {
            let price = stock.advance(&mut chance);
            let moved = (price - last).abs();
            assert!(moved <= last * 0.2 + 1e-9 || price == LOWEST_PRICE, "{last} to {price}");
            (last, lowest) = (price, lowest.min(price));
        }
        assert!(lowest >= LOWEST_PRICE);
    }

    #[test]
    fn a_wave_moves_on_by_half_its_period_each_round() {
        let wave = SineWave { amplitude: 2.0, period: 0.5, base_line: 1.0, ..SineWave::default() };
        let values = [0, 1, 2, 3].map(|round| wave.at(round));
        for (value, expected) in values.into_iter().zip([1.0, 3.0, 1.0, -1.0]) {
            assert!((value - expected).abs() < 1e-12, "{values:?}");
        }
    }
}
