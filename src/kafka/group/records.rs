//! The records of a member's partitions, in a queue of their own that is read in batches.
//!
//! The client library has a queue for each partition and forwards all of them to the queue of its
//! events, out of which records come one by one, each with an event around it. Read in batches,
//! that queue would swallow rebalances. So [`RecordQueue::adopt`] forwards the queues of partitions
//! here, before they are assigned; from then on no record of theirs goes elsewhere, because the
//! library leaves alone what the application has forwarded. One queue for all of them keeps what
//! the queues of the library keep, too: what is read ahead is bounded over all partitions together,
//! and they come in the order in which the brokers were asked, so that none starves.
//!
//! This is the only module with `unsafe` in it, and so it also has the one question to the client
//! that can be asked through its C interface only, [`has_member_id`]. What makes it sound: [`RecordQueue`] and
//! [`OwnedMessage`] own what they point to and give it back once; a queue keeps its client alive,
//! and a message never outlives the queue it came out of.
//!
//! # References
//! librdkafka's `rdkafka.h`, `rdkafka_queue.c` for forwarding, and `rdkafka_partition.c`, where
//! `RD_KAFKA_Q_F_FWD_APP` marks a queue that the application has forwarded.

#![expect(unsafe_code, reason = "the library reads in batches through its C interface only")]

use std::ffi::{CStr, CString, c_void};
use std::marker::PhantomData;
use std::ops::Range;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use crossbeam_channel::Sender;
use rdkafka::bindings::{
    rd_kafka_consume_batch_queue, rd_kafka_get_watermark_offsets, rd_kafka_header_get_all,
    rd_kafka_headers_t, rd_kafka_mem_free, rd_kafka_memberid, rd_kafka_message_destroy,
    rd_kafka_message_errstr, rd_kafka_message_headers, rd_kafka_message_t,
    rd_kafka_message_timestamp, rd_kafka_queue_cb_event_enable, rd_kafka_queue_destroy,
    rd_kafka_queue_forward, rd_kafka_queue_get_consumer, rd_kafka_queue_get_partition,
    rd_kafka_queue_length, rd_kafka_queue_new, rd_kafka_queue_t, rd_kafka_resp_err_t, rd_kafka_t,
    rd_kafka_timestamp_type_t, rd_kafka_topic_name,
};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::Partition;
use super::context::MemberContext;

/// How many records are taken out of the queue at once.
const BATCH: usize = 1_000;

/// A queue of a client, owned.
struct Queue(NonNull<rd_kafka_queue_t>);

impl Queue {
    fn length(&self) -> usize {
        // SAFETY: the queue is ours and its client lives as long as the `RecordQueue` around it.
        unsafe { rd_kafka_queue_length(self.0.as_ptr()) }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: every way to make a `Queue` hands over one reference, which goes here.
        unsafe { rd_kafka_queue_destroy(self.0.as_ptr()) }
    }
}

/// Where the records of a member arrive.
pub(super) struct RecordQueue {
    /// What was taken out of the queue and not given out yet, the next one last.
    held: Vec<OwnedMessage>,
    topic: TopicName,
    queue: Queue,
    events: Queue,
    /// What the library calls with; it stays where it is as long as the queue.
    wake: Box<Sender<()>>,
    /// Goes last: queues and messages must not outlive their client.
    consumer: Arc<BaseConsumer<MemberContext>>,
}

// SAFETY: the library's queues and messages may be used from any thread, one at a time; `&self`
// gives out nothing but the length of a queue, for which the library takes a lock.
unsafe impl Send for RecordQueue {}

impl RecordQueue {
    /// Makes an empty queue; `wake` is sent to when the first record arrives in it.
    pub(super) fn new(
        consumer: Arc<BaseConsumer<MemberContext>>,
        wake: Sender<()>,
    ) -> Option<RecordQueue> {
        let client = consumer.client().native_ptr();
        // SAFETY: the client is alive: `consumer` is kept as long as both queues.
        let (queue, events) =
            unsafe { (rd_kafka_queue_new(client), rd_kafka_queue_get_consumer(client)) };
        let (queue, events) = (Queue(NonNull::new(queue)?), Queue(NonNull::new(events)?));
        let wake = Box::new(wake);
        let waking = ptr::from_ref::<Sender<()>>(&wake).cast_mut().cast::<c_void>();
        // SAFETY: the sender stays at its address and alive until the callback is taken away in
        // `drop`; the library only reads through the pointer, and so does the callback.
        unsafe { rd_kafka_queue_cb_event_enable(queue.0.as_ptr(), Some(signal), waking) };
        Some(RecordQueue {
            held: Vec::with_capacity(BATCH),
            topic: TopicName::default(),
            queue,
            events,
            wake,
            consumer,
        })
    }

    /// Has the records of these partitions come here from their next assignment on.
    ///
    /// It has to be done each time, because the library ends forwarding when it stops fetching. It
    /// does nothing for a partition that is not assigned.
    pub(super) fn adopt(&self, partitions: &[Partition]) {
        let client = self.consumer.client().native_ptr();
        for Partition { topic, number } in partitions {
            // No topic has a zero byte in its name.
            let Ok(topic) = CString::new(topic.as_bytes()) else { continue };
            // SAFETY: the client is alive, the name ends with a zero, and the library copies it.
            let own = unsafe { rd_kafka_queue_get_partition(client, topic.as_ptr(), *number) };
            let Some(own) = NonNull::new(own).map(Queue) else { continue };
            // SAFETY: both queues are alive and of the same client; the library keeps what it needs
            // of ours after `own` has gone.
            unsafe { rd_kafka_queue_forward(own.0.as_ptr(), self.queue.0.as_ptr()) };
        }
    }

    /// The oldest offset of a partition and the one that comes next, as the library knows them from
    /// the last answer of the brokers.
    pub(super) fn known_range(&self, partition: &Partition) -> Option<Range<i64>> {
        let topic = CString::new(partition.topic.as_bytes()).ok()?;
        let client = self.consumer.client().native_ptr();
        let (mut low, mut high) = (-1, -1);
        // SAFETY: the client is alive, the name ends with a zero, and there is room for both offsets.
        let result = unsafe {
            rd_kafka_get_watermark_offsets(
                client,
                topic.as_ptr(),
                partition.number,
                &raw mut low,
                &raw mut high,
            )
        };
        let is_known = result == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        (is_known && 0 <= low && low <= high).then_some(low..high)
    }

    /// Sends the signal that there may be records.
    pub(super) fn signal(&self) {
        // One waiting signal is as good as many.
        let _ = self.wake.try_send(());
    }

    /// Whether the library has told of something that was not polled yet.
    pub(super) fn has_events(&self) -> bool {
        self.events.length() > 0
    }

    /// Takes the next batch out of the queue, unless some of the last one is left; tells whether
    /// there is something to give out.
    pub(super) fn fill(&mut self) -> bool {
        if !self.held.is_empty() {
            return true;
        }
        // Another topic may get the address of one whose records have all gone.
        self.topic.address = ptr::null();
        let room = self.held.spare_capacity_mut();
        let (first, count) = (room.as_mut_ptr().cast::<*mut rd_kafka_message_t>(), room.len());
        // SAFETY: `OwnedMessage` is a pointer to a message and nothing else, and there is room for
        // `count` of them at `first`; the library writes no more, none of them null.
        let taken = unsafe { rd_kafka_consume_batch_queue(self.queue.0.as_ptr(), 0, first, count) };
        let taken = usize::try_from(taken).unwrap_or_default();
        // SAFETY: the first `taken` places hold messages now, each of which is ours to destroy.
        unsafe { self.held.set_len(taken) };
        self.held.reverse();
        taken > 0
    }

    /// Gives out the next record.
    pub(super) fn take_next(&mut self) -> Option<Result<NextRecord<'_>, RecordError>> {
        let message = self.held.pop()?;
        if let Some(error) = message.error() {
            return Some(Err(error));
        }
        self.topic.look_at(message.get().rkt);
        Some(Ok(NextRecord { message, topic: &self.topic.name }))
    }

    /// Forgets those records that are not given out yet and for which `is_gone` holds.
    pub(super) fn forget(&mut self, is_gone: impl Fn(&str, i32) -> bool) {
        let topic = &mut self.topic;
        self.held.retain(|message| {
            let message = message.get();
            if message.rkt.is_null() {
                return true;
            }
            topic.look_at(message.rkt);
            !is_gone(&topic.name, message.partition)
        });
    }
}

impl Drop for RecordQueue {
    fn drop(&mut self) {
        // SAFETY: the queue is alive. The library calls back with the queue locked, and takes the
        // same lock here, so that no call is under way when this returns.
        unsafe { rd_kafka_queue_cb_event_enable(self.queue.0.as_ptr(), None, ptr::null_mut()) }
    }
}

/// Called by the library, on a thread of its own, when the queue is no longer empty.
unsafe extern "C" fn signal(_: *mut rd_kafka_t, wake: *mut c_void) {
    // SAFETY: `wake` is what the callback was set with: a sender, alive until it is taken away.
    let wake = unsafe { &*wake.cast::<Sender<()>>() };
    // One waiting signal is as good as many.
    let _ = wake.try_send(());
}

/// The name of the topic of the last record, found again by its address: asking for it means
/// measuring and checking a string.
struct TopicName {
    address: *const rdkafka::bindings::rd_kafka_topic_t,
    name: Arc<str>,
}

impl Default for TopicName {
    fn default() -> TopicName {
        TopicName { address: ptr::null(), name: "".into() }
    }
}

impl TopicName {
    /// Looks at the topic of a message that is held.
    fn look_at(&mut self, topic: *const rdkafka::bindings::rd_kafka_topic_t) {
        if topic == self.address {
            return;
        }
        // SAFETY: the topic belongs to a message that is held, which keeps it alive; its name is a
        // string that ends with a zero, as long as it lives.
        let name = unsafe { CStr::from_ptr(rd_kafka_topic_name(topic)) };
        if name.to_bytes() != self.name.as_bytes() {
            self.name = name.to_string_lossy().into();
        }
        self.address = topic;
    }
}

/// Something other than a record that came where records come.
pub(super) struct RecordError {
    /// What it is.
    pub(super) error: KafkaError,
    /// What the library says about it.
    pub(super) reason: String,
}

/// A message of the library, and the memory that it lies in.
#[repr(transparent)]
struct OwnedMessage(NonNull<rd_kafka_message_t>);

impl OwnedMessage {
    fn get(&self) -> &rd_kafka_message_t {
        // SAFETY: it is ours until it is dropped, and nobody writes to it.
        unsafe { self.0.as_ref() }
    }

    fn error(&self) -> Option<RecordError> {
        let message = self.get();
        if message.err == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        let code = RDKafkaErrorCode::from(message.err);
        // SAFETY: the message is alive; the text is its own or a constant, and ends with a zero.
        let reason = unsafe { CStr::from_ptr(rd_kafka_message_errstr(message)) };
        let error = KafkaError::Global(code);
        Some(RecordError { error, reason: reason.to_string_lossy().into_owned() })
    }
}

impl Drop for OwnedMessage {
    fn drop(&mut self) {
        // SAFETY: it came out of the queue as ours, and goes once.
        unsafe { rd_kafka_message_destroy(self.0.as_ptr()) }
    }
}

/// A record that was given out; its memory goes with it.
pub(super) struct NextRecord<'a> {
    message: OwnedMessage,
    /// Its topic.
    pub(super) topic: &'a str,
}

impl NextRecord<'_> {
    pub(super) fn partition(&self) -> i32 {
        self.message.get().partition
    }

    pub(super) fn offset(&self) -> i64 {
        self.message.get().offset
    }

    pub(super) fn value(&self) -> Option<&[u8]> {
        let message = self.message.get();
        // SAFETY: the library says how long what it points to is; it lives as long as the message.
        unsafe { bytes(message.payload, message.len) }
    }

    pub(super) fn key(&self) -> Option<&[u8]> {
        let message = self.message.get();
        // SAFETY: as for the value.
        unsafe { bytes(message.key, message.key_len) }
    }

    /// Its time in milliseconds since 1970, if it has one.
    pub(super) fn timestamp_ms(&self) -> Option<i64> {
        let mut kind = rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: the message is alive, and there is room for the kind.
        let timestamp = unsafe { rd_kafka_message_timestamp(self.message.get(), &raw mut kind) };
        let has_one = kind != rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        (has_one && timestamp >= 0).then_some(timestamp)
    }

    /// Its headers in their order; the library takes them apart when they are asked for.
    pub(super) fn headers(&self) -> Headers<'_> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is alive and not shared with another thread; what is found belongs
        // to it and lives as long.
        let found = unsafe { rd_kafka_message_headers(self.message.get(), &raw mut headers) };
        let is_found = found == rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        Headers { headers: if is_found { headers } else { ptr::null() }, at: 0, of: PhantomData }
    }
}

/// The headers of a record: names and values.
pub(super) struct Headers<'a> {
    headers: *const rd_kafka_headers_t,
    at: usize,
    of: PhantomData<&'a rd_kafka_message_t>,
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.headers.is_null() {
            return None;
        }
        let (mut name, mut value, mut length) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the headers live as long as their message, which `'a` keeps; there is room for
        // what is asked for, which is written if there is a header at this place.
        let found = unsafe {
            rd_kafka_header_get_all(
                self.headers,
                self.at,
                &raw mut name,
                &raw mut value,
                &raw mut length,
            )
        };
        if found != rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return None;
        }
        self.at += 1;
        // SAFETY: a name ends with a zero, a value is as long as was said; both live as long as
        // the message.
        Some(unsafe { (CStr::from_ptr(name).to_bytes(), bytes(value, length)) })
    }
}

/// Whether the group has given a member its id.
pub(super) fn has_member_id(consumer: &BaseConsumer<MemberContext>) -> bool {
    let client = consumer.client().native_ptr();
    // SAFETY: the client is borrowed, and copies the id for us.
    let Some(id) = NonNull::new(unsafe { rd_kafka_memberid(client) }) else { return false };
    // SAFETY: the copy is a text that ends with a zero, and nobody else has it.
    unsafe {
        let is_empty = CStr::from_ptr(id.as_ptr()).is_empty();
        rd_kafka_mem_free(client, id.as_ptr().cast());
        !is_empty
    }
}

/// What lies at `start`; nothing if that is null.
///
/// # Safety
/// There are `length` bytes at `start`, which live and stay the same for `'a`.
unsafe fn bytes<'a>(start: *const c_void, length: usize) -> Option<&'a [u8]> {
    let start = NonNull::new(start.cast_mut().cast::<u8>())?;
    // SAFETY: as this function asks for.
    Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), length) })
}
