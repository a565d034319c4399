//! Keys of the API: new ones, and as they are kept, by their SHA-256.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Secret;
use super::hex::hex;
use super::publish_key::random_text;

/// How a key of ours begins: people and scanners recognise it.
const KEY_PREFIX: &str = "ss_live_";

/// A new API key: `ss_live_` and 128 random bits.
///
/// # Errors
/// The system has no randomness to give.
pub fn new_api_key() -> Result<Secret, getrandom::Error> {
    random_text(KEY_PREFIX)
}

/// How the text form of a hash begins.
const PREFIX: &str = "sha256:";

/// The SHA-256 of an API key, written `sha256:` and 64 hexadecimal digits. `Debug` shows nothing
/// of it: short keys could be guessed from it. Comparison takes the same time wherever two differ.
#[derive(Clone)]
pub struct ApiKeyHash([u8; 32]);

/// A text that is no hash of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not \"sha256:\" and 64 hexadecimal digits")]
pub struct BadHash;

impl ApiKeyHash {
    /// The hash of a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Whether a text means to be a hash.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// As it is written.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", hex(&self.0))
    }
}

impl PartialEq for ApiKeyHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for ApiKeyHash {}

impl FromStr for ApiKeyHash {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix(PREFIX).ok_or(BadHash)?;
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadHash);
        }
        let mut hash = [0; 32];
        for (index, byte) in hash.iter_mut().enumerate() {
            let pair = digits.get(index * 2..index * 2 + 2).ok_or(BadHash)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| BadHash)?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Debug for ApiKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("****")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_hash_is_what_sha256sum_says() {
        // printf %s ss_live_0123456789abcdef | sha256sum
        let text = "sha256:db25390ad3b315f8bf88b8684ff950359fa1a8ac4c1b6f363254098af22c8afd";
        let hash: ApiKeyHash = text.parse().unwrap();
        assert_eq!(hash, ApiKeyHash::of("ss_live_0123456789abcdef"));
        assert_eq!(hash.reveal(), text);
        assert_ne!(hash, ApiKeyHash::of("ss_live_0123456789abcdeg"));
        assert_eq!(format!("{hash:?}"), "****");
        let upper = text.to_uppercase().replace("SHA256", "sha256");
        assert_eq!(upper.parse(), Ok(hash));
        for bad in [
            "",
            "sha256:",
            "sha256:12",
            &text[1..],
            &format!("{text}0"),
            &text.replace('a', "\u{e9}"),
        ] {
            assert_eq!(bad.parse::<ApiKeyHash>(), Err(BadHash), "{bad}");
        }
    }

    #[test]
    fn new_keys_are_long_and_differ() {
        let (one, two) = (new_api_key().unwrap(), new_api_key().unwrap());
        assert!(one.reveal().starts_with("ss_live_") && one.reveal().len() == 34);
        assert_ne!(one, two);
    }
}
