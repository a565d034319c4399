//! Replays the committed corpora.
#![allow(clippy::unwrap_used)]

use std::path::Path;

fn replay(target: &str, run: fn(&[u8])) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        run(&std::fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 5, "corpus of {target} has {count} files");
}

#[test]
fn corpus_of_amf0_decode_runs_through() {
    replay("amf0_decode", crate::amf0_decode);
}

#[test]
fn corpus_of_flv_demux_runs_through() {
    replay("flv_demux", crate::flv_demux);
}

#[test]
fn corpus_of_mp4_demux_runs_through() {
    replay("mp4_demux", crate::mp4_demux);
}

#[test]
fn corpus_of_mp4_round_trip_runs_through() {
    replay("mp4_round_trip", crate::mp4_round_trip);
}

#[test]
fn corpus_of_rtmp_chunk_reader_runs_through() {
    replay("rtmp_chunk_reader", crate::rtmp_chunk_reader);
}

#[test]
fn corpus_of_rtmp_server_session_runs_through() {
    replay("rtmp_server_session", crate::rtmp_server_session);
}

#[test]
fn corpus_of_rtmp_client_session_runs_through() {
    replay("rtmp_client_session", crate::rtmp_client_session);
}

#[test]
fn corpus_of_flv_file_runs_through() {
    replay("flv_file", crate::flv_file);
}

#[test]
fn corpus_of_flv_ts_flv_runs_through() {
    replay("flv_ts_flv", crate::flv_ts_flv);
}

#[test]
fn corpus_of_hls_folder_runs_through() {
    replay("hls_folder", crate::hls_folder);
}

#[test]
fn corpus_of_ts_demux_runs_through() {
    replay("ts_demux", crate::ts_demux);
}
