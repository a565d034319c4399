//! Fuzzes the client session: see [`sidestream_fuzz::rtmp_client_session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sidestream_fuzz::rtmp_client_session(data));
