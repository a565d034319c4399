//! Publish keys that the API hands out: a stream key that stands for a member's source.
//!
//! A key has 128 random bits; the store keeps its SHA-256 only.

use sha2::{Digest, Sha256};

use super::hex::hex;
use super::identity::Identity;
use super::secret::Secret;

/// How every key begins; tells keys from stream codes.
const PREFIX: &str = "pk_";

/// Digits without those that look alike (Crockford's base32).
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A new key of 128 random bits.
///
/// # Errors
/// The system has no random bytes.
pub fn new_publish_key() -> Result<Secret, getrandom::Error> {
    random_text(PREFIX)
}

/// A prefix and 128 random bits in 26 letters and digits that people do not confuse.
pub(super) fn random_text(prefix: &str) -> Result<Secret, getrandom::Error> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)?;
    let mut bits = u128::from_be_bytes(bytes);
    let mut text = String::from(prefix);
    for _ in 0..26 {
        let digit = usize::try_from(bits & 31).unwrap_or_default();
        text.push(char::from(DIGITS[digit]));
        bits >>= 5;
    }
    Ok(Secret::new(&text))
}

/// What the store knows of a key: its SHA-256, as 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyDigest(String);

impl KeyDigest {
    /// The digest of a published stream key; `None` when no key of ours looks like this.
    #[must_use]
    pub fn of(stream_key: &str) -> Option<Self> {
        let digits = stream_key.strip_prefix(PREFIX)?;
        let is_ours = digits.len() == 26 && digits.bytes().all(|byte| DIGITS.contains(&byte));
        is_ours.then(|| Self(hex(&Sha256::digest(stream_key.as_bytes()))))
    }

    /// As the store keeps it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How often a key opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// As often as wanted until it expires.
    Many,
    /// Once; `spent` when that was.
    Once {
        /// Whether it has opened.
        spent: bool,
    },
}

/// A key that was handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedKey {
    /// Whom it stands for.
    pub identity: Identity,
    /// The customer's number for what is recorded of it.
    pub record_id: Option<u32>,
    /// Unix time, seconds, after which it opens nothing; `None`: it does not expire.
    pub expires_unix: Option<u64>,
    /// How often it opens.
    pub usage: KeyUse,
}

/// Why a key does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyUseError {
    /// Its time is over.
    #[error("the publish key expired {0} s ago; ask for another")]
    Expired(u64),
    /// It was for one publish.
    #[error("the publish key was for one publish and has been used; ask for another")]
    Spent,
}

impl IssuedKey {
    /// Whether it opens at `now_unix`. Using one up is the store's to do.
    ///
    /// # Errors
    /// [`KeyUseError`].
    pub fn check(&self, now_unix: u64) -> Result<(), KeyUseError> {
        if let Some(until) = self.expires_unix
            && now_unix > until
        {
            return Err(KeyUseError::Expired(now_unix - until));
        }
        match self.usage {
            KeyUse::Once { spent: true } => Err(KeyUseError::Spent),
            KeyUse::Once { spent: false } | KeyUse::Many => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::identity::Source;
    use super::*;

    #[test]
    fn keys_are_stream_names_and_each_is_another() {
        let (one, two) = (new_publish_key().unwrap(), new_publish_key().unwrap());
        assert_ne!(one, two);
        assert!(media::StreamName::parse("live", one.reveal()).is_ok());
        let digest = KeyDigest::of(one.reveal()).unwrap();
        assert_eq!(digest.as_str().len(), 64);
        assert_ne!(Some(digest), KeyDigest::of(two.reveal()));
    }

    #[test]
    fn other_stream_keys_have_no_digest() {
        for key in [
            "",
            "cam1",
            "pk_",
            "pk_short",
            "pk_UUUUUUUUUUUUUUUUUUUUUUUUUU",
            "pk_0123456789abcdefghjkmnpqr\u{e9}",
        ] {
            assert_eq!(KeyDigest::of(key), None, "{key}");
        }
        // SHA-256 of the text, as `printf %s … | sha256sum` gives it.
        let digest = KeyDigest::of("pk_00000000000000000000000000").unwrap();
        assert_eq!(
            digest.as_str(),
            "0d040b525ec3faf4dedbf1ec4ae6fceae5cbf89033bbdd616a9949b858c930b8"
        );
    }

    #[test]
    fn keys_open_until_they_expire_and_one_time_keys_once() {
        let mut key = IssuedKey {
            identity: Identity::new("8001", "u", Source::Main).unwrap(),
            record_id: None,
            expires_unix: Some(100),
            usage: KeyUse::Many,
        };
        assert_eq!(key.check(100), Ok(()));
        assert_eq!(key.check(103), Err(KeyUseError::Expired(3)));
        key.expires_unix = None;
        key.usage = KeyUse::Once { spent: false };
        assert_eq!(key.check(u64::MAX), Ok(()));
        key.usage = KeyUse::Once { spent: true };
        assert_eq!(key.check(0), Err(KeyUseError::Spent));
    }
}
