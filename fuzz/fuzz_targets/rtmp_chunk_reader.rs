//! Fuzzes the chunk reader: see [`sidestream_fuzz::rtmp_chunk_reader`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sidestream_fuzz::rtmp_chunk_reader(data));
