//! Fuzzes FLV files and tag bodies: see [`sidestream_fuzz::flv_demux`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sidestream_fuzz::flv_demux(data));
