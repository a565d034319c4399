//! What things are called.

use super::Text;

/// A room's or a user's id.
pub(in crate::api) type Name = Text<1, 63>;
/// A title, for people.
pub(in crate::api) type Title = Text<0, 256>;
/// A longer text, for people.
pub(in crate::api) type Description = Text<0, 1024>;
/// A URL; what it may be is said where it is used.
pub(in crate::api) type Url = Text<1, 2048>;
