//! Apache Kafka clusters, run by `scripts/kafka`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::{Topic, wait_for};

/// A running cluster with its data in a temporary folder. It ends when this is dropped, and in
/// any case when the process of the tests does.
pub(crate) struct Cluster {
    folder: PathBuf,
    addresses: String,
    brokers: i32,
}

impl Cluster {
    /// The cluster of one broker that all tests share which do no harm to brokers.
    pub(crate) fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Cluster::start(1))
    }

    /// Starts a cluster of one or three brokers.
    pub(crate) fn start(brokers: i32) -> Cluster {
        Cluster::start_with(brokers, &[])
    }

    /// Starts a cluster with further arguments for `scripts/kafka start`.
    pub(crate) fn start_with(brokers: i32, arguments: &[&str]) -> Cluster {
        let folder = tempfile::Builder::new().prefix("metric-kafka-").tempdir().unwrap().keep();
        let mut cluster = Cluster { folder, addresses: String::new(), brokers };
        let (count, parent) = (brokers.to_string(), process::id().to_string());
        let mut command = vec!["start", "--brokers", &count, "--parent", &parent];
        command.extend(arguments);
        cluster.run(&command);
        cluster.addresses = cluster.file("bootstrap");
        cluster
    }

    /// The brokers' addresses, separated by commas.
    pub(crate) fn addresses(&self) -> &str {
        &self.addresses
    }

    /// The cluster's folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Reads a file of the cluster's folder, such as `bootstrap-tls`.
    pub(crate) fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap().trim_end().to_owned()
    }

    /// Kills a broker, counting from 1, and returns when it is gone.
    pub(crate) fn kill_broker(&self, number: i32) {
        self.run(&["kill-broker", &number.to_string()]);
    }

    /// Starts a broker that was killed or stopped, and returns when it answers.
    pub(crate) fn start_broker(&self, number: i32) {
        self.run(&["start-broker", &number.to_string()]);
    }

    /// Makes a broker stand still, with its connections open.
    pub(crate) fn pause_broker(&self, number: i32) {
        self.run(&["pause-broker", &number.to_string()]);
    }

    /// Lets a broker that stands still go on.
    pub(crate) fn resume_broker(&self, number: i32) {
        self.run(&["resume-broker", &number.to_string()]);
    }

    /// Runs one of Kafka's own tools, such as `consumer-groups`, and returns what it prints.
    pub(crate) fn tool(&self, name: &str, arguments: &[&str]) -> String {
        let mut command = vec!["tool", name];
        command.extend(arguments);
        self.run(&command)
    }

    /// Creates a topic of `partitions` with a name of its own, which begins with `subject`.
    pub(crate) fn topic(&self, subject: &str, partitions: i32) -> Topic<'_> {
        self.topic_with(subject, partitions, &[])
    }

    /// Creates a topic with settings such as `("max.message.bytes", "1000")`.
    pub(crate) fn topic_with(
        &self,
        subject: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) -> Topic<'_> {
        let name = unique(subject);
        self.create_topic(&name, partitions, settings);
        Topic::new(self, name)
    }

    /// Creates a topic of this name, which there must not be.
    pub(crate) fn create_topic(&self, name: &str, partitions: i32, settings: &[(&str, &str)]) {
        let replication = TopicReplication::Fixed(self.brokers);
        let topic = settings
            .iter()
            .fold(NewTopic::new(name, partitions, replication), |topic, (key, value)| {
                topic.set(key, value)
            });
        for created in block_on(self.admin().create_topics([&topic], &patient())).unwrap() {
            created.unwrap();
        }
    }

    /// Deletes a topic, and returns when it is gone.
    pub(crate) fn delete_topic(&self, name: &str) {
        for deleted in block_on(self.admin().delete_topics(&[name], &patient())).unwrap() {
            deleted.unwrap();
        }
        let client: BaseConsumer = self.client().create().unwrap();
        wait_for("the topic to be gone", Duration::from_secs(30), || {
            let metadata = client.fetch_metadata(Some(name), Duration::from_secs(10)).ok()?;
            metadata.topics().iter().all(|topic| topic.partitions().is_empty()).then_some(())
        });
    }

    /// Gives a topic more partitions, so that it has so many.
    pub(crate) fn grow_topic(&self, name: &str, partitions: usize) {
        let grown = NewPartitions::new(name, partitions);
        for grown in block_on(self.admin().create_partitions([&grown], &patient())).unwrap() {
            grown.unwrap();
        }
    }

    /// Removes the records of a partition before an offset.
    pub(crate) fn delete_records(&self, topic: &str, partition: i32, before: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(before)).unwrap();
        let deleted = block_on(self.admin().delete_records(&offsets, &patient())).unwrap();
        assert!(deleted.elements().iter().all(|element| element.error().is_ok()), "{deleted:?}");
    }

    /// Deletes a group and what it has committed, once it has no members any more.
    pub(crate) fn delete_group(&self, group: &str) {
        wait_for("the end of the group", Duration::from_secs(30), || {
            let options = AdminOptions::new();
            let deleted = block_on(self.admin().delete_groups(&[group], &options)).unwrap();
            deleted.iter().all(Result::is_ok).then_some(())
        });
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.client().create().unwrap()
    }

    /// The settings of a client of this cluster.
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.addresses);
        config
    }

    fn run(&self, arguments: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kafka");
        let output = Command::new(script)
            .env("KAFKA_CLUSTER_DIR", &self.folder)
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "scripts/kafka {arguments:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking() {
            // A second panic would end all tests; the brokers end with the process then.
            return;
        }
        self.run(&["remove"]);
    }
}

/// With the time-out calls return when the brokers have done it.
fn patient() -> AdminOptions {
    AdminOptions::new().operation_timeout(Some(Duration::from_secs(30)))
}

/// A name that no other test and no earlier run uses.
pub(crate) fn unique(subject: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    format!("{subject}-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Waits for a future that another thread completes.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(std::sync::Arc::new(Unpark(thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}
