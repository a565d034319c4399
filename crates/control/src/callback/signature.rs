//! The three ways in which a callback proves that it comes from us.
//!
//! Each is computed anew at every attempt, because each covers a time that the receiver may compare with its clock.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

use super::Secret;

/// The value of `webhook-signature` (Standard Webhooks, symmetric scheme `v1`): for each active secret
/// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, separated by spaces.
///
/// `timestamp` is in Unix seconds and goes into `webhook-timestamp` unchanged. While a secret is being replaced both the
/// old and the new one sign, so that a receiver may change at its own time.
pub fn standard<'a>(
    secrets: impl IntoIterator<Item = &'a Secret>,
    id: &str,
    timestamp: i64,
    body: &[u8],
) -> String {
    let mut value = String::new();
    for secret in secrets {
        if !value.is_empty() {
            value.push(' ');
        }
        let head = format!("{id}.{timestamp}.");
        value.push_str("v1,");
        value.push_str(&hmac_base64(secret.bytes(), &[head.as_bytes(), body]));
    }
    value
}

/// The field `sign` of Tencent's live events: lower-case hex of `MD5(key + t)`, `t` in decimal Unix seconds.
///
/// It covers the time only, not the body: whoever sees one may forge another event until `t`. That is the public
/// protocol; the native profile has no such weakness.
pub fn lvb(key: &Secret, t: i64) -> String {
    let mut md5 = Md5::new();
    md5.update(key.expose());
    md5.update(t.to_string());
    md5.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The header `Sign` of Tencent's room events (TRTC): base64 of HMAC-SHA256 over the body, with the key's text.
pub fn trtc(key: &Secret, body: &[u8]) -> String {
    hmac_base64(key.expose().as_bytes(), &[body])
}

fn hmac_base64(key: &[u8], parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("an HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::parse(text).unwrap()
    }

    #[test]
    fn g5_standard_webhooks() {
        let secrets = [secret("whsec_c2lkZXN0cmVhbS10ZXN0LXNlY3JldC0wMA==")];
        assert_eq!(
            standard(&secrets, "msg_01", 1_754_623_810, br#"{"type":"x"}"#),
            "v1,pxxBTesfNCzRVRzKxl52uTy7yKdxHCyKN/HW7uAkIAE="
        );
    }

    #[test]
    fn every_active_secret_signs() {
        let (old, new) = (secret("old-secret-of-mine"), secret("new-secret-of-mine"));
        let both = standard([&new, &old], "evt_1", 7, b"{}");
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(first, standard([&new], "evt_1", 7, b"{}"));
        assert_eq!(second, standard([&old], "evt_1", 7, b"{}"));
        assert_ne!(first, second);
    }

    #[test]
    fn g3_lvb_sign() {
        let key = secret("5d41402abc4b2a76b9719d911017c592");
        assert_eq!(lvb(&key, 1_473_126_233), "58dd90d01ab325e7c96007a302f9c47d");
    }

    #[test]
    fn g4_trtc_sign() {
        let body = "{\n\t\"EventGroupId\":\t2,\n\t\"EventType\":\t204,\n\t\"CallbackTs\":\t1664209748188,\n\t\"EventInfo\":\t\
                    {\n\t\t\"RoomId\":\t8489,\n\t\t\"EventTs\":\t1664209748,\n\t\t\"EventMsTs\":\t1664209748180,\n\t\t\
                    \"UserId\":\t\"user_85034614\",\n\t\t\"Reason\":\t0\n\t}\n}";
        assert_eq!(
            trtc(&secret("123654"), body.as_bytes()),
            "kkoFeO3Oh2ZHnjtg8tEAQhtXK16/KI05W3BQff8IvGA="
        );
    }
}
