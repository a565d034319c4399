#![allow(clippy::unwrap_used)]
use super::*;

const AVCC: &str =
    "0142c01effe100196742c01ed890280bfe5c0440000003004000000c83c58b898001000568c888cb20";
const ASC: &str = "1210";

fn hex(text: &str) -> Bytes {
    let text: String = text.split_whitespace().collect();
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}

/// Events as short text, one per line of a message log.
fn log(events: Result<Events, Error>) -> Vec<String> {
    match events {
        Ok(events) => events.map(|event| describe(&event)).collect(),
        Err(error) => vec![format!("error: {error}")],
    }
}

fn describe(event: &Event) -> String {
    let body = |body: &Option<Bytes>| if body.is_some() { " body" } else { "" };
    match event {
        Event::Track(track) => match &track.config {
            Ok(config) => format!("track {}: {config}{}", track.id, body(&track.flv_body)),
            Err(error) => format!(
                "track {}: {}, {error}{}",
                track.id,
                track.codec,
                body(&track.flv_body)
            ),
        },
        Event::Unit(unit) => format!(
            "unit {}: {:?} {:+} {:02x?}{}",
            unit.track,
            unit.role,
            unit.composition_offset.0,
            &unit.payload[..],
            body(&unit.flv_body)
        ),
        Event::EndOfSequence(track) => format!("end {track}"),
        Event::Metadata(data) => {
            format!(
                "metadata {}: {} bytes{}",
                data.track,
                data.amf0.len(),
                body(&data.flv_body)
            )
        }
        Event::Channels(config) => format!(
            "channels {}: order {} count {} {:02x?}{}",
            config.track,
            config.order,
            config.channels,
            &config.layout[..],
            body(&config.flv_body)
        ),
        Event::Refused(error) => format!("refused: {error}"),
    }
}

/// What a fresh parser makes of one video body.
fn video(body: &str) -> Vec<String> {
    log(Parser::default().video(&hex(body)))
}

fn audio(body: &str) -> Vec<String> {
    log(Parser::default().audio(&hex(body)))
}

#[test]
fn classic_avc_and_aac() {
    let mut parser = Parser::default();
    assert_eq!(
        log(parser.video(&hex(&format!("1700000000{AVCC}")))),
        ["track 0: H.264 Constrained Baseline@3.0 640x360 25 fps body"]
    );
    assert_eq!(
        log(parser.video(&hex("2701000028 aabb"))),
        ["unit 0: Inter +40 [aa, bb] body"]
    );
    assert_eq!(
        log(parser.video(&hex("3701ffffd8 aabb"))),
        ["unit 0: Disposable -40 [aa, bb] body"]
    );
    assert_eq!(
        log(parser.video(&hex("4701800000 cc"))),
        ["unit 0: RandomAccess -8388608 [cc] body"]
    );
    assert_eq!(log(parser.video(&hex("1702000000"))), ["end 0"]);
    assert_eq!(
        log(parser.audio(&hex(&format!("af00{ASC}")))),
        ["track 1: AAC-LC 44.1 kHz 2ch body"]
    );
    assert_eq!(
        log(parser.audio(&hex("af01 21"))),
        ["unit 1: RandomAccess +0 [21] body"]
    );
}

#[test]
fn payload_and_body_share_the_message_and_headers_do_not() {
    let mut parser = Parser::default();
    let header = hex(&format!("1700000000{AVCC}"));
    let Some(Event::Track(track)) = parser.video(&header).unwrap().next() else {
        panic!("no track");
    };
    let kept = track.flv_body.unwrap();
    assert_eq!(kept, header);
    assert_ne!(
        kept.as_ptr(),
        header.as_ptr(),
        "a copy, so that no read buffer is held"
    );
    let body = hex("2701000000 0000000141");
    let Some(Event::Unit(unit)) = parser.video(&body).unwrap().next() else {
        panic!("no unit");
    };
    assert_eq!(unit.payload.as_ptr(), body[5..].as_ptr());
    assert_eq!(unit.flv_body.unwrap().as_ptr(), body.as_ptr());
}

#[test]
fn repeated_header_is_silent_and_a_changed_one_is_told() {
    let mut parser = Parser::default();
    let header = hex(&format!("1700000000{AVCC}"));
    assert_eq!(log(parser.video(&header)).len(), 1);
    assert_eq!(log(parser.video(&header)).len(), 0);
    let changed = hex(&format!("1700000000{}", AVCC.replace("42c01e", "42c01f")));
    assert_eq!(
        log(parser.video(&changed)),
        ["track 0: H.264 Constrained Baseline@3.1 640x360 25 fps body"]
    );
    assert_eq!(log(parser.video(&header)).len(), 1, "and back");
}

#[test]
fn units_before_their_header_are_relayed_and_told_once() {
    let mut parser = Parser::default();
    assert_eq!(
        log(parser.video(&hex("1701000000 65"))),
        [
            "track 0: H.264, no codec configuration has arrived",
            "unit 0: RandomAccess +0 [65] body"
        ]
    );
    assert_eq!(
        log(parser.video(&hex("2701000000 41"))),
        ["unit 0: Inter +0 [41] body"]
    );
    assert_eq!(
        log(parser.video(&hex(&format!("1700000000{AVCC}")))).len(),
        1
    );
    assert_eq!(log(parser.video(&hex("2701000000 41"))).len(), 1);
}

#[test]
fn malformed_configuration_is_a_track_without_one_that_keeps_its_body() {
    let mut parser = Parser::default();
    let bad = hex("1700000000 0142c01effe10019");
    assert_eq!(
        log(parser.video(&bad)),
        ["track 0: H.264, avcC: cut off within a parameter set at byte 8 body"]
    );
    assert_eq!(log(parser.video(&bad)).len(), 0, "once");
    assert_eq!(
        log(parser.video(&hex("1701000000 65"))),
        ["unit 0: RandomAccess +0 [65] body"]
    );
    assert!(
        log(parser.video(&hex("1700000000"))).is_empty(),
        "an empty header says nothing"
    );
}

#[test]
fn short_and_empty_bodies_are_skipped_or_errors() {
    assert!(video("").is_empty());
    assert!(audio("").is_empty());
    assert_eq!(
        video("17"),
        ["error: AVC packet header is cut off at byte 1"]
    );
    assert_eq!(
        video("17010000"),
        ["error: AVC packet header is cut off at byte 4"]
    );
    assert!(video("1701000000").is_empty(), "no payload");
    assert_eq!(audio("af"), ["error: AAC packet type is cut off at byte 1"]);
    assert!(audio("af01").is_empty());
    assert!(video("5700").is_empty(), "command frame");
    assert_eq!(
        video("1705000000"),
        ["error: AVC packet type 5 is not defined, at byte 1"]
    );
    assert_eq!(
        video("6701000000 41"),
        ["error: frame type 6 is not defined, at byte 0"]
    );
    assert_eq!(video("90"), ["error: video FourCC is cut off at byte 1"]);
    assert_eq!(
        video("9168766331 0000"),
        ["error: composition offset is cut off at byte 7"]
    );
}

#[test]
fn other_legacy_codecs_are_relayed() {
    assert_eq!(
        video("22 aa"),
        [
            "track 0: Sorenson H.263, Sorenson H.263 is relayed only",
            "unit 0: Inter +0 [aa] body"
        ]
    );
    assert_eq!(
        audio("b2 aa"),
        [
            "track 1: Speex, Speex is relayed only",
            "unit 1: RandomAccess +0 [aa] body"
        ]
    );
    assert_eq!(
        audio("ef ffe318c4"),
        [
            "track 1: MP3 8 kHz 1ch body",
            "unit 1: RandomAccess +0 [ff, e3, 18, c4] body"
        ]
        .map(|line| line.replace("1ch body", "1ch"))
    );
}

#[test]
fn hevc_by_its_old_number_is_hevc() {
    assert_eq!(
        video("2c01fffffe aa"),
        [
            "track 0: HEVC, no codec configuration has arrived",
            "unit 0: Inter -2 [aa] body"
        ]
    );
}

#[test]
fn frame_configured_codecs_wait_for_a_good_frame() {
    let mut parser = Parser::default();
    assert_eq!(
        log(parser.audio(&hex("2f 0000"))),
        [
            "track 1: MP3, MP3 frame header: cut off at byte 2",
            "unit 1: RandomAccess +0 [00, 00] body"
        ]
    );
    assert_eq!(log(parser.audio(&hex("2f 0000"))).len(), 1);
    assert_eq!(
        log(parser.audio(&hex("2f fffb9064")))[0],
        "track 1: MP3 44.1 kHz 2ch"
    );
    assert_eq!(log(parser.audio(&hex("2f 0000"))).len(), 1);
    // ffmpeg's empty AC-3 sequence header comes back with the track.
    assert!(log(parser.audio(&hex("90 61632d33"))).is_empty());
    assert_eq!(
        log(parser.audio(&hex("91 61632d33 0b7700001e40e1")))[0],
        "track 1: AC-3 48 kHz 6ch body"
    );
    assert!(
        log(parser.audio(&hex("90 61632d33"))).is_empty(),
        "repeated"
    );
    assert_eq!(
        log(parser.audio(&hex("91 61632d33 0b7700001e40e1"))).len(),
        1
    );
}

const VP9_HEADER: &str = "90 76703039 01000000 000b820202020000";
const VP9_KEY: &str = "91 76703039 824983422013f00b3000";
const VP9_INTER: &str = "a1 76703039 86";

#[test]
fn vp9_is_announced_again_with_the_size_in_its_first_key_frame() {
    let mut parser = Parser::default();
    let header = hex(VP9_HEADER);
    assert_eq!(log(parser.video(&header)), ["track 0: VP9 body"]);
    assert_eq!(log(parser.video(&hex(VP9_INTER))).len(), 1);
    assert!(log(parser.video(&header)).is_empty(), "repeated");
    assert_eq!(
        log(parser.video(&hex(VP9_KEY))),
        [
            "track 0: VP9 320x180 body",
            "unit 0: RandomAccess +0 [82, 49, 83, 42, 20, 13, f0, 0b, 30, 00] body"
        ]
    );
    assert!(log(parser.video(&header)).is_empty(), "repeated");
    assert_eq!(log(parser.video(&hex(VP9_KEY))).len(), 1);
    // Another level is another configuration.
    let other = hex(&VP9_HEADER.replace("0b82", "1482"));
    assert_eq!(log(parser.video(&other)), ["track 0: VP9 body"]);
    let again = log(parser.video(&hex(VP9_KEY)));
    assert_eq!(again[0], "track 0: VP9 320x180 body");
}

#[test]
fn vp9_without_a_good_record_is_described_by_its_first_key_frame() {
    for (header, why) in [
        (None, "no codec configuration has arrived"),
        (Some("90 76703039 01"), "vpcC: cut off at byte 1 body"),
    ] {
        let mut parser = Parser::default();
        let first = match header {
            Some(header) => parser.video(&hex(header)),
            None => parser.video(&hex(VP9_INTER)),
        };
        assert_eq!(log(first)[0], format!("track 0: VP9, {why}"));
        assert_eq!(log(parser.video(&hex(VP9_INTER))).len(), 1);
        let key = log(parser.video(&hex(VP9_KEY)));
        let body = if header.is_some() { " body" } else { "" };
        assert_eq!(key[0], format!("track 0: VP9 320x180{body}"));
        assert_eq!(log(parser.video(&hex(VP9_KEY))).len(), 1);
        // A good record, when it comes, is another description.
        let good = log(parser.video(&hex(VP9_HEADER)));
        assert_eq!(good, ["track 0: VP9 body"]);
        let described = log(parser.video(&hex(VP9_KEY)));
        assert_eq!(described[0], "track 0: VP9 320x180 body");
    }
}

#[test]
fn enhanced_packets_of_every_type() {
    let mut parser = Parser::default();
    let header = format!("90 61763031 {}", "81050c000a0b0000002d4c37b3dfff9804");
    assert_eq!(
        log(parser.video(&hex(&header))),
        ["track 0: AV1 1080x720 body"]
    );
    assert_eq!(
        log(parser.video(&hex("a1 61763031 1200"))),
        ["unit 0: Inter +0 [12, 00] body"]
    );
    assert_eq!(log(parser.video(&hex("92 61763031"))), ["end 0"]);
    assert_eq!(
        log(parser.video(&hex("d4 61763031 0200"))),
        ["metadata 0: 2 bytes body"]
    );
    assert!(log(parser.video(&hex("d1 00"))).is_empty(), "command");
    assert_eq!(
        log(parser.video(&hex("95 61763031 8004 81050c00"))),
        ["track 0: AV1 body"]
    );
    assert_eq!(
        log(parser.video(&hex("98 61763031"))),
        ["error: video packet type 8 is not defined, at byte 5"]
    );
    // HEVC: with and without composition offset; VVC is read alike, and relayed only.
    assert_eq!(
        video("a1 68766331 fffff6 aa")[1],
        "unit 0: Inter -10 [aa] body"
    );
    assert_eq!(video("a3 68766331 aa")[1], "unit 0: Inter +0 [aa] body");
    assert_eq!(
        video("91 76766331 000001 aa"),
        [
            "track 0: VVC, VVC is relayed only",
            "unit 0: RandomAccess +1 [aa] body"
        ]
    );
    assert_eq!(
        video("91 78787878 aabbcc dd"),
        [
            "track 0: unknown video (xxxx), unknown video (xxxx) is relayed only",
            "unit 0: RandomAccess +0 [aa, bb, cc, dd] body"
        ]
    );
    assert_eq!(
        audio("94 4f707573 01 06 0000003f"),
        ["channels 1: order 1 count 6 [00, 00, 00, 3f] body"]
    );
    assert_eq!(
        audio("94 4f707573 02 02 0001"),
        ["channels 1: order 2 count 2 [00, 01] body"]
    );
    assert_eq!(
        audio("94 4f707573 02 03 0001"),
        ["error: channel layout is cut off at byte 9"]
    );
    assert_eq!(
        audio("94 4f707573 07 03"),
        ["error: channel order 7 is not defined, at byte 5"]
    );
    assert_eq!(audio("92 4f707573"), ["end 1"]);
}

#[test]
fn mod_ex_of_every_size_is_passed_over() {
    // Three bytes of nanoseconds, then CodedFramesX.
    assert_eq!(
        video("a7 02 000001 03 68766331 aa")[1],
        "unit 0: Inter +0 [aa] body"
    );
    // Two in a row.
    assert_eq!(
        video("a7 00 ff 17 02 000001 03 68766331 aa")[1],
        "unit 0: Inter +0 [aa] body"
    );
    // 256: the size follows in 16 bits.
    let long = format!("a7 ff 0100 {} 03 68766331 aa", "00".repeat(257));
    assert_eq!(video(&long)[1], "unit 0: Inter +0 [aa] body");
    assert_eq!(
        audio("97 02 000001 01 4f707573 aa")[1],
        "unit 1: RandomAccess +0 [aa] body"
    );
    assert_eq!(
        video("a7 ff ffff 00"),
        ["error: ModEx data is cut off at byte 5"]
    );
    assert_eq!(video("a7"), ["error: ModEx size is cut off at byte 1"]);
}

#[test]
fn multitrack_layouts() {
    // One track, number 1: the body can be relayed as it is.
    assert_eq!(
        video("a6 01 68766331 01 000005 aa"),
        [
            "track 2: HEVC, no codec configuration has arrived",
            "unit 2: Inter +5 [aa] body"
        ]
    );
    // One track, number 0: to be rebuilt in the plain form.
    assert_eq!(
        video("a6 01 68766331 00 000005 aa")[1],
        "unit 0: Inter +5 [aa]"
    );
    // Many tracks of a codec.
    assert_eq!(
        video("96 11 61766331 00 000005 000000aabb 02 000004 fffffecc"),
        [
            "track 0: H.264, no codec configuration has arrived",
            "unit 0: RandomAccess +0 [aa, bb]",
            "track 4: H.264, no codec configuration has arrived",
            "unit 4: RandomAccess -2 [cc]"
        ]
    );
    // Many tracks, each with its codec.
    assert_eq!(
        audio("95 21 4f707573 00 000001 aa 664c6143 03 000002 bbcc"),
        [
            "track 1: Opus, no codec configuration has arrived",
            "unit 1: RandomAccess +0 [aa]",
            "track 7: FLAC, no codec configuration has arrived",
            "unit 7: RandomAccess +0 [bb, cc]"
        ]
    );
    let headers = format!("95 10 6d703461 00 000002 {ASC} 01 000002 {ASC}");
    assert_eq!(
        audio(&headers),
        [
            "track 1: AAC-LC 44.1 kHz 2ch",
            "track 3: AAC-LC 44.1 kHz 2ch"
        ]
    );
}

#[test]
fn multitrack_damage_costs_the_track_or_the_body() {
    // The first track's packet is bad, the second's is good.
    assert_eq!(
        video("96 11 61766331 00 000001 00 01 000004 000000cc"),
        [
            "refused: composition offset is cut off at byte 11",
            "track 2: H.264, no codec configuration has arrived",
            "unit 2: RandomAccess +0 [cc]"
        ]
    );
    assert_eq!(
        video("96 11 61766331 00 ffffff 00"),
        ["error: track is cut off at byte 11"]
    );
    assert_eq!(
        video("96 31 61766331 00"),
        ["error: multitrack type 3 is not defined, at byte 1"]
    );
    assert_eq!(
        video("96 06 61766331 00 aa"),
        ["error: video packet type 6 is not defined, at byte 7"],
        "no multitrack within multitrack"
    );
}

#[test]
fn tracks_beyond_the_limit_are_refused_and_the_others_go_on() {
    let mut parser = Parser::new(Limits {
        tracks: 2,
        ..Limits::default()
    });
    let body = hex("95 11 4f707573 00 000001 aa 01 000001 bb 02 000001 cc");
    let events = log(parser.audio(&body));
    assert_eq!(events[3], "unit 3: RandomAccess +0 [bb]");
    assert_eq!(events[4], "refused: track 5 ignored: more than 2 tracks");
    assert_eq!(
        log(parser.video(&hex("1701000000 65"))),
        ["error: track 0 ignored: more than 2 tracks"]
    );
    assert_eq!(log(parser.audio(&body)).len(), 3);
}

#[test]
fn body_that_repeats_a_track_without_end_is_bounded() {
    let body = format!("95 11 4f707573 {}", "00 000001 aa".repeat(10_000));
    let events = audio(&body);
    assert_eq!(
        events.len(),
        66,
        "the track, its first 64 units, the refusal"
    );
    assert_eq!(
        events[65],
        "refused: body ignored from here: more than 64 events in it"
    );
}

#[test]
fn damage_behind_good_tracks_does_not_lose_them() {
    assert_eq!(
        audio("95 11 4f707573 00 000001 aa 01 0000ff bb"),
        [
            "track 1: Opus, no codec configuration has arrived",
            "unit 1: RandomAccess +0 [aa]",
            "refused: track is cut off at byte 16"
        ]
    );
}

#[test]
fn header_beyond_the_limit_is_an_error() {
    let mut parser = Parser::default();
    let body = hex(&format!("1700000000{}", "00".repeat(65_532)));
    assert_eq!(
        log(parser.video(&body)),
        ["error: track 0: sequence header of 65537 bytes exceeds 65536"]
    );
}

#[test]
fn codec_may_change_on_a_track() {
    let mut parser = Parser::default();
    assert_eq!(
        log(parser.video(&hex(&format!("1700000000{AVCC}")))).len(),
        1
    );
    assert_eq!(
        log(parser.video(&hex("a3 68766331 aa")))[0],
        "track 0: HEVC, no codec configuration has arrived"
    );
    assert_eq!(
        log(parser.video(&hex(&format!("1700000000{AVCC}")))),
        ["track 0: H.264 Constrained Baseline@3.0 640x360 25 fps body"],
        "the same record again is news"
    );
}
