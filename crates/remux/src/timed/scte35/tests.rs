#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pairs = digits
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).unwrap());
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

/// SCTE 35 §14.1: a time signal with the start of a placement opportunity.
const START: &str = "fc3034000000000000fffff00506fe72bd0050001e021c435545494800008e7fcf0001a599b00808000000002ca0a18a3402009ac9d17e";
/// §14.2: a splice insert.
const INSERT: &str = "fc302f000000000000fffff014054800008f7feffe7369c02efe0052ccf500000000000a0008435545490000013562dba30a";
/// §14.3: a time signal with the end of a placement opportunity.
const END: &str = "fc302f000000000000fffff00506fe746290a000190217435545494800008e7f9f0808000000002ca0a18a350200a9cc6758";

/// The section with its length and checksum made sound.
fn sealed(mut section: Vec<u8>) -> Vec<u8> {
    let len = u16::try_from(section.len() - 3).unwrap();
    section[1] = section[1] & 0xf0 | (len >> 8) as u8;
    section[2] = (len & 0xff) as u8;
    let end = section.len() - 4;
    let crc = crc32(&section[..end]).to_be_bytes();
    section[end..].copy_from_slice(&crc);
    section
}

#[test]
fn the_examples_of_the_standard_are_read() {
    let splice = |kind, event, pts, duration| Splice {
        kind,
        event: Some(event),
        pts: Some(pts),
        duration,
    };
    assert_eq!(
        Splice::parse(&hex(START)),
        Some(splice(
            Kind::Out,
            0x4800_008e,
            0x72bd_0050,
            Some(0x1a5_99b0)
        ))
    );
    assert_eq!(
        Splice::parse(&hex(INSERT)),
        Some(splice(Kind::Out, 0x4800_008f, 0x7369_c02e, Some(0x52_ccf5)))
    );
    assert_eq!(
        Splice::parse(&hex(END)),
        Some(splice(Kind::In, 0x4800_008e, 0x7462_90a0, None))
    );
}

#[test]
fn times_are_adjusted_modulo_their_turn() {
    let mut section = hex(INSERT);
    // 2^33 - 1.
    section[4] |= 1;
    section[5..9].fill(0xff);
    let splice = Splice::parse(&sealed(section)).unwrap();
    assert_eq!(splice.pts, Some(0x7369_c02d));
}

#[test]
fn a_splice_in_at_once_a_cancelled_one_and_an_encrypted_one() {
    let mut section = hex(INSERT);
    // Flags: not out, program, no duration, immediate.
    section[19] = 0x50;
    section.drain(20..30);
    section[12] = 20 - 10;
    let splice = Splice::parse(&sealed(section.clone())).unwrap();
    assert_eq!(
        (splice.kind, splice.pts, splice.duration),
        (Kind::In, None, None)
    );
    // With a length that is not known.
    section[11] |= 0x0f;
    section[12] = 0xff;
    assert_eq!(Splice::parse(&sealed(section)), Some(splice));
    let mut cancelled = hex(INSERT);
    cancelled[18] = 0xff;
    let splice = Splice::parse(&sealed(cancelled)).unwrap();
    assert_eq!(
        (splice.kind, splice.event),
        (Kind::Other, Some(0x4800_008f))
    );
    let mut encrypted = hex(INSERT);
    encrypted[4] |= 0x80;
    let splice = Splice::parse(&sealed(encrypted)).unwrap();
    assert_eq!(
        (splice.kind, splice.event, splice.pts),
        (Kind::Other, None, None)
    );
}

#[test]
fn every_truncation_and_every_changed_byte_is_refused() {
    for section in [START, INSERT, END].map(hex) {
        for len in 0..section.len() {
            assert_eq!(Splice::parse(&section[..len]), None);
        }
        for at in 0..section.len() {
            let mut changed = section.clone();
            changed[at] ^= 0x10;
            // Reserved bits of the length are covered by the checksum too.
            assert_eq!(Splice::parse(&changed), None, "{at}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_with_a_sound_checksum_are_read_or_refused(
        which in 0..3_usize,
        changes in prop::collection::vec((3_usize..46, any::<u8>()), 0..6),
        cut in 0_usize..40,
    ) {
        let mut section = hex([START, INSERT, END][which]);
        for (at, byte) in changes {
            section[at] = byte;
        }
        section.truncate((section.len() - cut).max(8));
        if let Some(splice) = Splice::parse(&sealed(section)) {
            prop_assert!(splice.pts.is_none_or(|pts| pts < TURN));
            prop_assert!(splice.duration.is_none_or(|len| splice.kind == Kind::Out && len < 1 << 40));
        }
    }
}

#[test]
fn a_section_is_moved_by_its_adjustment() {
    let pts = |section: &[u8]| Splice::parse(section).unwrap().pts.unwrap();
    let before = hex(INSERT);
    for (ticks, after) in [
        (900, 0x7369_c02e + 900),
        (-900, 0x7369_c02e - 900),
        (0, 0x7369_c02e),
        // Over the turn of the clock, in both directions.
        (0x1_8c96_3fd2, 0),
        (-0x7369_c02f, 0x1_ffff_ffff),
        (0x2_0000_0001, 0x7369_c02f),
    ] {
        let section = moved(&before, ticks).unwrap();
        assert_eq!(pts(&section), after, "{ticks}");
        let back = moved(&section, -ticks).unwrap();
        assert_eq!(back, before, "{ticks}");
    }
    // What else stands in those five bytes stays.
    let mut encrypted = before.clone();
    encrypted[4] |= 0x82;
    let encrypted = sealed(encrypted);
    let section = moved(&encrypted, 1).unwrap();
    assert_eq!(section[4..9], [0x82, 0, 0, 0, 1]);
    let mut damaged = before;
    damaged[12] ^= 1;
    assert_eq!(moved(&damaged, 900), None);
}
