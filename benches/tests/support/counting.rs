//! A global allocator that counts: for each thread what it asked for, for the process what lives.
#![allow(
    unsafe_code,
    reason = "a global allocator is unsafe by definition; this one only counts"
)]
#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Passes everything on to the system's allocator.
pub struct Counting;

thread_local! {
    /// Allocations of this thread and their bytes.
    static THREAD: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static ALLOCATED: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);

/// Allocations and their bytes so far.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    pub allocations: u64,
    pub bytes: u64,
}

/// Of this thread.
pub fn of_this_thread() -> Counted {
    let (allocations, bytes) = THREAD.get();
    Counted { allocations, bytes }
}

/// Of all threads but this one.
pub fn of_other_threads() -> Counted {
    let own = of_this_thread();
    Counted {
        allocations: ALLOCATIONS.load(Ordering::SeqCst) - own.allocations,
        bytes: ALLOCATED.load(Ordering::SeqCst) - own.bytes,
    }
}

/// Bytes of the process that were allocated and not freed.
pub fn live_bytes() -> i64 {
    LIVE.load(Ordering::SeqCst)
}

fn count(bytes: usize, freed: usize) {
    let grown = i64::try_from(bytes).unwrap_or(i64::MAX) - i64::try_from(freed).unwrap_or(i64::MAX);
    LIVE.fetch_add(grown, Ordering::SeqCst);
    if bytes == 0 {
        return;
    }
    ALLOCATIONS.fetch_add(1, Ordering::SeqCst);
    ALLOCATED.fetch_add(bytes as u64, Ordering::SeqCst);
    // Fails only while the thread ends, when nobody counts.
    let _ = THREAD.try_with(|counted| {
        let (allocations, total) = counted.get();
        counted.set((allocations + 1, total + bytes as u64));
    });
}

// SAFETY: every call is passed on to the system's allocator unchanged; counting neither allocates
// nor unwinds, as the cell is constant and has no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promises are those that `System` wants.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: `ptr` came from `System` with this layout.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size, layout.size());
        // SAFETY: `ptr` came from `System` with this layout.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}
