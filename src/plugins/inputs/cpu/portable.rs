//! How busy the processors are on systems without `/proc`, which tell idle from busy only.

use compact_str::{CompactString, format_compact};

use super::{Config, TOTAL, field};
use crate::metric::{Metric, Tag, Timestamp, ValueType};
use crate::plugin::{Accumulator, BuildError, Input, PluginError, PluginLog};
use crate::system::{BusyShares, PortableProcessors};

/// Builds the input; says which of the settings come to nothing.
///
/// # Errors
/// If the system does not let itself be read.
pub(super) fn build(config: Config, log: &PluginLog) -> Result<Box<dyn Input>, BuildError> {
    for (is_set, name) in
        [(config.collect_cpu_time, "collect_cpu_time"), (config.core_tags, "core_tags")]
    {
        if is_set {
            log.warn(format_args!("'{name}' is not supported on this platform, ignoring"));
        }
    }
    let processors =
        PortableProcessors::new().map_err(|error| BuildError::invalid(error.to_string()))?;
    Ok(Box::new(PortableCpu { config, processors }))
}

struct PortableCpu {
    config: Config,
    processors: PortableProcessors,
}

impl Input for PortableCpu {
    fn gather(&mut self, accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        if let Some(shares) = self.processors.read() {
            let now = accumulator.now();
            metrics(self.config, &shares, now).for_each(|metric| accumulator.add(metric));
        }
        Ok(())
    }

    fn is_differential(&self) -> bool {
        true
    }
}

fn metrics(config: Config, shares: &BusyShares, now: Timestamp) -> impl Iterator<Item = Metric> {
    let each = shares.each.iter().enumerate();
    let each = each.map(|(at, busy)| (format_compact!("cpu{at}"), *busy));
    let each = each.filter(move |_| config.percpu);
    let all = config.totalcpu.then(|| (CompactString::const_new(TOTAL), shares.all));
    each.chain(all).map(move |(cpu, busy)| {
        let tag = Tag { key: CompactString::const_new("cpu"), value: cpu };
        let mut fields = vec![field("usage_idle", 100.0 - busy)];
        if config.report_active {
            fields.push(field("usage_active", busy));
        }
        Metric::from_lists("cpu", now, vec![tag], fields).with_type(ValueType::Gauge)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Cpu;
    use super::*;
    use crate::metric::Value;
    use crate::system::{Root, System};

    /// Longer than the time in which the portable reading does not look again.
    const SPAN: Duration = Duration::from_millis(250);

    #[test]
    fn the_portable_reading_agrees_with_proc() {
        let system = System::real();
        let config = Config { percpu: false, report_active: true, ..Config::default() };
        let mut cpu = Cpu {
            config,
            file: system.host.file(Root::Proc, "stat"),
            system: system.clone(),
            cores: Default::default(),
            buffer: Vec::new(),
            last: Vec::new(),
        };
        let mut processors = PortableProcessors::new().unwrap();
        assert_eq!(processors.read(), None);
        cpu.last = cpu.read().unwrap();
        // Other programs may come between the two readings.
        let agree = (0..20).any(|_| {
            let begin = system.clock.elapsed();
            while system.clock.elapsed() - begin < SPAN {
                std::hint::spin_loop();
            }
            let shares = processors.read().unwrap();
            let times = cpu.read().unwrap();
            let kernel = cpu.usage_metric(&times[0], Timestamp::EPOCH).unwrap().unwrap();
            cpu.last = times;
            let portable = metrics(config, &shares, Timestamp::EPOCH).next().unwrap();
            assert_eq!(portable.tag("cpu"), kernel.tag("cpu"));
            let value = |metric: &Metric, name| match metric.field(name) {
                Some(Value::Float(value)) => *value,
                other => panic!("{other:?}"),
            };
            // What waits for a disk counts as idle in the portable reading.
            let idle = value(&kernel, "usage_idle") + value(&kernel, "usage_iowait");
            let sum = value(&portable, "usage_idle") + value(&portable, "usage_active");
            (idle - value(&portable, "usage_idle")).abs() < 10.0 && (sum - 100.0).abs() < 1e-9
        });
        assert!(agree);
    }

    #[test]
    fn settings_choose_the_processors() {
        let shares = BusyShares { each: vec![10.0, 30.0], all: 20.0 };
        let cpus = |config| -> Vec<String> {
            let metrics = metrics(config, &shares, Timestamp::EPOCH);
            metrics.map(|metric| metric.tag("cpu").unwrap().to_owned()).collect()
        };
        assert_eq!(cpus(Config::default()), ["cpu0", "cpu1", "cpu-total"]);
        assert_eq!(cpus(Config { percpu: false, ..Config::default() }), ["cpu-total"]);
        assert_eq!(cpus(Config { totalcpu: false, ..Config::default() }), ["cpu0", "cpu1"]);
    }
}
