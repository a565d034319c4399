//! Fuzzes FLV files with damage: see [`sidestream_fuzz::flv_file`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sidestream_fuzz::flv_file(data));
