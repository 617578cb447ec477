//! The consumer of metric-sink without any file: what the client library and the brokers give.
//!
//! `bare-client ADDRESS TOPIC GROUP THREADS RECORDS` says `all records` when so many have come, and
//! stays for whoever measures it.

use std::env::args;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use metric_agent::kafka::Connection;
use metric_agent::kafka::group::{
    Assignor, GroupMember, GroupProtocol, GroupSettings, Polled, Rebalance, StartOffset, Taking,
};
use metric_agent::system::{RealClock, thread};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = args().skip(1).collect();
    let [address, topic, group, threads, records] = arguments.as_slice() else {
        return Err("usage: bare-client ADDRESS TOPIC GROUP THREADS RECORDS".into());
    };
    let (threads, records): (usize, usize) = (threads.parse()?, records.parse()?);
    let read = Arc::new(AtomicUsize::new(0));
    let mut running = Vec::new();
    for number in 0..threads {
        let name = format!("bare-{number}");
        let settings = settings(address, topic, group, &name);
        let read = read.clone();
        running
            .push(thread::spawn(&name.clone(), move || consume(&settings, &name, &read, records))?);
    }
    running.into_iter().for_each(thread::Thread::join);
    Ok(())
}

/// What metric-sink uses unless it is told otherwise.
fn settings(address: &str, topic: &str, group: &str, name: &str) -> GroupSettings {
    GroupSettings {
        connection: Connection::plain(vec![address.to_owned()], name),
        group: group.to_owned(),
        topics: vec![topic.to_owned()],
        start: StartOffset::Earliest,
        protocol: GroupProtocol::Classic,
        assignor: Assignor::Range,
        session_timeout: Duration::from_secs(10),
        instance_id: None,
        read_ahead_bytes: 2 << 20,
        lag_interval: Duration::from_secs(10),
    }
}

/// Reads for good.
fn consume(settings: &GroupSettings, name: &str, read: &AtomicUsize, wanted: usize) {
    let connected = GroupMember::connect(settings, name, Arc::new(RealClock::new()));
    let joined = connected.and_then(|member| member.join().map(|()| member));
    let mut member = match joined {
        Ok(member) => member,
        Err(error) => return report(&error.to_string()),
    };
    loop {
        let mut records = 0;
        let polled = member.poll(|record| {
            records += usize::from(record.has_value());
            Taking::More
        });
        let answered = match polled {
            Polled::Rebalance(Rebalance::Assigned(partitions)) => {
                let starts: Vec<_> = partitions.into_iter().map(|each| (each, None)).collect();
                member.accept_from(&starts)
            }
            Polled::Rebalance(Rebalance::Revoked(gone) | Rebalance::Lost(gone)) => {
                member.give_up(&gone)
            }
            Polled::Fatal(reason) => return report(&reason),
            Polled::Nothing => {
                let _ = member.ready().recv_timeout(Duration::from_millis(100));
                Ok(())
            }
            Polled::Records => Ok(()),
        };
        if let Err(error) = answered {
            return report(&error.to_string());
        }
        let before = read.fetch_add(records, Ordering::Relaxed);
        if before < wanted && before + records >= wanted {
            report("all records");
        }
    }
}

#[expect(clippy::print_stdout, reason = "it is a program")]
fn report(message: &str) {
    println!("{message}");
}
