//! Fuzzes units on their way through FLV and MPEG-TS: see [`sidestream_fuzz::flv_ts_flv`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sidestream_fuzz::flv_ts_flv(data));
