//! Signed URLs: `?txSecret=…&txTime=…` with `txSecret = MD5(KEY + stream + txTime)`.
//!
//! `txTime` is the Unix time of the expiry, in hexadecimal or decimal; the configured validity is
//! added to it. A backup key is accepted as well, so that keys can be changed without a gap.

use std::time::Duration;

use super::hex::md5_hex;
use super::query::Query;
use super::secret::{Secret, equal};

/// The keys of one direction: push or play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlKeys {
    /// Signs and is accepted.
    pub main: Secret,
    /// Is accepted.
    pub backup: Option<Secret>,
    /// Added to the time in the URL.
    pub validity: Duration,
}

/// How `txTime` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignedTime {
    /// Upper-case hexadecimal, as the public tools do.
    #[default]
    Hex,
    /// Decimal.
    Decimal,
}

/// What a signed URL carries.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlSignature {
    /// `txSecret`
    pub tx_secret: String,
    /// `txTime`
    pub tx_time: String,
}

impl UrlSignature {
    /// As a query.
    #[must_use]
    pub fn query(&self) -> String {
        format!("txSecret={}&txTime={}", self.tx_secret, self.tx_time)
    }
}

impl std::fmt::Debug for UrlSignature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UrlSignature(**** until {})", self.tx_time)
    }
}

/// Why a signed URL is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlSignatureError {
    /// No signature.
    #[error("the URL is not signed: txSecret and txTime are missing")]
    Missing,
    /// Not a time.
    #[error("txTime is no time in hexadecimal or decimal")]
    Time,
    /// The signature is of another stream, time or key.
    #[error("txSecret is wrong")]
    Wrong,
    /// The time is over.
    #[error("the URL expired {0} s ago")]
    Expired(u64),
}

impl UrlKeys {
    /// Signs a URL with the main key until `expires_unix`, in seconds; the validity comes on top.
    #[must_use]
    pub fn sign(&self, stream: &str, expires_unix: u64, form: SignedTime) -> UrlSignature {
        let tx_time = match form {
            SignedTime::Hex => format!("{expires_unix:X}"),
            SignedTime::Decimal => format!("{expires_unix:010}"),
        };
        let tx_secret = md5_hex(&[self.main.reveal(), stream, &tx_time]);
        UrlSignature { tx_secret, tx_time }
    }

    /// Whether the query carries a signature of this stream that is still good at `now_unix`.
    ///
    /// # Errors
    /// [`UrlSignatureError`]. Only who knows the key learns that a URL has expired.
    pub fn verify(
        &self,
        stream: &str,
        query: &Query<'_>,
        now_unix: u64,
    ) -> Result<(), UrlSignatureError> {
        let (Some(secret), Some(time)) = (query.get("txSecret"), query.get("txTime")) else {
            return Err(UrlSignatureError::Missing);
        };
        let expires = parse_time(time).ok_or(UrlSignatureError::Time)?;
        let secret = secret.to_ascii_lowercase();
        let signed_with = |key: &Secret| equal(&md5_hex(&[key.reveal(), stream, time]), &secret);
        // Both are computed always: the time taken does not say which key it was.
        let by_backup = self.backup.as_ref().is_some_and(signed_with);
        if !(signed_with(&self.main) | by_backup) {
            return Err(UrlSignatureError::Wrong);
        }
        let until = expires.saturating_add(self.validity.as_secs());
        match now_unix.checked_sub(until) {
            Some(ago) if ago > 0 => Err(UrlSignatureError::Expired(ago)),
            _ => Ok(()),
        }
    }
}

/// Hexadecimal has at most 8 digits until 2106, decimal at least 9 since 1973.
fn parse_time(text: &str) -> Option<u64> {
    let radix = match text.len() {
        1..=8 => 16,
        9..=20 => 10,
        _ => return None,
    };
    if !text.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(text, radix).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn keys() -> UrlKeys {
        UrlKeys {
            main: Secret::new("e12c46f2612d5106e2034781ab261ca3"),
            backup: Some(Secret::new("backup")),
            validity: Duration::ZERO,
        }
    }

    fn verify(
        keys: &UrlKeys,
        stream: &str,
        query: &str,
        now: u64,
    ) -> Result<(), UrlSignatureError> {
        keys.verify(stream, &Query::parse(query), now)
    }

    #[test]
    fn g2_signed_urls() {
        let signature = keys().sign("test", 0x5C27_1099, SignedTime::Hex);
        assert_eq!(signature.tx_time, "5C271099");
        assert_eq!(signature.tx_secret, "f85a2ab363fe4deaffef9754d79da6fe");
        let code = "8888_81265058829fd2e50c8ec2ac78d55127";
        let signature = keys().sign(code, 0x5C27_1099, SignedTime::Hex);
        assert_eq!(signature.tx_secret, "67c864f03f24937a0c6c9d10d35ed8e9");
        let query = "txSecret=67C864F03F24937A0C6C9D10D35ED8E9&txTime=5C271099";
        assert_eq!(verify(&keys(), code, query, 0x5C27_1099), Ok(()));
    }

    #[test]
    fn either_form_of_time_and_either_key_is_accepted() {
        let backup = UrlKeys {
            main: Secret::new("backup"),
            ..keys()
        };
        let time = 1_546_064_025;
        for form in [SignedTime::Hex, SignedTime::Decimal] {
            for signer in [&keys(), &backup] {
                let query = signer.sign("a", time, form).query();
                assert_eq!(verify(&keys(), "a", &query, time), Ok(()));
            }
        }
    }

    #[test]
    fn the_validity_is_added_to_the_time_in_the_url() {
        let mut keys = keys();
        let query = keys.sign("a", 1_000_000_000, SignedTime::Hex).query();
        let at = |keys: &UrlKeys, now| verify(keys, "a", &query, now);
        assert_eq!(at(&keys, 1_000_000_001), Err(UrlSignatureError::Expired(1)));
        keys.validity = Duration::from_secs(3_600);
        assert_eq!(at(&keys, 1_000_003_600), Ok(()));
        assert_eq!(at(&keys, 1_000_003_601), Err(UrlSignatureError::Expired(1)));
    }

    #[test]
    fn a_signature_is_good_for_its_stream_and_time_only() {
        let query = keys().sign("a", 2_000_000_000, SignedTime::Hex).query();
        let wrong = Err(UrlSignatureError::Wrong);
        assert_eq!(verify(&keys(), "b", &query, 0), wrong);
        let later = query.replace("txTime=77359400", "txTime=77359401");
        assert_ne!(later, query);
        assert_eq!(verify(&keys(), "a", &later, 0), wrong);
        // Wrong and expired: only that it is wrong is said.
        assert_eq!(verify(&keys(), "b", &query, u64::MAX), wrong);
        for (query, error) in [
            ("", UrlSignatureError::Missing),
            ("txSecret=1", UrlSignatureError::Missing),
            ("txSecret=1&txTime=", UrlSignatureError::Time),
            ("txSecret=1&txTime=-1", UrlSignatureError::Time),
            ("txSecret=1&txTime=5C27109999", UrlSignatureError::Time),
            (
                "txSecret=1&txTime=99999999999999999999",
                UrlSignatureError::Time,
            ),
            ("txSecret=1&txTime=+5C2710", UrlSignatureError::Time),
        ] {
            assert_eq!(verify(&keys(), "a", query, 0), Err(error), "{query}");
        }
    }

    #[test]
    fn keys_are_not_shown() {
        let shown = format!("{:?} {:?}", keys(), keys().sign("a", 1, SignedTime::Hex));
        assert!(
            !shown.contains("e12c") && !shown.contains("backup\""),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn what_is_signed_is_accepted_until_it_expires(
            key in "\\PC{1,40}", stream in "[\\w.-]{1,60}", time in 100_000_000_u64..0xFFFF_FFFF,
            after in 1_u64..1_000_000, decimal: bool,
        ) {
            let keys = UrlKeys { main: Secret::new(&key), backup: None, validity: Duration::ZERO };
            let form = if decimal { SignedTime::Decimal } else { SignedTime::Hex };
            let query = keys.sign(&stream, time, form).query();
            prop_assert_eq!(verify(&keys, &stream, &query, time), Ok(()));
            let expired = Err(UrlSignatureError::Expired(after));
            prop_assert_eq!(verify(&keys, &stream, &query, time + after), expired);
        }

        #[test]
        fn no_query_is_accepted_by_chance(query in "\\PC{0,200}", now: u64) {
            prop_assert!(verify(&keys(), "a", &query, now).is_err());
        }
    }
}
