//! Fuzzes MPEG-TS: see [`sidestream_fuzz::ts_demux`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sidestream_fuzz::ts_demux(data));
