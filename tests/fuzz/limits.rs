//! What a single input may take.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Address space beyond what the process has when it begins: far more than any input needs, far
/// less than what grows without bound.
const MORE_ADDRESS_SPACE_BYTES: u64 = 768 << 20;

/// What the agent gives its threads, times what a build without optimization takes more.
pub(crate) const STACK_BYTES: usize = 8 << 20;

/// How long an input may take before it counts as hanging, on however busy a machine.
pub(crate) const HANG: Duration = Duration::from_secs(30);

/// How much time of a processor an input may take: enough for what grows with its length in a
/// build without optimization, too little for what grows with the square of it.
pub(crate) fn processor_time(bytes: usize, nanos_per_byte: u64) -> Duration {
    Duration::from_millis(250) + Duration::from_nanos(bytes as u64 * nanos_per_byte)
}

/// Limits the memory of this process from now on.
pub(crate) fn limit_memory() {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    let now = pages * rustix::param::page_size() as u64;
    let hard = getrlimit(Resource::As).maximum;
    let limit = Rlimit { current: Some(now + MORE_ADDRESS_SPACE_BYTES), maximum: hard };
    setrlimit(Resource::As, limit).unwrap();
    // A core file of every crash helps nobody.
    let none = Rlimit { current: Some(0), maximum: getrlimit(Resource::Core).maximum };
    setrlimit(Resource::Core, none).unwrap();
}

/// The time that this thread has had a processor; zero where the kernel does not count it.
pub(crate) fn processor_time_used() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}
