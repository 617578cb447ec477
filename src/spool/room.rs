//! Keeping within the limits, and deleting what nobody needs.

use std::io;

use super::cursor::Cursor;
use super::segment::DAMAGED;
use super::{Overflow, Spool};

impl Spool {
    /// Whether there is room for what was pushed, after something gave way to it if it may.
    pub(super) fn make_room(&mut self) -> bool {
        if self.exceeds_bytes() && self.is_open && !self.cursors.is_empty() {
            // The open segment goes, too, if nothing in it is needed any more.
            let open = self.segments.back().map_or(0..0, |open| open.first..open.end);
            self.is_open = self.cursors.iter().any(|cursor| cursor.done.missing(open.clone()) > 0);
            self.sweep();
        }
        match self.options.limits.overflow {
            Overflow::Refuse => {
                !self.exceeds_records() && !self.exceeds_bytes() && !self.exceeds_memory()
            }
            Overflow::DropOldest => {
                if self.exceeds_records() {
                    self.drop_records();
                }
                while self.exceeds_bytes() && self.drop_segment() {}
                if self.exceeds_memory() {
                    self.drop_from_memory();
                }
                true
            }
        }
    }

    fn exceeds_records(&self) -> bool {
        let Some(limit) = self.options.limits.records else { return false };
        let next = self.next();
        let spare_out = self.options.limits.overflow == Overflow::DropOldest;
        self.cursors.iter().any(|cursor| {
            let from = if spare_out { cursor.out_end } else { 0 };
            cursor.done.missing(from..next) > limit
        })
    }

    fn exceeds_bytes(&self) -> bool {
        self.options.limits.bytes.is_some_and(|limit| self.size_bytes() > limit)
    }

    fn exceeds_memory(&self) -> bool {
        self.is_in_memory && self.staged.size() > self.options.limits.memory_bytes
    }

    /// Drops the oldest records of each reader that has too many, but for those that are out: they
    /// do not count, since they are most likely to be done with soon.
    fn drop_records(&mut self) {
        let Some(limit) = self.options.limits.records else { return };
        let next = self.next();
        for cursor in &mut self.cursors {
            let mut from = cursor.done.next().max(cursor.out_end);
            let mut excess = cursor.done.missing(from..next).saturating_sub(limit);
            while excess > 0 && from < next {
                let to = (from + excess).min(next);
                let dropped = cursor.mark(from..to);
                cursor.lost.overflow += dropped;
                excess -= dropped;
                from = to;
            }
        }
    }

    /// Drops the oldest segment of which nothing is out; returns whether there was one.
    fn drop_segment(&mut self) -> bool {
        let is_out = |first: u64, end: u64| {
            let out = |cursor: &Cursor| {
                first < cursor.out_end && cursor.done.missing(first..end.min(cursor.out_end)) > 0
            };
            self.cursors.iter().any(out)
        };
        let found = self.segments.iter().position(|segment| !is_out(segment.first, segment.end));
        let Some(at) = found else { return false };
        if at + 1 == self.segments.len() {
            self.is_open = false;
        }
        let range = self.segments[at].first..self.segments[at].end;
        for cursor in &mut self.cursors {
            cursor.lost.overflow += cursor.mark(range.clone());
        }
        self.save();
        self.remove_segment(at);
        true
    }

    /// Makes room while the disk takes nothing: old records give way to new ones, on the disk
    /// first, which may take some again then.
    fn drop_from_memory(&mut self) {
        while self.exceeds_memory() && self.drop_segment() {
            self.write_staged();
        }
        while self.exceeds_memory() && self.staged.count > 1 {
            let first = self.staged.first;
            for cursor in &mut self.cursors {
                cursor.lost.overflow += cursor.mark(first..first + 1);
            }
            self.staged.drop_first();
        }
    }

    /// Deletes the segments that everybody is done with.
    pub(super) fn sweep(&mut self) {
        if self.cursors.is_empty() {
            return;
        }
        let mut at = 0;
        while let Some(segment) = self.segments.get(at) {
            let is_in_use = self.is_open && at + 1 == self.segments.len();
            let range = segment.first..segment.end;
            let is_done = self.cursors.iter().all(|cursor| cursor.done.missing(range.clone()) == 0);
            if is_done && !is_in_use {
                self.remove_segment(at);
            } else if self.is_unable_to_save {
                // Records below the first segment are known to be done with; about a gap
                // further on only the files of the readers could tell after a start.
                return;
            } else {
                at += 1;
            }
        }
    }

    fn remove_segment(&mut self, at: usize) {
        let Some(segment) = self.segments.remove(at) else { return };
        let name = segment.name();
        let result = if segment.is_damaged {
            self.files.rename(&name, &format!("{name}{DAMAGED}"))
        } else {
            self.files.remove(&name)
        };
        if let Err(error) = result
            && error.kind() != io::ErrorKind::NotFound
        {
            self.note("deleting a segment", &error);
        }
    }
}
