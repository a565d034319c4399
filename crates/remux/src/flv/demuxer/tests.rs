#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::flv::{file_header, tag_header};

/// A file of these tags: kind, timestamp, body.
fn file(tags: &[(TagKind, u32, Vec<u8>)]) -> Vec<u8> {
    let mut out = file_header(true, true).to_vec();
    for (kind, timestamp, body) in tags {
        out.extend_from_slice(&tag_header(*kind, *timestamp, body.len()));
        out.extend_from_slice(body);
        out.extend_from_slice(&u32::try_from(body.len() + 11).unwrap().to_be_bytes());
    }
    out
}

/// The tags of `bytes`, pushed as `chunks` long, and how it ended.
fn demux(bytes: &[u8], chunks: impl Iterator<Item = usize>) -> (Vec<Tag>, Result<(), Error>) {
    let mut demuxer = Demuxer::default();
    let mut tags = Vec::new();
    let mut rest = bytes;
    for len in chunks {
        let (chunk, behind) = rest.split_at(len.min(rest.len()));
        rest = behind;
        demuxer.push(Bytes::copy_from_slice(chunk));
        loop {
            match demuxer.poll() {
                Ok(Some(tag)) => tags.push(tag),
                Ok(None) => break,
                Err(error) => return (tags, Err(error)),
            }
        }
        if rest.is_empty() {
            break;
        }
    }
    let end = demuxer.finish();
    (tags, end)
}

fn whole(bytes: &[u8]) -> (Vec<Tag>, Result<(), Error>) {
    demux(bytes, std::iter::once(bytes.len()))
}

fn two_tags() -> Vec<u8> {
    file(&[
        (TagKind::Video, 0x0100_0002, vec![1, 2, 3]),
        (TagKind::Script, u32::MAX, vec![4]),
    ])
}

#[test]
fn tags_have_their_kind_time_body_and_place() {
    let (tags, end) = whole(&two_tags());
    assert_eq!(end, Ok(()));
    assert_eq!(tags.len(), 2);
    assert_eq!(
        (tags[0].kind, tags[0].timestamp, tags[0].offset),
        (TagKind::Video, 0x0100_0002, 13)
    );
    assert_eq!(&tags[0].body[..], [1, 2, 3]);
    assert_eq!(
        (tags[1].kind, tags[1].timestamp, tags[1].offset),
        (TagKind::Script, u32::MAX, 31)
    );
}

#[test]
fn body_within_a_push_is_a_slice_of_it() {
    let input = Bytes::from(two_tags());
    let mut demuxer = Demuxer::default();
    demuxer.push(input.clone());
    let tag = demuxer.poll().unwrap().unwrap();
    assert_eq!(tag.body.as_ptr(), input[24..].as_ptr());
    assert_eq!(demuxer.announced(), Some((true, true)));
}

#[test]
fn first_previous_tag_size_may_be_missing() {
    let mut bytes = two_tags();
    bytes.drain(9..13);
    let (tags, end) = whole(&bytes);
    assert_eq!((tags.len(), end), (2, Ok(())));
    assert_eq!(tags[0].offset, 9);
}

#[test]
fn longer_file_header_is_passed_over() {
    let mut bytes = two_tags();
    bytes[8] = 12;
    bytes.splice(9..9, [7, 7, 7]);
    assert_eq!(whole(&bytes).0.len(), 2);
    bytes[6] = 1;
    assert_eq!(
        whole(&bytes).1.unwrap_err().to_string(),
        "file header length 65548 is not defined, at byte 5"
    );
}

#[test]
fn sizes_that_real_writers_get_wrong_are_taken() {
    for wrong in [0_u32, 3] {
        let mut bytes = two_tags();
        bytes[27..31].copy_from_slice(&wrong.to_be_bytes());
        assert_eq!(whole(&bytes).0.len(), 2, "{wrong}");
    }
}

#[test]
fn damage_is_an_error_with_its_place_that_stays() {
    let refusal = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = two_tags();
        change(&mut bytes);
        whole(&bytes).1.unwrap_err().to_string()
    };
    assert_eq!(
        refusal(&|b| b[0] = b'X'),
        "not an FLV file: no \"FLV\" signature at byte 0"
    );
    assert_eq!(
        refusal(&|b| b[13] = 7),
        "tag type 7 is not defined, at byte 13"
    );
    assert_eq!(refusal(&|b| b[13] = 0x29), "encrypted tag at byte 13");
    assert_eq!(
        refusal(&|b| b[14] = 0x90),
        "tag of 9437187 bytes exceeds 8388608 at byte 13"
    );
    assert_eq!(
        refusal(&|b| b[16] = 2),
        "previous tag size is 50331648, not 13, at byte 26"
    );
    assert_eq!(refusal(&|b| b.truncate(25)), "tag is cut off at byte 25");
    assert_eq!(
        refusal(&|b| b.truncate(33)),
        "tag header is cut off at byte 33"
    );
    assert_eq!(
        refusal(&|b| b.truncate(3)),
        "file header is cut off at byte 3"
    );

    let mut demuxer = Demuxer::default();
    demuxer.push(Bytes::from_static(b"GET / HTTP/1.1"));
    let error = demuxer.poll().unwrap_err();
    demuxer.push(two_tags().into());
    assert_eq!(demuxer.poll(), Err(error));
}

#[test]
fn truncated_declared_size_gathers_only_what_came() {
    let mut bytes = two_tags();
    bytes[14..17].copy_from_slice(&[0x7f, 0xff, 0xff]);
    let mut demuxer = Demuxer::default();
    demuxer.push(bytes.into());
    assert_eq!(demuxer.poll(), Ok(None));
    assert!(demuxer.gathered.capacity() < 100, "8 MiB were declared");
}

#[test]
fn input_pushed_before_the_last_was_drained_is_joined() {
    let bytes = two_tags();
    let mut demuxer = Demuxer::default();
    for chunk in bytes.chunks(5) {
        demuxer.push(Bytes::copy_from_slice(chunk));
    }
    assert!(demuxer.poll().unwrap().is_some());
    assert!(demuxer.poll().unwrap().is_some());
    assert_eq!(demuxer.poll(), Ok(None));
}

fn tag() -> impl Strategy<Value = (TagKind, u32, Vec<u8>)> {
    let kind = prop_oneof![
        Just(TagKind::Audio),
        Just(TagKind::Video),
        Just(TagKind::Script)
    ];
    (
        kind,
        any::<u32>(),
        prop::collection::vec(any::<u8>(), 0..40),
    )
}

proptest! {
    #[test]
    fn any_split_gives_the_same_tags(
        tags in prop::collection::vec(tag(), 0..6),
        chunks in prop::collection::vec(1_usize..30, 1..40),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = file(&tags);
        let sound = whole(&bytes);
        prop_assert_eq!(sound.0.len(), tags.len());
        for (ours, (kind, timestamp, body)) in sound.0.iter().zip(&tags) {
            prop_assert_eq!((ours.kind, ours.timestamp), (*kind, *timestamp));
            prop_assert_eq!(&ours.body[..], &body[..]);
        }
        if let Some((index, byte)) = damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        prop_assert_eq!(demux(&bytes, chunks.iter().copied().cycle()), whole(&bytes));
    }
}
