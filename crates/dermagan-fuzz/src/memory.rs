//! An allocator that counts, and ends the process before an input takes the machine's memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);

/// The system's allocator with a count of the bytes in use. A request beyond the limit ends the process.
pub struct Counted;

/// Starts a measurement. More than `limit` bytes above the present use end the process.
pub fn start(limit: usize) {
    let live = LIVE.load(Relaxed);
    PEAK.store(live, Relaxed);
    LIMIT.store(live.saturating_add(limit), Relaxed);
}

/// The largest number of bytes in use since [`start`].
pub fn peak() -> usize {
    PEAK.load(Relaxed)
}

/// The number of bytes in use.
pub fn live() -> usize {
    LIVE.load(Relaxed)
}

fn add(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed) + bytes;
    PEAK.fetch_max(live, Relaxed);
    if live > LIMIT.load(Relaxed) {
        // The message needs memory too.
        LIMIT.store(usize::MAX, Relaxed);
        eprintln!("out of memory: one more request of {bytes} bytes makes {live} bytes in use");
        std::process::abort();
    }
}

#[allow(unsafe_code, reason = "an allocator is unsafe to write")]
// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promise about `layout` holds.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise about `pointer` and `layout` holds.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise about `pointer`, `layout` and `size` holds.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
