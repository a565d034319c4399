//! One sample of a file that is read: where it lies and when it applies.

use media::FrameRole;

/// A sample as the tables of a file tell of it; times on the track's media timeline, without edit
/// list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// Bytes from the start of the file.
    pub(super) offset: u64,
    pub(super) size: u32,
    pub(super) dts: i64,
    /// `pts - dts`.
    pub(super) composition_offset: i64,
    pub(super) duration: u32,
    pub(super) role: FrameRole,
    /// Which entry of `stsd` describes it; the first is 1.
    pub(super) description: u32,
}

impl Sample {
    /// The byte behind it.
    pub(super) fn end(&self) -> u64 {
        self.offset.saturating_add(self.size.into())
    }
}

/// The role of a sample whose dependents are told by `sample_is_depended_on` (ISO/IEC 14496-12
/// §8.6.4.3): 2 says that there are none.
pub(super) fn role(sync: bool, is_depended_on: u8) -> FrameRole {
    match (sync, is_depended_on & 3) {
        (true, _) => FrameRole::RandomAccess,
        (false, 2) => FrameRole::Disposable,
        (false, _) => FrameRole::Inter,
    }
}
