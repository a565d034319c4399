//! Where slice headers end: what Common Encryption leaves clear of a slice.
//!
//! Spec: ITU-T H.264 §7.3.2.2, §7.3.3; ISO/IEC 23001-7 §10.4.2.

use h264_reader::nal::sps::{ChromaFormat, FrameMbsFlags, PicOrderCntType, SeqParameterSet};

use super::{Config, read_sps};
use crate::config::bits::{Bits, unescape};
use crate::config::parameter_sets::MAX_SET_BYTES;
use crate::nal::h264 as nal;

/// More bytes than slice headers have: those of 64 reference pictures with weights.
const MAX_HEADER: usize = 2_048;

/// Reads as much of slice headers as it takes to find their ends.
#[derive(Clone, Debug)]
pub struct SliceHeaders {
    sps: Vec<SeqParameterSet>,
    pps: Vec<Pps>,
}

/// What slice headers depend on in a picture parameter set.
#[derive(Clone, Copy, Debug)]
struct Pps {
    id: u32,
    sps_id: u32,
    entropy_coding_mode: bool,
    bottom_field_pic_order: bool,
    num_ref_idx_active: [u32; 2],
    weighted_pred: bool,
    weighted_bipred_idc: u32,
    deblocking_filter_control: bool,
    redundant_pic_cnt: bool,
}

/// `slice_type` modulo 5.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SliceType {
    P,
    B,
    I,
    Sp,
    Si,
}

impl SliceHeaders {
    /// A reader for slices that use the parameter sets of this configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let sps = config
            .sps
            .iter()
            .filter_map(|set| Some(read_sps(set).ok()?.1));
        let pps = config.pps.iter().filter_map(|set| Pps::parse(set));
        Self {
            sps: sps.collect(),
            pps: pps.collect(),
        }
    }

    /// Bytes from the first of this slice's NAL unit to the end of its slice header, the byte in
    /// which it ends included. `None` when the unit is no slice, or depends on what is not known:
    /// parameter sets outside of the configuration, slice groups.
    #[must_use]
    pub fn len(&self, slice: &[u8]) -> Option<usize> {
        let kind = nal::kind(slice)?;
        if kind != 1 && kind != nal::IDR {
            return None;
        }
        let head = slice.get(..slice.len().min(MAX_HEADER))?;
        let rbsp = unescape(head);
        let mut bits = Bits::new(&rbsp);
        let reference = bits.read(8)? >> 5 & 3 != 0;
        self.pass(&mut bits, kind == nal::IDR, reference)?;
        bits.align();
        Some(escaped_len(head, bits.byte_offset()))
    }

    fn pass(&self, bits: &mut Bits<'_>, idr: bool, reference: bool) -> Option<()> {
        bits.ue()?; // first_mb_in_slice
        let kind = SliceType::of(bits.ue()?)?;
        let pps_id = bits.ue()?;
        let pps = self.pps.iter().rev().find(|pps| pps.id == pps_id)?;
        let sps = self
            .sps
            .iter()
            .find(|sps| u32::from(sps.seq_parameter_set_id.id()) == pps.sps_id)?;
        if sps.chroma_info.separate_colour_plane_flag {
            bits.skip(2)?;
        }
        bits.skip(usize::from(sps.log2_max_frame_num()))?;
        let mut field = false;
        if let FrameMbsFlags::Fields { .. } = sps.frame_mbs_flags {
            field = bits.flag()?;
            if field {
                bits.skip(1)?;
            }
        }
        if idr {
            bits.ue()?;
        }
        pic_order(bits, sps, pps.bottom_field_pic_order && !field)?;
        if pps.redundant_pic_cnt {
            bits.ue()?;
        }
        if kind == SliceType::B {
            bits.skip(1)?;
        }
        let lists = match kind {
            SliceType::P | SliceType::Sp => 1,
            SliceType::B => 2,
            SliceType::I | SliceType::Si => 0,
        };
        let mut active = pps.num_ref_idx_active;
        if lists > 0 && bits.flag()? {
            for count in active.iter_mut().take(lists) {
                *count = bits.ue().filter(|count| *count < 32)?;
            }
        }
        for _ in 0..lists {
            list_modification(bits)?;
        }
        let weighted = match kind {
            SliceType::P | SliceType::Sp => pps.weighted_pred,
            SliceType::B => pps.weighted_bipred_idc == 1,
            SliceType::I | SliceType::Si => false,
        };
        if weighted {
            weights(bits, sps, active.get(..lists)?)?;
        }
        if reference {
            marking(bits, idr)?;
        }
        if pps.entropy_coding_mode && lists > 0 {
            bits.ue()?; // cabac_init_idc
        }
        bits.ue()?; // slice_qp_delta
        if kind == SliceType::Sp {
            bits.skip(1)?;
        }
        if matches!(kind, SliceType::Sp | SliceType::Si) {
            bits.ue()?;
        }
        if pps.deblocking_filter_control && bits.ue()? != 1 {
            bits.ue()?;
            bits.ue()?;
        }
        Some(())
    }
}

impl SliceType {
    fn of(code: u32) -> Option<Self> {
        match (code < 10).then_some(code % 5)? {
            0 => Some(Self::P),
            1 => Some(Self::B),
            2 => Some(Self::I),
            3 => Some(Self::Sp),
            _ => Some(Self::Si),
        }
    }
}

impl Pps {
    fn parse(set: &[u8]) -> Option<Self> {
        if nal::kind(set)? != nal::PPS || set.len() > MAX_SET_BYTES {
            return None;
        }
        let rbsp = unescape(set.get(1..)?);
        let mut bits = Bits::new(&rbsp);
        let (id, sps_id) = (bits.ue()?, bits.ue()?);
        let (entropy_coding_mode, bottom_field_pic_order) = (bits.flag()?, bits.flag()?);
        // Slice groups are of the baseline profile, and nobody makes them.
        if bits.ue()? != 0 {
            return None;
        }
        let num_ref_idx_active = [bits.ue()?, bits.ue()?];
        if num_ref_idx_active.iter().any(|count| *count >= 32) {
            return None;
        }
        let (weighted_pred, weighted_bipred_idc) = (bits.flag()?, bits.read(2)?);
        for _ in 0..3 {
            bits.ue()?; // pic_init_qp, pic_init_qs, chroma_qp_index_offset
        }
        let deblocking_filter_control = bits.flag()?;
        bits.skip(1)?; // constrained_intra_pred
        Some(Self {
            id,
            sps_id,
            entropy_coding_mode,
            bottom_field_pic_order,
            num_ref_idx_active,
            weighted_pred,
            weighted_bipred_idc,
            deblocking_filter_control,
            redundant_pic_cnt: bits.flag()?,
        })
    }
}

fn pic_order(bits: &mut Bits<'_>, sps: &SeqParameterSet, both_fields: bool) -> Option<()> {
    match &sps.pic_order_cnt {
        PicOrderCntType::TypeZero {
            log2_max_pic_order_cnt_lsb_minus4,
        } => {
            bits.skip(usize::from(*log2_max_pic_order_cnt_lsb_minus4) + 4)?;
            if both_fields {
                bits.ue()?;
            }
        }
        PicOrderCntType::TypeOne {
            delta_pic_order_always_zero_flag: false,
            ..
        } => {
            bits.ue()?;
            if both_fields {
                bits.ue()?;
            }
        }
        _ => {}
    }
    Some(())
}

fn list_modification(bits: &mut Bits<'_>) -> Option<()> {
    if !bits.flag()? {
        return Some(());
    }
    // Ends with the bits, at the latest.
    while bits.ue()? != 3 {
        bits.ue()?;
    }
    Some(())
}

fn weights(bits: &mut Bits<'_>, sps: &SeqParameterSet, active: &[u32]) -> Option<()> {
    let chroma = &sps.chroma_info;
    let has_chroma =
        chroma.chroma_format != ChromaFormat::Monochrome && !chroma.separate_colour_plane_flag;
    bits.ue()?;
    if has_chroma {
        bits.ue()?;
    }
    for &count in active {
        for _ in 0..=count {
            if bits.flag()? {
                bits.ue()?;
                bits.ue()?;
            }
            if has_chroma && bits.flag()? {
                for _ in 0..4 {
                    bits.ue()?;
                }
            }
        }
    }
    Some(())
}

/// Decoded reference picture marking.
fn marking(bits: &mut Bits<'_>, idr: bool) -> Option<()> {
    if idr {
        return bits.skip(2);
    }
    if !bits.flag()? {
        return Some(());
    }
    loop {
        match bits.ue()? {
            0 => return Some(()),
            3 => {
                bits.ue()?;
                bits.ue()?;
            }
            1 | 2 | 4 | 6 => {
                bits.ue()?;
            }
            5 => {}
            _ => return None,
        }
    }
}

/// How many bytes of `nal` it takes for this many without emulation prevention.
fn escaped_len(nal: &[u8], unescaped: usize) -> usize {
    let (mut zeros, mut seen) = (0, 0);
    for (at, &byte) in nal.iter().enumerate() {
        if seen == unescaped {
            return at;
        }
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        seen += 1;
    }
    nal.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(byte).collect()
    }

    /// Records and slices of `testdata/`, with the lengths that FFmpeg's `trace_headers` tells.
    const BFRAMES: (&str, &[(usize, &str)]) = (
        "0164000cffe1001a6764000cacd941419f9f011000000300100000030320f142996001000568ebecb22cfdf8f800",
        &[
            (5, "658884009fe9d7ad67"),
            (6, "419a246c467fccaf3c5b"),
            (6, "019e6174439ff8c818a3"),
            (11, "419a6849a84168994c093ff9ada107"),
            (8, "419e8645112c29fff25711cc"),
            (5, "419e4278af9e8a47a5"),
            (13, "419b0f49e10a5265305152cfff1143cc86"),
        ],
    );
    const DEMO: (&str, &[(usize, &str)]) = (
        "01640032ffe1001f67640032ac7611014016ec05a810100a000003000200000300781e306308c001000768e8438232c8b0fdf8f800",
        &[
            (6, "6588810009d2fee3abf8"),
            (7, "019e211b91b4bf00000300"),
            (16, "419a43d13a81016d6d6b265300008fa5fe9e1000"),
            (20, "419a6511ba81016d6d6d6d6b2653000003008fa5fe9e1000"),
            (22, "419a7e8d4080b54b6b6b6b6b5932980000030011f4bffe9e1000"),
            (23, "419a8f0d4080b6b54b6b6b6b6a4ca6000003000a1d8fa5fe9e1000"),
            (
                24,
                "419ab10d4080b6b54b6b54b6b64ca6000003000a08619a5ffeb52a80",
            ),
        ],
    );

    #[test]
    fn headers_end_where_ffmpeg_says() {
        for (record, slices) in [BFRAMES, DEMO] {
            let headers = SliceHeaders::new(&Config::parse(&hex(record)).unwrap());
            for (len, slice) in slices {
                assert_eq!(headers.len(&hex(slice)), Some(*len), "{slice}");
            }
        }
    }

    #[test]
    fn what_is_no_slice_or_cut_off_or_of_other_sets_has_no_end() {
        let (record, slices) = DEMO;
        let headers = SliceHeaders::new(&Config::parse(&hex(record)).unwrap());
        for (len, slice) in slices {
            let slice = hex(slice);
            for cut in 0..len - 1 {
                assert_eq!(headers.len(&slice[..cut]), None);
            }
        }
        assert_eq!(headers.len(&[0x67, 1, 2, 3, 4, 5]), None);
        // pic_parameter_set_id 1.
        assert_eq!(headers.len(&[0x65, 0x88, 0x5f, 0xff, 0xff, 0xff]), None);
        // A list modification and a marking that never end.
        assert_eq!(headers.len(&[0x41; 4_096]), None);
        assert_eq!(headers.len(&[0xff; 4_096]), None);
    }
}
