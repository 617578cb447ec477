//! Bringing records into the file, and what to do when that fails.

use std::io::ErrorKind;

use super::super::file::{FileError, Place};
use super::super::home::Found;
use super::super::stuck::{Step, Stuck};
use super::rebalancing::Standing;
use super::{RETRY_WAIT, Worker};
use crate::kafka::group::Fetching;

impl Worker {
    /// Brings the batch into the file; if that fails, it stays in memory and is tried again.
    pub(super) fn write(&mut self) {
        if self.standing == Standing::InDoubt
            || self.is_before_next_try()
            || self.output.waiting() == 0
        {
            return;
        }
        let now = self.clock.elapsed();
        let mut written = self.leave_moved_files().and_then(|()| self.output.write());
        if written.as_ref().is_err_and(|error| error.source.kind() == ErrorKind::NotFound) {
            // A folder that was removed is the one thing here that is not waited for.
            written = match self.home.restore() {
                Ok(Found::Gone) => self.output.write(),
                Ok(Found::AsItWas) => written,
                Err(error) => Err(error),
            };
        }
        self.report_findings();
        match written {
            Ok(written) => {
                self.progress.wrote(written.records, written.bytes, now);
                self.positions.wrote();
                self.unflushed_bytes += written.bytes;
                self.unflushed_since.get_or_insert(now);
                self.unstick(Step::Write);
            }
            Err(error) => {
                let records = self.output.waiting();
                self.stick(
                    Step::Write,
                    format_args!("{error}; {records} records wait in memory and are not committed"),
                );
            }
        }
    }

    /// Leaves files that were renamed or removed for new ones under the old paths.
    fn leave_moved_files(&mut self) -> Result<(), FileError> {
        match self.output.place() {
            Place::Here => return Ok(()),
            // What was written before belongs to the old files.
            Place::Moved => match self.output.flush() {
                Ok(_) => self.positions.flushed(),
                Err(error) => self.flush_failed(&error),
            },
            Place::Removed => {
                self.take_back_removed();
                self.home.restore()?;
            }
        }
        self.output.leave_moved()
    }

    /// Ends files whose time has come, and goes on in new ones where somebody has asked for it.
    pub(super) fn look_after_files(&mut self) {
        if let Some(paths) = self.output.take_changed_paths() {
            self.progress.set_files(paths);
        }
        if self.standing == Standing::InDoubt {
            return;
        }
        self.output.end_due_files();
        let asked = self.reopening.asked();
        if asked != self.reopened && !self.is_stuck_at(Step::Write) {
            self.reopened = asked;
            if let Err(error) = self.leave_moved_files().and_then(|()| self.output.open_first()) {
                // Whatever is written next tries it again, and says so.
                self.warn(format_args!("{error}"));
            }
        }
    }

    /// Reads again what was in a removed file and is not committed.
    pub(super) fn take_back_removed(&mut self) {
        if self.unflushed_bytes > 0 {
            let (bytes, path) = (self.unflushed_bytes, self.output.path());
            self.warn(format_args!(
                "{} was removed with {bytes} bytes that were not committed; they are read again",
                path.display()
            ));
            if let Err(error) = self.output.take_back_open() {
                self.warn(format_args!("{error}"));
            }
            self.take_back_unflushed();
        }
    }

    pub(super) fn is_before_next_try(&self) -> bool {
        self.stuck.as_ref().is_some_and(|stuck| self.clock.elapsed() < stuck.next_try)
    }

    pub(super) fn is_stuck_at(&self, step: Step) -> bool {
        self.stuck.as_ref().is_some_and(|stuck| stuck.step == step)
    }

    pub(super) fn stick(&mut self, step: Step, message: std::fmt::Arguments<'_>) {
        let now = self.clock.elapsed();
        self.progress.failed(step, message.to_string(), now);
        let next_try = now + RETRY_WAIT;
        match &mut self.stuck {
            Some(stuck) if stuck.step == step => stuck.next_try = next_try,
            before => {
                let since = before.as_ref().map_or(now, |stuck| stuck.since);
                self.stuck = Some(Stuck { step, since, next_try });
                self.error(format_args!("{message}; trying again every second"));
                if step == Step::Write {
                    self.set_fetching(Fetching::Paused);
                }
            }
        }
    }

    pub(super) fn unstick(&mut self, step: Step) {
        let Some(stuck) = self.stuck.take_if(|stuck| stuck.step == step) else { return };
        self.progress.unstuck();
        let seconds = self.clock.elapsed().saturating_sub(stuck.since).as_secs();
        let path = self.output.path();
        self.info(format_args!(
            "Writing to {} again after {seconds} s; nothing was lost",
            path.display()
        ));
        if step == Step::Write {
            self.set_fetching(Fetching::Running);
        }
    }

    pub(super) fn set_fetching(&mut self, fetching: Fetching) {
        if let Err(error) = self.member.set_fetching(fetching) {
            self.warn(format_args!("pausing or resuming partitions: {error}"));
        }
    }
}
