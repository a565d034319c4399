//! Tokens that open one stream to a player until a time: `EXPIRY-MAC`.
//!
//! ```text
//!   6921f3a0-Qm9v…      EXPIRY  Unix seconds, hexadecimal
//!                       MAC     HMAC-SHA256(key, use ‖ lengths and bytes of stream, binding, EXPIRY),
//!                               the first 16 bytes in base64url
//! ```
//!
//! `binding` is what the token depends on beside the stream, the player password for example: when
//! it changes, every token that was made with it is worth nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::secret::equal;

/// Bytes of the MAC that are kept: 128 bits, as RFC 2104 §5 allows.
const MAC_BYTES: usize = 16;

/// Longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 64;

/// What a token is for; one use's tokens are worth nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenUse {
    /// Opens a stream.
    Open,
    /// Stands on the links of playlists of a stream that was opened.
    Link,
}

impl TokenUse {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Open => b"play",
            Self::Link => b"link",
        }
    }
}

/// Makes and checks tokens.
#[derive(Clone)]
pub struct PlayTokens {
    key: [u8; 32],
}

/// Why a token does not open a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Not one of ours, or of another stream, or of a password since changed.
    #[error("the token is wrong")]
    Wrong,
    /// Its time is over.
    #[error("the token expired {0} s ago")]
    Expired(u64),
}

impl PlayTokens {
    /// Tokens of this key. Who shares the key shares the tokens.
    #[must_use]
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// A token for `stream` until `expires_unix`, in seconds.
    #[must_use]
    pub fn token(&self, usage: TokenUse, stream: &str, binding: &str, expires_unix: u64) -> String {
        let expiry = format!("{expires_unix:x}");
        let mac = self.mac(usage, stream, binding, &expiry);
        format!("{expiry}-{mac}")
    }

    /// Whether `token` opens `stream` at `now_unix`.
    ///
    /// # Errors
    /// [`TokenError`]. Only who has had a good token learns that it has expired.
    pub fn verify(
        &self,
        usage: TokenUse,
        stream: &str,
        binding: &str,
        token: &str,
        now_unix: u64,
    ) -> Result<(), TokenError> {
        let (expiry, mac) = token.split_once('-').ok_or(TokenError::Wrong)?;
        if token.len() > MAX_TOKEN_BYTES || !equal(&self.mac(usage, stream, binding, expiry), mac) {
            return Err(TokenError::Wrong);
        }
        let until = u64::from_str_radix(expiry, 16).map_err(|_| TokenError::Wrong)?;
        match now_unix.checked_sub(until) {
            Some(ago) if ago > 0 => Err(TokenError::Expired(ago)),
            _ => Ok(()),
        }
    }

    fn mac(&self, usage: TokenUse, stream: &str, binding: &str, expiry: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            // HMAC takes keys of any length.
            return String::new();
        };
        mac.update(usage.label());
        for part in [stream, binding, expiry] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        let bytes = mac.finalize().into_bytes();
        URL_SAFE_NO_PAD.encode(bytes.get(..MAC_BYTES).unwrap_or_default())
    }
}

impl std::fmt::Debug for PlayTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlayTokens(****)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TOKENS: PlayTokens = PlayTokens::new([7; 32]);

    #[test]
    fn a_token_is_what_an_independent_hmac_gives() {
        // python3: hmac.new(bytes([7])*32, b"play"+len8("live/a")+…, "sha256").digest()[:16]
        assert_eq!(
            TOKENS.token(TokenUse::Open, "live/a", "pw", 0x1000),
            "1000-s-ofJdP_byoYf8K3Wz4K2g"
        );
    }

    #[test]
    fn a_token_is_bound_to_stream_password_key_and_time() {
        let token = TOKENS.token(TokenUse::Open, "live/a", "pw", 1_000);
        assert_eq!(
            TOKENS.verify(TokenUse::Open, "live/a", "pw", &token, 1_000),
            Ok(())
        );
        let expired = Err(TokenError::Expired(2));
        assert_eq!(
            TOKENS.verify(TokenUse::Open, "live/a", "pw", &token, 1_002),
            expired
        );
        let wrong = Err(TokenError::Wrong);
        assert_eq!(
            TOKENS.verify(TokenUse::Open, "live/b", "pw", &token, 0),
            wrong
        );
        assert_eq!(
            TOKENS.verify(TokenUse::Open, "live/a", "pW", &token, 0),
            wrong
        );
        let others = PlayTokens::new([8; 32]);
        assert_eq!(
            others.verify(TokenUse::Open, "live/a", "pw", &token, 0),
            wrong
        );
        let later = token.replacen("3e8", "3e9", 1);
        assert_eq!(
            TOKENS.verify(TokenUse::Open, "live/a", "pw", &later, 0),
            wrong
        );
        assert_eq!(
            TOKENS.verify(TokenUse::Open, "live/a", "pw", &token[1..], 0),
            wrong
        );
        assert_eq!(
            TOKENS.verify(TokenUse::Link, "live/a", "pw", &token, 0),
            wrong
        );
        // The bytes of two parts cannot be moved from one to the other.
        let moved = TOKENS.token(TokenUse::Open, "live/ap", "w", 1_000);
        assert_eq!(
            TOKENS.verify(TokenUse::Open, "live/a", "pw", &moved, 0),
            wrong
        );
    }

    proptest! {
        #[test]
        fn tokens_round_trip(stream in "\\PC{0,60}", binding in "\\PC{0,20}", until: u64) {
            let token = TOKENS.token(TokenUse::Open, &stream, &binding, until);
            prop_assert_eq!(TOKENS.verify(TokenUse::Open, &stream, &binding, &token, until), Ok(()));
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
        }

        #[test]
        fn no_text_opens_by_chance(token in "\\PC{0,100}") {
            prop_assert!(TOKENS.verify(TokenUse::Open, "live/a", "pw", &token, 0).is_err());
        }
    }
}
