//! The secret that an endpoint shares with us.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Prefix of a secret in the notation of Standard Webhooks: base64 follows.
const PREFIX: &str = "whsec_";

/// Bytes of a secret that we draw ourselves; Standard Webhooks asks for 24 to 64.
const GENERATED_BYTES: usize = 32;

/// A secret shared with one endpoint.
///
/// `Debug` never shows it. The text is kept as it was given, because the Tencent profiles sign with the text itself,
/// and Standard Webhooks with the bytes that `whsec_…` stands for.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    text: String,
    bytes: Vec<u8>,
}

/// Why a text is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// Shorter than 6 or longer than 256 characters.
    #[error("a callback secret has 6 to 256 characters")]
    Length,
    /// Characters that a header, a form or a config file would change.
    #[error("a callback secret has printable ASCII characters only, without spaces")]
    Characters,
    /// `whsec_` not followed by base64 of 16 to 64 bytes.
    #[error("after whsec_ comes base64 of 16 to 64 bytes")]
    Base64,
}

impl Secret {
    /// Reads a secret: `whsec_` and base64, or any 6 to 256 printable ASCII characters.
    ///
    /// # Errors
    /// [`InvalidSecret`] says what is wrong; it never repeats the text.
    pub fn parse(text: &str) -> Result<Self, InvalidSecret> {
        if !(6..=256).contains(&text.len()) {
            return Err(InvalidSecret::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidSecret::Characters);
        }
        let bytes = match text.strip_prefix(PREFIX) {
            Some(encoded) => {
                let bytes = STANDARD
                    .decode(encoded)
                    .map_err(|_| InvalidSecret::Base64)?;
                if !(16..=64).contains(&bytes.len()) {
                    return Err(InvalidSecret::Base64);
                }
                bytes
            }
            None => text.as_bytes().to_vec(),
        };
        Ok(Self {
            text: text.to_owned(),
            bytes,
        })
    }

    /// Draws a new secret of 32 random bytes, in the `whsec_` notation.
    ///
    /// # Errors
    /// The operating system has no random bytes to give.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = vec![0; GENERATED_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self {
            text: format!("{PREFIX}{}", STANDARD.encode(&bytes)),
            bytes,
        })
    }

    /// The text, for the store and for the one answer that shows a new secret to its owner.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// The key of an HMAC.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_standard_notation_stands_for_its_bytes() {
        let secret = Secret::parse("whsec_c2lkZXN0cmVhbS10ZXN0LXNlY3JldC0wMA==").unwrap();
        assert_eq!(secret.bytes(), b"sidestream-test-secret-00");
        assert_eq!(
            Secret::parse("sidestream-test-secret-00").unwrap().bytes(),
            secret.bytes()
        );
    }

    #[test]
    fn a_generated_secret_reads_back_and_differs_from_the_next() {
        let secret = Secret::generate().unwrap();
        assert_eq!(secret.bytes().len(), 32);
        assert_eq!(Secret::parse(secret.expose()).unwrap(), secret);
        assert_ne!(Secret::generate().unwrap(), secret);
    }

    #[test]
    fn what_is_no_secret_is_refused_without_repeating_it() {
        assert_eq!(Secret::parse("brief"), Err(InvalidSecret::Length));
        assert_eq!(Secret::parse(&"x".repeat(257)), Err(InvalidSecret::Length));
        assert_eq!(
            Secret::parse("with a space"),
            Err(InvalidSecret::Characters)
        );
        assert_eq!(
            Secret::parse("naïve-secret"),
            Err(InvalidSecret::Characters)
        );
        assert_eq!(
            Secret::parse("whsec_not/base64!"),
            Err(InvalidSecret::Base64)
        );
        assert_eq!(Secret::parse("whsec_c2hvcnQ="), Err(InvalidSecret::Base64));
    }

    #[test]
    fn debug_hides_the_secret() {
        assert_eq!(
            format!("{:?}", Secret::parse("do-not-print-me").unwrap()),
            "Secret(…)"
        );
    }
}
