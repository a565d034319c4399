//! Fuzzes the server session: see [`sidestream_fuzz::rtmp_server_session`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sidestream_fuzz::rtmp_server_session(data));
