//! Several streams served as one.

/// Streams that are joined to a ladder, by the names that calls gave. What the names may be, the media
/// side knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// The ladder's own name.
    pub name: String,
    /// The names of its rungs, in the order in which players see them.
    pub rungs: Vec<String>,
}
