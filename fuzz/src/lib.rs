//! What every target does besides: it measures. An execution over the limits is a finding like a panic.

use std::{cell::Cell, time::Duration};

use rustix::time::{ClockId, clock_gettime};

/// Most time that an execution may take on its thread: what else the machine does is not counted.
pub const TIME_MAX: Duration = Duration::from_millis(50);

/// Most memory that an execution may hold at one time: so much for each byte of input,
const BYTES_PER_BYTE: u64 = 8;
/// and so much besides.
const BYTES: u64 = 1024 * 1024;

/// Makes a target of a function of the crate that it tests.
#[macro_export]
macro_rules! target {
    ($function:path) => {
        libfuzzer_sys::fuzz_target!(init: $crate::start($function), |data: &[u8]| {
            $crate::run($function, data)
        });
    };
}

thread_local! {
    static MOST: Cell<(u64, Duration)> = const { Cell::new((0, Duration::ZERO)) };
}

/// Runs it once on nothing: what it makes once and for all is not counted.
pub fn start(function: fn(&[u8])) {
    function(&[]);
}

/// Runs it and holds it against the limits. What is more than ever before is said, so that the log ends with the peaks.
pub fn run(function: fn(&[u8]), data: &[u8]) {
    let before = thread_time();
    let allocated = allocation_counter::measure(|| function(data));
    let mut took = thread_time().saturating_sub(before);
    // On a machine that is short of memory a thread pays for the kernel's work: what is slow is slow each time.
    for _ in 0..3 {
        if took <= TIME_MAX {
            break;
        }
        let before = thread_time();
        function(data);
        took = took.min(thread_time().saturating_sub(before));
    }
    let (memory, time) = MOST.get();
    if allocated.bytes_max > memory || took > time {
        MOST.set((memory.max(allocated.bytes_max), time.max(took)));
        let (memory, time) = MOST.get();
        eprintln!("most so far: {memory} bytes, {} us", time.as_micros());
    }
    let allowed = BYTES + BYTES_PER_BYTE * data.len() as u64;
    assert!(
        allocated.bytes_max <= allowed,
        "{} bytes of memory for {} of input",
        allocated.bytes_max,
        data.len()
    );
    assert!(took <= TIME_MAX, "{took:?} for {} bytes", data.len());
}

fn thread_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}
