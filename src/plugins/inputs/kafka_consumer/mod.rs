//! Reads metrics from Kafka topics, as a member of a consumer group.
//!
//! An offset is committed once every record before it has been delivered by every output, so that
//! nothing is lost whatever ends: what was under way is read again.
//!
//! # References
//! Telegraf's `inputs.kafka_consumer` for options; KIP-429 for cooperative rebalances, KIP-345 for
//! static membership.

mod assigned;
mod config;
mod consumer;
mod conversion;
mod dead_letters;
mod delivery;
mod intake;
mod marks;
mod start;
mod topics;

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::kafka::group::GroupMember;
use crate::plugin::{
    Accumulator, Declaration, Finish, Input, KafkaOptions, PluginError, PluginLog,
    ServiceAccumulator, StartError,
};
use crate::system::Clock;
use crate::system::thread::{Thread, spawn};
use assigned::Partitions;
pub use config::Config;
use consumer::{Consumer, Settings, Signals};
use conversion::Conversion;
use dead_letters::{DeadLetters, Place};
use delivery::Room;
use intake::{Counters, Intake};

/// The input as the table lists it.
pub static PLUGIN: Declaration<dyn Input> =
    Declaration::sharing::<Config, KafkaOptions>("kafka_consumer", include_str!("sample.conf"));

/// A member of a consumer group.
struct KafkaConsumer {
    /// What the thread is made of, until it runs.
    waiting: Option<Waiting>,
    running: Option<Running>,
    clock: Arc<dyn Clock>,
    log: PluginLog,
}

struct Waiting {
    settings: Settings,
    conversion: Conversion,
    dead_letters: Place,
    counters: Counters,
    max_undelivered: usize,
}

struct Running {
    // The order of the fields is the order of stopping.
    stop: Option<Sender<()>>,
    /// Closes when nothing more is brought in.
    stopped: Receiver<()>,
    finish: Sender<()>,
    thread: Thread,
}

impl KafkaConsumer {
    fn run(
        &self,
        member: GroupMember,
        waiting: Waiting,
        accumulator: ServiceAccumulator,
    ) -> Result<Running, std::io::Error> {
        let (room, freed) = Room::new(waiting.max_undelivered);
        let (stop, stop_told) = bounded(0);
        let (finish, finish_told) = bounded(0);
        let (stopped_sender, stopped) = bounded(0);
        let signals =
            Signals { stop: stop_told, finish: finish_told, freed, stopped: Some(stopped_sender) };
        let consumer = Consumer {
            member,
            settings: waiting.settings,
            signals,
            intake: Intake {
                conversion: waiting.conversion,
                accumulator: Some(accumulator),
                partitions: Partitions::default(),
                dead_letters: DeadLetters::new(
                    waiting.dead_letters,
                    self.clock.clone(),
                    self.log.clone(),
                ),
                room,
                counters: waiting.counters,
                group: Vec::new(),
                has_told_of_no_metrics: false,
            },
            clock: self.clock.clone(),
            log: self.log.clone(),
        };
        let thread = spawn("kafka_consumer", move || consumer.run())?;
        Ok(Running { stop: Some(stop), stopped, finish, thread })
    }
}

impl Input for KafkaConsumer {
    fn start(&mut self, accumulator: ServiceAccumulator) -> Result<(), StartError> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        let group = &waiting.settings.group;
        let connected = group.connection.check_files().map_err(PluginError::from).and_then(|()| {
            GroupMember::connect(group, self.log.name(), self.clock.clone()).map_err(Into::into)
        });
        let reached = match connected {
            Ok(member) => match member.reach() {
                Ok(()) => Ok(member),
                Err(error) => {
                    member.abandon();
                    Err(StartError { retryable: true, source: error.into() })
                }
            },
            Err(source) => Err(StartError { retryable: false, source }),
        };
        match reached {
            Ok(member) => {
                let running = self.run(member, waiting, accumulator);
                self.running = Some(
                    running
                        .map_err(|error| StartError { retryable: false, source: error.into() })?,
                );
                Ok(())
            }
            Err(error) => {
                self.waiting = Some(waiting);
                Err(error)
            }
        }
    }

    fn gather(&mut self, _accumulator: &mut Accumulator<'_>) -> Result<(), PluginError> {
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(running) = &mut self.running {
            drop(running.stop.take());
            // Nothing is ever sent; it closes when the thread has let go of the pipeline.
            let _ = running.stopped.recv();
        }
    }

    fn finish(&mut self) -> Option<Finish> {
        let Running { finish, thread, .. } = self.running.take()?;
        Some(Box::new(move || {
            drop(finish);
            thread.join();
        }))
    }

    fn is_service(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
