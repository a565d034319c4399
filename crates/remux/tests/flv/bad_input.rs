//! Damaged files: an error or tags, never a panic, never more than the bytes that are there.

use bytes::Bytes;
use remux::flv::{Demuxer, Error, Tag};

use crate::files::{files, parse, read};

#[test]
fn damaged_files_give_the_same_tags_and_error_for_every_split() {
    for path in files(&["badinput/flv", "flv-edge"]) {
        let bytes = read(&path);
        let whole = demux(&bytes, bytes.len());
        parse(&whole.0);
        for step in [1, 7, 1_000] {
            assert_eq!(demux(&bytes, step), whole, "{} by {step}", path.display());
        }
    }
}

/// Pushes `step` bytes at a time; the tags and how it ended.
fn demux(bytes: &Bytes, step: usize) -> (Vec<Tag>, Result<(), Error>) {
    let mut demuxer = Demuxer::default();
    let mut tags = Vec::new();
    for chunk in bytes.chunks(step.max(1)) {
        demuxer.push(Bytes::copy_from_slice(chunk));
        loop {
            match demuxer.poll() {
                Ok(Some(tag)) => tags.push(tag),
                Ok(None) => break,
                Err(error) => return (tags, Err(error)),
            }
        }
    }
    let end = demuxer.finish();
    (tags, end)
}
