//! Fuzzes MP4 files, read and repaired: see [`sidestream_fuzz::mp4_demux`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sidestream_fuzz::mp4_demux(data));
