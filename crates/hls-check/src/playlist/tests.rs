#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::rule;

const LOW_LATENCY: &str = "#EXTM3U
#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=24,PART-HOLD-BACK=0.972
#EXT-X-PART-INF:PART-TARGET=0.324
#EXT-X-MEDIA-SEQUENCE:17
#EXT-X-DISCONTINUITY-SEQUENCE:2
#EXT-X-MAP:URI=\"init.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T19:30:00.123Z
#EXTINF:2.04,a title, with a comma
a/17.m4s?k=1
#EXT-X-DISCONTINUITY
#EXT-X-MAP:URI=\"other.mp4\",BYTERANGE=\"100@20\"
#EXT-X-PROGRAM-DATE-TIME:2026-11-20T20:30:02.163+01:00
#EXT-X-PART:DURATION=0.32,URI=\"18-0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.28,URI=\"18-1.m4s\"
#EXTINF:0.6,
18.m4s
#EXT-X-PART:DURATION=0.32,URI=\"19.m4s\",BYTERANGE=\"500@0\"
#EXT-X-PART:DURATION=0.32,URI=\"19.m4s\",BYTERANGE=\"400\",GAP=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"19.m4s\",BYTERANGE-START=900
#EXT-X-RENDITION-REPORT:URI=\"../b/video.m3u8\",LAST-MSN=18
";

fn base() -> Url {
    Url::parse("https://relay.example/live/a/video.m3u8").unwrap()
}

fn media(text: &str) -> Media {
    match parse(text.as_bytes(), &base()) {
        Ok(Playlist::Media(media)) => *media,
        other => panic!("{other:?}"),
    }
}

#[test]
fn playlists_of_single_pictures_are_told_apart() {
    let pictures = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-I-FRAMES-ONLY\n#EXTINF:2,\n\
                    #EXT-X-BYTERANGE:100@0\n17.m4s\n";
    assert!(media(pictures).i_frames_only && !media(LOW_LATENCY).i_frames_only);
}

#[test]
fn everything_has_its_value_and_its_line() {
    let list = media(LOW_LATENCY);
    assert_eq!(list.problems.iter().count(), 0, "{:?}", list.problems);
    assert_eq!(
        (list.version, list.target, list.target_line),
        (Some(9), Some(4), 4)
    );
    assert_eq!(
        (list.sequence, list.discontinuity_sequence, list.end()),
        (17, 2, 19)
    );
    assert_eq!(list.part_target, Some((324_000, 6)));
    let control = list.control.as_ref().unwrap();
    assert!(control.can_block && control.line == 5);
    assert_eq!(control.can_skip_until, Some(24_000_000));
    assert_eq!(control.part_hold_back, Some(972_000));
    let [first, second] = &list.segments[..] else {
        panic!("{:?}", list.segments);
    };
    assert_eq!(
        (first.line, first.duration_line, first.duration),
        (12, 11, 2_040_000)
    );
    assert_eq!(
        first.url.as_ref().unwrap().as_str(),
        "https://relay.example/live/a/a/17.m4s?k=1"
    );
    assert_eq!(first.date, Some((1_795_203_000_123, 10)));
    assert_eq!(
        second.date,
        Some((1_795_203_002_163, 15)),
        "with its time zone"
    );
    assert!(second.discontinuity && !first.discontinuity);
    let map = second.map.as_ref().unwrap();
    assert_eq!(
        map.range,
        Some(Range {
            start: 20,
            len: 100
        })
    );
    let independent: Vec<bool> = second.parts.iter().map(|part| part.independent).collect();
    assert_eq!(independent, [true, false]);
    assert_eq!(second.parts_duration(), 600_000);
    let ranges: Vec<_> = list
        .open
        .parts
        .iter()
        .map(|part| (part.range, part.is_gap))
        .collect();
    let range = |start, len| Some(Range { start, len });
    assert_eq!(ranges, [(range(0, 500), false), (range(500, 400), true)]);
    let (hint, start, line) = list.hint.as_ref().unwrap();
    assert_eq!(
        (hint.path(), *start, *line),
        ("/live/a/19.m4s", Some(900), 22)
    );
    assert_eq!(list.reports[0].path(), "/live/b/video.m3u8");
    assert_eq!(list.duration(), 2_040_000 + 600_000 + 640_000);
}

#[test]
fn another_parser_reads_the_same() {
    let list = media(LOW_LATENCY);
    // It takes what follows a second comma for a URI.
    let text = LOW_LATENCY.replace(", with a comma", "");
    let theirs = m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap();
    assert_eq!(theirs.media_sequence, list.sequence);
    assert_eq!(Some(theirs.target_duration), list.target);
    assert_eq!(theirs.discontinuity_sequence, list.discontinuity_sequence);
    let compared = theirs.segments.iter().zip(&list.segments);
    for (theirs, ours) in compared {
        assert_eq!(
            base().join(&theirs.uri).unwrap(),
            **ours.url.as_ref().unwrap()
        );
        assert_eq!(micros(&theirs.duration.to_string()), Some(ours.duration));
        assert_eq!(theirs.discontinuity, ours.discontinuity);
        let date = theirs.program_date_time.map(|date| date.timestamp_millis());
        assert_eq!(date, ours.date.map(|(date, _)| date));
    }
    assert_eq!(theirs.segments.len(), list.segments.len());
}

#[test]
fn lines_that_are_wrong_are_told_and_hide_nothing() {
    for (wrong, check) in [
        ("#EXT-X-MEDIA-SEQUENCE:-1", &rule::LINE_MALFORMED),
        ("#EXTINF:long,", &rule::LINE_MALFORMED),
        ("#EXT-X-BYTERANGE:5", &rule::LINE_MALFORMED),
        ("#EXT-X-MAP:BYTERANGE=\"1@2\"", &rule::LINE_MALFORMED),
        ("#EXT-X-PROGRAM-DATE-TIME:yesterday", &rule::LINE_MALFORMED),
        ("#EXT-X-PART:URI=\"x\"", &rule::LINE_MALFORMED),
        ("#EXT-X-PLAYLIST-TYPE:LIVE", &rule::LINE_MALFORMED),
    ] {
        let text = format!(
            "#EXTM3U\n#EXT-X-TARGETDURATION:2\n{wrong}\n#EXTINF:2,\na.ts\n#EXTINF:1,\nb.ts\n"
        );
        let list = media(&text);
        let told: Vec<_> = list
            .problems
            .iter()
            .map(|problem| problem.check.name)
            .collect();
        assert_eq!(told, [check.name], "{wrong}");
        let urls: Vec<_> = list
            .segments
            .iter()
            .map(|s| s.url.as_ref().unwrap().path())
            .collect();
        let expected: &[&str] = match wrong.starts_with("#EXT-X-BYTERANGE") {
            true => &["/live/a/b.ts"],
            false => &["/live/a/a.ts", "/live/a/b.ts"],
        };
        assert_eq!(urls, expected, "{wrong}");
    }
}

#[test]
fn what_is_no_playlist_is_refused_in_a_sentence() {
    for (text, why) in [
        (&b"<html>"[..], "begins with \"<html>\""),
        (b"", "not a playlist"),
        (b"#EXTM3U\n\xff", "no UTF-8 at byte 8"),
    ] {
        let error = parse(text, &base()).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
    let long = format!(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n{}",
        "#EXTINF:1,\na\n".repeat(MAX_ENTRIES + 1)
    );
    assert!(
        parse(long.as_bytes(), &base())
            .unwrap_err()
            .contains("more than 100000")
    );
}

#[test]
fn any_bytes_are_read_without_harm() {
    let whole = LOW_LATENCY.as_bytes();
    for at in 0..whole.len() {
        let _ = parse(&whole[..at], &base());
        let mut spoilt = whole.to_vec();
        spoilt[at] ^= 0x15;
        let _ = parse(&spoilt, &base());
    }
}

#[test]
fn variants_have_their_attributes() {
    let text = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"n\",URI=\"a.m3u8\"\n\
        #EXT-X-STREAM-INF:BANDWIDTH=1000,AVERAGE-BANDWIDTH=900,CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=25.000,AUDIO=\"a\"\nv/720.m3u8\n\
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=10,URI=\"i.m3u8\"\n";
    let Ok(Playlist::Multivariant(list)) = parse(text.as_bytes(), &base()) else {
        panic!("no multivariant playlist");
    };
    assert_eq!(list.problems.iter().count(), 0);
    let variant = &list.variants[0];
    assert_eq!(
        (variant.bandwidth, variant.average, variant.line),
        (Some(1000), Some(900), 3)
    );
    assert_eq!(
        variant.codecs.as_deref().unwrap(),
        ["avc1.64001f", "mp4a.40.2"]
    );
    assert_eq!(
        (variant.resolution, variant.frame_rate),
        (Some((1280, 720)), Some(25.0))
    );
    assert_eq!(variant.url.path(), "/live/a/v/720.m3u8");
    assert!(list.variants[1].is_i_frames && list.renditions[0].is_media());
    let theirs = m3u8_rs::parse_master_playlist_res(text.as_bytes()).unwrap();
    assert_eq!(theirs.variants[0].bandwidth, variant.bandwidth.unwrap());
    assert_eq!(theirs.variants[0].uri, "v/720.m3u8");
}
