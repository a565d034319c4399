//! Fuzzes AMF0 values: see [`sidestream_fuzz::amf0_decode`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sidestream_fuzz::amf0_decode(data));
