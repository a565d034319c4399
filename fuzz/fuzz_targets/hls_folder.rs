//! Fuzzes HLS folders: see [`sidestream_fuzz::hls_folder`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sidestream_fuzz::hls_folder(data));
