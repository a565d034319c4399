//! Text that must not be shown.

use std::fmt;

use subtle::ConstantTimeEq;

/// A key, a password, a token. `Debug` shows `****`; comparison takes the same time wherever the
/// texts differ. The length is not hidden.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps a text from being shown.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself: for making signatures and for what is sent to its owner.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether somebody knows it.
    #[must_use]
    pub fn matches(&self, candidate: &str) -> bool {
        equal(&self.0, candidate)
    }
}

/// Compares in a time that depends on the lengths only.
pub(super) fn equal(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_compared_and_not_shown() {
        let secret = Secret::new("s3cret");
        assert!(secret.matches("s3cret"));
        assert!(!secret.matches("s3creT"));
        assert!(!secret.matches("s3cret "));
        assert!(!secret.matches(""));
        assert_eq!(format!("{secret:?}"), "****");
    }
}
