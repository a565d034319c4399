//! How the binary's heap is kept from growing in holes. Programs that embed sidestream choose for
//! themselves.

/// Allocations from this size on get pages of their own, in bytes.
#[cfg(target_env = "gnu")]
const PAGES_FROM: libc::c_int = 64 << 10;

/// As many of them at most: half of what Linux allows a process (`vm.max_map_count`). The rest of
/// a very large server goes to the heap.
#[cfg(target_env = "gnu")]
const MAPPINGS: libc::c_int = 32_768;

/// Segments, their parts and key frames live for half a minute and no two are of one size: in
/// glibc's heap they leave holes, 3 MiB for a stream with a window of 17 MB and more the longer it
/// runs. With pages of their own they go back to the system. By itself glibc moves the limit up
/// to 32 MiB as soon as one of them is freed.
///
/// To be called before there are threads. Does nothing where the C library is not glibc.
pub(crate) fn give_large_allocations_pages() {
    #[cfg(target_env = "gnu")]
    #[allow(unsafe_code, reason = "the C library has no other way to be told")]
    // SAFETY: `mallopt` takes two integers; no other thread runs yet. What it refuses stays as it was.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, PAGES_FROM);
        libc::mallopt(libc::M_MMAP_MAX, MAPPINGS);
    }
}
