//! What the writer is told.

use std::sync::Arc;

use media::{AccessUnit, DataMessage, Extra, Headers};

use crate::manifest::Gap;

/// What the writer is to do, in order.
#[derive(Debug)]
pub(crate) enum Act {
    /// Begin the next file.
    Open(Opening),
    /// Write a unit, its times those of the file.
    Unit {
        unit: AccessUnit,
        /// A reader could start here.
        join: bool,
    },
    /// Write a data message, its time that of the file.
    Data(Arc<DataMessage>),
    /// Write what the publisher says about a track, at this time of the file.
    Extra(Arc<Extra>, i64),
    /// What follows does not continue what came before.
    Break,
    /// Something is missing.
    Gap(Gap),
    /// The file is complete.
    Close(End),
}

/// Where a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// In its own milliseconds.
    pub(crate) ms: i64,
    /// When its last unit arrived, in milliseconds of the Unix epoch.
    pub(crate) wall_ms: Option<i64>,
}

/// How a file begins.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) headers: Headers,
    /// When its first unit arrived, in milliseconds of the Unix epoch.
    pub(crate) wall_ms: i64,
}
