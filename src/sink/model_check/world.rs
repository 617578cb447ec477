//! A small world of writers, a coordinator and a network, and what may happen in it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use super::super::journal::{Batch, Part, Segment};
use super::super::ownership::{Committed, History, StoreId, Writer};
use super::super::recovery::{CommittedOffsets, Plan, judge};
use crate::kafka::group::Partition;

/// How far a world goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) writers: usize,
    pub(super) partitions: usize,
    pub(super) records: i64,
    pub(super) rebalances: u8,
    pub(super) kills: u8,
    pub(super) losses: u8,
}

/// Rules that are left out to see that the check finds out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    Nothing,
    /// The committed offset decides, whoever has committed it.
    OwnersAreForgotten,
    /// The end of a file is settled before the commits of the dead process are refused.
    SettledBeforeTheGroupHasMovedOn,
    /// A member takes part in a rebalance with a commit under way, which goes out afterwards.
    RebalancedDuringACommit,
    /// A member that was left behind takes partitions over without settling what it left.
    NotSettledAfterALoss,
    /// A commit whose answer is lost counts as refused at once.
    LostAnswersCountAsRefused,
}

/// A commit on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Request {
    from: usize,
    /// Which life of the writer has sent it.
    life: u8,
    generation: u8,
    number: u64,
    offsets: Vec<(usize, i64, History)>,
    /// The sender waits for no answer any more; it may arrive all the same.
    is_given_up: bool,
}

/// A consumer thread and its file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Thread {
    life: u8,
    is_up: bool,
    /// The generation in which it was assigned what it holds; none before it is a member.
    generation: Option<u8>,
    /// It was assigned these, and has not taken them over yet.
    assigned: Option<Vec<usize>>,
    /// What comes next of each partition that it holds, and what goes with its commits.
    holds: Vec<(usize, i64, History)>,
    /// The file: partition and offset of each record, which is a byte long.
    file: Vec<(usize, i64)>,
    /// The journal.
    batches: Vec<Batch>,
    confirmed: u64,
    last_number: u64,
    is_committing: bool,
    /// It has been started, and has settled nothing yet.
    has_to_settle: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    generation: u8,
    committed: Vec<Committed>,
    threads: Vec<Rc<Thread>>,
    network: Vec<Request>,
    rebalances: u8,
    kills: u8,
    losses: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Write {
        thread: usize,
        partition: usize,
    },
    Commit {
        thread: usize,
    },
    Deliver {
        request: usize,
        is_answered: bool,
    },
    LoseRequest {
        request: usize,
    },
    GiveUp {
        request: usize,
    },
    /// The partitions go to these threads; who is not among the members is left behind.
    Rebalance {
        members: Vec<usize>,
        assignment: Vec<usize>,
    },
    TakeOver {
        thread: usize,
    },
    Kill {
        store: usize,
    },
    Start {
        store: usize,
    },
}

fn partition(number: usize) -> Partition {
    Partition { topic: "t".into(), number: i32::try_from(number).unwrap() }
}

fn writer(thread: usize) -> Writer {
    Writer { store: StoreId::new(thread as u64 % 2), thread: thread as u32 / 2 }
}

impl Thread {
    fn closed(&self) -> usize {
        self.batches.last().map_or(0, |batch| batch.bytes.end as usize)
    }

    /// Writes the journal's entry for what was appended since the last.
    fn close(&mut self) {
        let start = self.closed();
        let mut parts: Vec<Part> = Vec::new();
        for (at, (of_topic, offset)) in self.file.iter().enumerate().skip(start) {
            let of_topic = partition(*of_topic);
            let segment = Segment { start: at as u64, length: 1 };
            match parts.iter_mut().find(|part| part.partition == of_topic) {
                Some(part) => {
                    part.offsets.end = offset + 1;
                    part.records += 1;
                    part.segments.push(segment);
                }
                None => parts.push(Part {
                    partition: of_topic,
                    offsets: *offset..offset + 1,
                    records: 1,
                    segments: vec![segment],
                }),
            }
        }
        if !parts.is_empty() {
            self.last_number += 1;
            let bytes = start as u64..self.file.len() as u64;
            let number = self.last_number;
            self.batches.push(Batch { number, bytes, checksum: 0, parts });
        }
    }

    /// Decides what becomes of the end of the file.
    fn settle(&mut self, writer: Writer, committed: &CommittedOffsets) {
        self.file.truncate(self.closed());
        let judged = judge(&self.batches, self.confirmed, writer, committed).unwrap();
        match judged.plan {
            Plan::Keep => {}
            Plan::Cut { number, length } => {
                self.batches.retain(|batch| batch.number < number);
                self.file.truncate(length as usize);
            }
            Plan::Rewrite { number, start, kept } => {
                self.batches.retain(|batch| batch.number < number);
                let before = self.file.clone();
                self.file.truncate(start as usize);
                for kept in kept {
                    for Segment { start, length } in kept.from {
                        let range = start as usize..(start + length) as usize;
                        self.file.extend_from_slice(&before[range]);
                    }
                    self.batches.push(kept.batch);
                }
            }
        }
        self.confirmed = self.last_number;
        self.has_to_settle = false;
    }
}

impl World {
    pub(super) fn new(bounds: Bounds) -> World {
        let thread = Thread {
            life: 0,
            is_up: true,
            generation: None,
            assigned: None,
            holds: Vec::new(),
            file: Vec::new(),
            batches: Vec::new(),
            confirmed: 0,
            last_number: 0,
            is_committing: false,
            has_to_settle: true,
        };
        World {
            generation: 0,
            committed: vec![Committed::default(); bounds.partitions],
            threads: (0..bounds.writers).map(|_| Rc::new(thread.clone())).collect(),
            network: Vec::new(),
            rebalances: bounds.rebalances,
            kills: bounds.kills,
            losses: bounds.losses,
        }
    }

    /// Everything that may happen next.
    pub(super) fn steps(&self, bounds: Bounds) -> Vec<Step> {
        let mut steps = Vec::new();
        for (number, thread) in self.threads.iter().enumerate().filter(|(_, each)| each.is_up) {
            for (partition, next, _) in &thread.holds {
                if *next < bounds.records {
                    steps.push(Step::Write { thread: number, partition: *partition });
                }
            }
            if !thread.is_committing && !thread.holds.is_empty() && self.has_news(thread) {
                steps.push(Step::Commit { thread: number });
            }
            if thread.assigned.is_some() {
                steps.push(Step::TakeOver { thread: number });
            }
        }
        for request in 0..self.network.len() {
            steps.push(Step::Deliver { request, is_answered: true });
            if self.losses > 0 {
                steps.push(Step::Deliver { request, is_answered: false });
                steps.push(Step::LoseRequest { request });
                steps.push(Step::GiveUp { request });
            }
        }
        for store in 0..2 {
            let mut of_store = self.threads.iter().skip(store).step_by(2);
            if of_store.clone().any(|thread| !thread.is_up) {
                steps.push(Step::Start { store });
            } else if self.kills > 0 && of_store.any(|thread| thread.generation.is_some()) {
                steps.push(Step::Kill { store });
            }
        }
        if self.rebalances > 0 {
            self.rebalance_steps(bounds, &mut steps);
        }
        steps
    }

    fn has_news(&self, thread: &Thread) -> bool {
        thread.file.len() > thread.closed()
            || thread.batches.last().is_some_and(|batch| batch.number > thread.confirmed)
    }

    fn rebalance_steps(&self, bounds: Bounds, steps: &mut Vec<Step>) {
        let n_threads = self.threads.len();
        for members in 1u32..1 << n_threads {
            let members: Vec<usize> = (0..n_threads).filter(|n| members >> n & 1 == 1).collect();
            if !members.iter().all(|member| self.threads[*member].is_up) {
                continue;
            }
            // Each partition to each of the members in turn.
            let n_assignments = members.len().pow(bounds.partitions as u32);
            for choice in 0..n_assignments {
                let nth = |partition: usize| {
                    members[choice / members.len().pow(partition as u32) % members.len()]
                };
                let assignment = (0..bounds.partitions).map(nth).collect();
                steps.push(Step::Rebalance { members: members.clone(), assignment });
            }
        }
    }

    fn committed_offsets(&self) -> CommittedOffsets {
        let numbered = self.committed.iter().enumerate();
        numbered.map(|(number, committed)| (partition(number), committed.clone())).collect()
    }

    /// Takes a step; `None` if it cannot be taken now.
    pub(super) fn take(&self, step: &Step, broken: Broken) -> Option<World> {
        let mut world = self.clone();
        match step {
            Step::Write { thread, partition } => {
                let thread = Rc::make_mut(&mut world.threads[*thread]);
                let held = thread.holds.iter_mut().find(|(held, _, _)| held == partition)?;
                thread.file.push((*partition, held.1));
                held.1 += 1;
            }
            Step::Commit { thread } => world.commit(*thread),
            Step::Deliver { request, is_answered } => {
                let request = world.network.remove(*request);
                world.losses -= u8::from(!is_answered);
                let is_accepted = world.receive(&request);
                let answer = is_answered.then_some(is_accepted);
                world.answer(&request, answer, broken);
            }
            Step::LoseRequest { request } => {
                world.losses -= 1;
                let request = world.network.remove(*request);
                world.answer(&request, None, broken);
            }
            Step::GiveUp { request } => {
                world.losses -= 1;
                let request = world.network[*request].clone();
                world.answer(&request, None, broken);
                world
                    .network
                    .iter_mut()
                    .filter(|each| **each == request)
                    .for_each(|each| each.is_given_up = true);
            }
            Step::Rebalance { members, assignment } => {
                world.rebalances -= 1;
                world.rebalance(members, assignment, broken)?;
            }
            Step::TakeOver { thread } => world.take_over(*thread, broken),
            Step::Kill { store } => {
                world.kills -= 1;
                world.kill(*store);
            }
            Step::Start { store } => world.start(*store, broken),
        }
        Some(world)
    }

    fn commit(&mut self, number: usize) {
        let thread = Rc::make_mut(&mut self.threads[number]);
        thread.close();
        thread.is_committing = true;
        let Some(generation) = thread.generation else { return };
        self.network.push(Request {
            from: number,
            life: thread.life,
            generation,
            number: thread.last_number,
            offsets: thread.holds.clone(),
            is_given_up: false,
        });
    }

    /// The coordinator receives a commit; tells whether it has accepted it.
    fn receive(&mut self, request: &Request) -> bool {
        if request.generation != self.generation {
            return false;
        }
        for (partition, offset, history) in &request.offsets {
            let history = Some(history.clone());
            self.committed[*partition] =
                Committed { offset: Some(*offset), history, ..Committed::default() };
        }
        true
    }

    /// The sender learns how its commit has ended, or that nobody knows.
    fn answer(&mut self, request: &Request, answer: Option<bool>, broken: Broken) {
        let committed = self.committed_offsets();
        let thread = Rc::make_mut(&mut self.threads[request.from]);
        if request.is_given_up || thread.life != request.life || !thread.is_up {
            return;
        }
        thread.is_committing = false;
        match answer {
            Some(true) => thread.confirmed = request.number,
            // It is still the owner as far as it knows, and commits again.
            None if broken == Broken::LostAnswersCountAsRefused => {
                thread.settle(writer(request.from), &committed);
                thread.lose();
            }
            None => {}
            Some(false) => {
                thread.lose();
            }
        }
    }

    fn rebalance(&mut self, members: &[usize], assignment: &[usize], broken: Broken) -> Option<()> {
        // A rebalance waits for its members, and they for their commits.
        let is_committing = |member: &usize| self.threads[*member].is_committing;
        if broken != Broken::RebalancedDuringACommit && members.iter().any(is_committing) {
            return None;
        }
        self.generation += 1;
        for member in members {
            let thread = Rc::make_mut(&mut self.threads[*member]);
            thread.lose();
            thread.generation = Some(self.generation);
            let own = (0..assignment.len()).filter(|each| assignment[*each] == *member);
            thread.assigned = Some(own.collect());
            if broken == Broken::RebalancedDuringACommit {
                let late = self.network.iter_mut().filter(|request| request.from == *member);
                late.for_each(|request| request.generation = self.generation);
                thread.is_committing = false;
            }
        }
        Some(())
    }

    fn take_over(&mut self, number: usize, broken: Broken) {
        let mut committed = self.committed_offsets();
        let histories = committed.clone();
        if broken == Broken::OwnersAreForgotten {
            for committed in committed.values_mut().filter(|each| each.offset.is_some()) {
                committed.history = Some(History::begin(writer(number), 0));
            }
        }
        let thread = Rc::make_mut(&mut self.threads[number]);
        if broken != Broken::NotSettledAfterALoss || thread.has_to_settle {
            thread.settle(writer(number), &committed);
        }
        for of_topic in thread.assigned.take().unwrap_or_default() {
            let committed = &histories[&partition(of_topic)];
            let start = committed.offset.unwrap_or(0);
            let history = committed.taken_over(writer(number), start);
            thread.holds.push((of_topic, start, history));
        }
    }

    fn kill(&mut self, store: usize) {
        for thread in self.threads.iter_mut().skip(store).step_by(2).map(Rc::make_mut) {
            thread.is_up = false;
            thread.is_committing = false;
            thread.generation = None;
            thread.assigned = None;
            thread.holds.clear();
        }
    }

    fn start(&mut self, store: usize, broken: Broken) {
        let committed = self.committed_offsets();
        for (number, thread) in self.threads.iter_mut().enumerate().skip(store).step_by(2) {
            let thread = Rc::make_mut(thread);
            thread.life += 1;
            thread.is_up = true;
            thread.has_to_settle = true;
            if broken == Broken::SettledBeforeTheGroupHasMovedOn {
                thread.settle(writer(number), &committed);
            }
        }
    }

    /// What is wrong once all sinks have been started, are members, and have settled.
    pub(super) fn complaint(&self, bounds: Bounds, broken: Broken) -> Option<String> {
        let mut world = self.clone();
        for store in 0..2 {
            if world.threads.iter().skip(store).step_by(2).any(|thread| !thread.is_up) {
                world.start(store, broken);
            }
        }
        for thread in world.threads.iter_mut().map(Rc::make_mut) {
            thread.is_committing = false;
        }
        let members: Vec<usize> = (0..world.threads.len()).collect();
        world.rebalance(&members, &vec![0; bounds.partitions], Broken::Nothing)?;
        for member in members {
            world.take_over(member, broken);
        }
        for partition in 0..bounds.partitions {
            let end = world.committed[partition].offset.unwrap_or(0);
            let all = || world.threads.iter().flat_map(|thread| &thread.file);
            for offset in 0..bounds.records {
                let count = all().filter(|record| **record == (partition, offset)).count();
                if count != usize::from(offset < end) {
                    return Some(format!(
                        "record {offset} of partition {partition} stands {count} times, {end} is committed"
                    ));
                }
            }
        }
        None
    }

    pub(super) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

impl Thread {
    /// Takes back what is not in the journal and forgets what it held.
    fn lose(&mut self) {
        let closed = self.closed();
        self.file.truncate(closed);
        self.holds.clear();
        self.assigned = None;
    }
}
