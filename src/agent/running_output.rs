//! An output with its filter, names, buffer and statistics.
//!
//! It has two ends. The pipeline adds metrics to the [`OutputQueue`]; the output's own thread
//! takes them out in batches through the [`RunningOutput`].

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::buffer::{BatchEnd, Buffer, BufferError, Leftover, Placement};
use super::dead_letters::DeadLetters;
use super::filter::Filter;
use super::guard::guarded;
use super::health::Health;
use super::naming::Naming;
use super::options::StartupErrorBehavior;
use crate::metric::{Metric, free_spare_lists};
use crate::plugin::settings::format_duration;
use crate::plugin::{
    AverageTime, ConnectError, Counter, Output, PluginError, PluginLog, Rejection, Statistics,
    WriteError,
};
use crate::system::{Clock, System};

/// How many reasons for giving metrics up are logged for one batch; the rest is counted.
const REASONS_LOGGED: usize = 5;

/// A group of so many metrics is part of something long, such as a file, more of which is to come.
const LONG_GROUP: usize = 500;

/// How many batches wait at most before whoever brings such groups waits too.
const COMFORTABLE_BATCHES: usize = 2;

/// How long it waits for each group at most: whatever has to be written meanwhile, everything else
/// goes on.
const LONGEST_WAIT: Duration = Duration::from_millis(50);

/// When and how much an output writes: its own settings with the agent's filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushing {
    /// Time between flushes; above zero.
    pub interval: Duration,
    /// Up to how much is added to every interval, by chance.
    pub jitter: Duration,
    /// How many metrics one write gets at most; above zero.
    pub batch_size: usize,
    /// How many metrics wait at most; above zero.
    pub buffer_limit: usize,
}

/// The end of an output at which metrics come in.
pub struct OutputQueue {
    filter: Filter,
    naming: Naming,
    buffer: Mutex<Buffer>,
    /// Told when metrics have been taken out of the buffer.
    taken_out: Condvar,
    batch_size: usize,
    batch_ready: Sender<()>,
    last_write_failed: AtomicBool,
    /// Dropped since the last log line about it.
    unreported_drops: AtomicU64,
    counters: OutputCounters,
}

struct OutputCounters {
    metrics_added: Counter,
    metrics_written: Counter,
    metrics_rejected: Counter,
    metrics_dropped: Counter,
    metrics_filtered: Counter,
    write_errors: Counter,
    startup_errors: Counter,
    write_time_ns: AverageTime,
    buffer_size: Counter,
}

impl OutputQueue {
    /// Adds metrics that the output may keep.
    pub fn add(&self, mut metrics: Vec<Metric>) {
        let n_offered = metrics.len();
        metrics.retain_mut(|metric| self.filter.selects(metric) && self.shape(metric));
        self.enqueue(metrics, n_offered);
    }

    /// Adds copies of those metrics that the filter selects.
    pub fn add_copies(&self, metrics: &[Metric]) {
        let selected = metrics.iter().filter(|metric| self.filter.selects(metric));
        let mut copies: Vec<_> = selected.cloned().collect();
        copies.retain_mut(|metric| self.shape(metric));
        self.enqueue(copies, metrics.len());
    }

    /// Applies filter and names to a metric that was selected; `false` if nothing is left of it.
    fn shape(&self, metric: &mut Metric) -> bool {
        self.filter.modify(metric);
        self.naming.rename(metric);
        !metric.fields().is_empty()
    }

    /// Adds what the filter has left of the metrics that were offered.
    fn enqueue(&self, metrics: Vec<Metric>, n_offered: usize) {
        let n_added = metrics.len();
        let mut buffer = self.buffer();
        let dropped = buffer.add_all(metrics);
        buffer.commit();
        self.counters.metrics_added.add(n_added as u64);
        self.counters.metrics_filtered.add((n_offered - n_added) as u64);
        self.count_drops(dropped);
        self.signal_if_full(&buffer);
        if n_offered >= LONG_GROUP {
            self.let_it_catch_up(buffer);
        }
    }

    /// Waits a little while an output that gets on has much to write, so that what an input brings
    /// at once need not fit into memory, nor into the buffer.
    fn let_it_catch_up(&self, buffer: MutexGuard<'_, Buffer>) {
        let comfortable = COMFORTABLE_BATCHES * self.batch_size;
        let is_behind = |buffer: &mut Buffer| {
            buffer.len() >= comfortable && !self.last_write_failed.load(Ordering::Relaxed)
        };
        // Whether it has caught up or not, what comes next is taken.
        drop(self.taken_out.wait_timeout_while(buffer, LONGEST_WAIT, is_behind));
    }

    fn signal_if_full(&self, buffer: &Buffer) {
        self.counters.buffer_size.set(buffer.held() as u64);
        let failing = self.last_write_failed.load(Ordering::Relaxed);
        if buffer.len() >= self.batch_size && !failing {
            // The signal may be there already, or the output may be gone.
            let _ = self.batch_ready.try_send(());
        }
    }

    fn count_drops(&self, dropped: usize) {
        self.counters.metrics_dropped.add(dropped as u64);
        self.unreported_drops.fetch_add(dropped as u64, Ordering::Relaxed);
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An output ready to run.
pub struct RunningOutput {
    output: Box<dyn Output>,
    /// Its log, which knows its name.
    pub log: PluginLog,
    /// When and how much it writes.
    pub flushing: Flushing,
    /// What happens if it cannot connect.
    pub startup_error_behavior: StartupErrorBehavior,
    /// Where its metrics wait once the buffer has been opened; in memory if nothing else is said.
    pub placement: Placement,
    /// What it is known by beside its name; the same for the same settings.
    pub id: String,
    /// Keeps what it can never write, if that is wanted.
    pub dead_letters: Option<DeadLetters>,
    queue: Arc<OutputQueue>,
    health: Arc<Health>,
    batch_ready: Receiver<()>,
    connected: bool,
}

impl RunningOutput {
    /// Wraps an output.
    pub fn new(
        output: Box<dyn Output>,
        log: PluginLog,
        flushing: Flushing,
        startup_error_behavior: StartupErrorBehavior,
        filter: Filter,
        naming: Naming,
        statistics: &Statistics,
    ) -> RunningOutput {
        let own = statistics.of_plugin(log.name());
        let log = log.counting_errors(own.counter("errors"));
        own.counter("buffer_limit").set(flushing.buffer_limit as u64);
        let counters = OutputCounters {
            metrics_added: own.counter("metrics_added"),
            metrics_written: own.counter("metrics_written"),
            metrics_rejected: own.counter("metrics_rejected"),
            metrics_dropped: own.counter("metrics_dropped"),
            metrics_filtered: own.counter("metrics_filtered"),
            write_errors: own.counter("write_errors"),
            startup_errors: own.counter("startup_errors"),
            write_time_ns: own.average_time("write_time_ns"),
            buffer_size: own.counter("buffer_size"),
        };
        let (batch_ready, batch_ready_receiver) = bounded(1);
        let queue = OutputQueue {
            filter,
            naming,
            buffer: Mutex::new(Buffer::in_memory(flushing.buffer_limit)),
            taken_out: Condvar::new(),
            batch_size: flushing.batch_size,
            batch_ready,
            last_write_failed: AtomicBool::new(false),
            unreported_drops: AtomicU64::new(0),
            counters,
        };
        RunningOutput {
            output,
            log,
            flushing,
            startup_error_behavior,
            placement: Placement::Memory,
            id: String::new(),
            dead_letters: None,
            queue: Arc::new(queue),
            health: Arc::default(),
            batch_ready: batch_ready_receiver,
            connected: false,
        }
    }

    /// The end at which metrics come in.
    pub fn queue(&self) -> Arc<OutputQueue> {
        self.queue.clone()
    }

    /// How it is doing, for as long as anybody wants to know.
    pub fn health(&self) -> Arc<Health> {
        self.health.clone()
    }

    /// Becomes ready when a whole batch waits and the last write did not fail.
    pub fn batch_ready(&self) -> Receiver<()> {
        self.batch_ready.clone()
    }

    /// How many metrics wait.
    pub fn n_waiting(&self) -> usize {
        self.queue.buffer().len()
    }

    /// How many metrics were given up or dropped so far.
    pub fn n_lost(&self) -> u64 {
        let counters = &self.queue.counters;
        counters.metrics_rejected.get() + counters.metrics_dropped.get()
    }

    /// Takes over metrics that an earlier output of the same name could not write.
    pub fn adopt(&mut self, metrics: Vec<Metric>) {
        let mut buffer = self.queue.buffer();
        let dropped = buffer.add_all(metrics);
        buffer.commit();
        self.queue.count_drops(dropped);
        self.queue.signal_if_full(&buffer);
    }

    /// Opens the buffer if it is in files; metrics that are there from before are sent first.
    ///
    /// # Errors
    /// If the files cannot be had.
    pub fn open_buffer(&mut self, system: &System) -> Result<(), BufferError> {
        let Placement::Disk { folder, sync } = &self.placement else { return Ok(()) };
        let opened = Buffer::on_disk(folder, *sync, system.clock.clone(), self.log.clone())?;
        let mut buffer = self.queue.buffer();
        *buffer = opened;
        self.queue.signal_if_full(&buffer);
        Ok(())
    }

    /// Ends the use of the buffer, and tells what it could not write.
    pub fn close_buffer(&mut self) -> Leftover {
        self.queue.buffer().close()
    }

    /// Connects the output.
    ///
    /// # Errors
    /// The output's own error.
    pub fn connect(&mut self) -> Result<(), ConnectError> {
        let connected = guarded(|| self.output.connect()).unwrap_or_else(|panicked| {
            Err(ConnectError { retryable: false, source: panicked.into() })
        });
        match connected {
            Ok(()) => {
                self.connected = true;
                Ok(())
            }
            Err(error) => {
                self.queue.counters.startup_errors.add(1);
                Err(error)
            }
        }
    }

    /// Writes everything that waits now, batch after batch, until one fails.
    ///
    /// # Errors
    /// What the first failing write said.
    pub fn write(&mut self, clock: &dyn Clock) -> Result<(), PluginError> {
        self.ensure_connected()?;
        let n_batches = self.n_waiting().div_ceil(self.flushing.batch_size);
        let result = (0..n_batches).try_for_each(|_| self.write_one(clock));
        self.queue.signal_if_full(&self.queue.buffer());
        free_spare_lists();
        result
    }

    /// Writes one batch.
    ///
    /// # Errors
    /// What the write said.
    pub fn write_batch(&mut self, clock: &dyn Clock) -> Result<(), PluginError> {
        self.ensure_connected()?;
        let result = self.write_one(clock);
        self.queue.signal_if_full(&self.queue.buffer());
        result
    }

    /// Hands metrics to the output as they are, past filter and buffer.
    ///
    /// # Errors
    /// What the output said.
    pub fn offer(&mut self, batch: &[Metric]) -> Result<(), WriteError> {
        guarded(|| self.output.write(batch))
            .unwrap_or_else(|panicked| Err(WriteError::retry(panicked)))
    }

    /// Logs how full the buffer is.
    pub fn log_fullness(&self) {
        if self.log.is_debug() {
            let (count, limit) = (self.n_waiting(), self.flushing.buffer_limit);
            match self.placement {
                Placement::Memory => {
                    self.log.debug(format_args!("Buffer fullness: {count} / {limit} metrics"));
                }
                Placement::Disk { .. } => {
                    self.log.debug(format_args!("Buffer fullness: {count} metrics"));
                }
            }
        }
    }

    /// Closes the output.
    pub fn close(&mut self) {
        let closed = guarded(|| self.output.close());
        if let Err(error) = closed.unwrap_or_else(|panicked| Err(panicked.into())) {
            self.log.error(format_args!("Error closing output: {error}"));
        }
    }

    pub(super) fn ensure_connected(&mut self) -> Result<(), PluginError> {
        if self.connected {
            return Ok(());
        }
        match self.connect() {
            Ok(()) => {
                self.log.debug("Successfully connected");
                Ok(())
            }
            Err(error) => Err(format!("not connected: {error}").into()),
        }
    }

    fn write_one(&mut self, clock: &dyn Clock) -> Result<(), PluginError> {
        let batch = self.queue.buffer().begin(self.flushing.batch_size)?;
        if batch.is_empty() {
            return Ok(());
        }
        self.queue.taken_out.notify_all();
        self.report_drops();
        let size = batch.len();
        self.health.set_in_flight(size);
        let began = clock.elapsed();
        let result = self.offer(&batch);
        let took = clock.elapsed().saturating_sub(began);
        self.keep_rejected(&batch, &result, clock);
        let error = result.as_ref().err().map(ToString::to_string);
        let end = self.queue.buffer().end(batch, result);
        self.health.set_in_flight(0);
        self.account(&end, took);
        match error {
            None => {
                self.health.succeeded(clock.now());
                let took = format_duration(i64::try_from(took.as_nanos()).unwrap_or(i64::MAX));
                self.log.debug(format_args!("Wrote batch of {size} metrics in {took}"));
                Ok(())
            }
            Some(error) => {
                self.queue.counters.write_errors.add(1);
                Err(error.into())
            }
        }
    }

    /// Keeps what can never be written before the batch ends: then nobody else has it any more.
    fn keep_rejected(
        &mut self,
        batch: &[Metric],
        result: &Result<(), WriteError>,
        clock: &dyn Clock,
    ) {
        if let Err(WriteError::Partial { rejected, .. }) = result
            && !rejected.is_empty()
            && let Some(dead_letters) = &mut self.dead_letters
        {
            dead_letters.keep(batch, rejected, clock.now());
        }
    }

    fn account(&self, end: &BatchEnd, took: Duration) {
        let queue = &self.queue;
        // After a write in which nothing went through the next one waits for the flush interval;
        // otherwise a dead output would be tried again for every metric that comes in.
        let failed = end.kept + end.dropped > 0 && end.written == 0;
        queue.last_write_failed.store(failed, Ordering::Relaxed);
        queue.counters.metrics_written.add(end.written as u64);
        queue.counters.metrics_rejected.add(end.rejected.len() as u64);
        queue.counters.write_time_ns.add(took);
        queue.count_drops(end.dropped);
        // Why these are lost has been told by the buffer.
        queue.counters.metrics_dropped.add(end.lost as u64);
        self.report_rejections(&end.rejected);
    }

    fn report_rejections(&self, rejected: &[Rejection]) {
        // Where a server refuses a batch all of its metrics have the same reason.
        let mut reasons: Vec<(String, usize)> = Vec::new();
        let mut more = 0;
        for Rejection { reason, .. } in rejected {
            let reason = reason.to_string();
            match reasons.iter().position(|(other, _)| *other == reason) {
                Some(at) => reasons[at].1 += 1,
                None if reasons.len() < REASONS_LOGGED => reasons.push((reason, 1)),
                None => more += 1,
            }
        }
        for (reason, count) in reasons {
            let what = match count {
                1 => "a metric".to_owned(),
                count => format!("{count} metrics"),
            };
            self.log.error(format_args!("Gave up {what} that can never be written: {reason}"));
        }
        if more > 0 {
            self.log.error(format_args!("Gave up {more} more metrics of this batch"));
        }
    }

    fn report_drops(&self) {
        let dropped = self.queue.unreported_drops.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            self.log
                .warn(format_args!("Metric buffer overflow; {dropped} metrics have been dropped"));
        }
    }
}

#[cfg(test)]
mod tests;
