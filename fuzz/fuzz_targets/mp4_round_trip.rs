//! Fuzzes MP4 files, written and read back: see [`sidestream_fuzz::mp4_round_trip`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sidestream_fuzz::mp4_round_trip(data));
