//! Which key a segment is encrypted with, and how.
//!
//! ```text
//! method      fMP4                              MPEG-TS
//! aes-128     whole segments, no parts          whole segments
//! cbcs        samples (SAMPLE-AES), parts       whole segments (AES-128), with the same keys
//! ```
//!
//! A key has a number within its epoch, counted from 0, and a URL: `key-{epoch}-{number}.bin`, beside
//! the segments. Both containers change to the next one at the same segment. Init segments hold no
//! media and stay clear. A whole segment has a vector of its own, samples have their key's; both
//! are in the playlist, so that a segment can be decrypted whatever its number becomes in another one.
//!
//! A segment whose key is not there is not made: nothing is ever listed in clear.
//!
//! Spec: RFC 8216 §4.3.2.4, §5; RFC 8216bis §4.4.4.4.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use remux::Key;
use remux::mp4::Protection;

use crate::container::{Container, key_name};
use crate::feed::Feed;

/// How media is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// Whole segments (`AES-128`). There are no parts: a part of a chain of blocks cannot be
    /// decrypted without what precedes it.
    Aes128,
    /// Samples of fMP4 (`SAMPLE-AES`, Common Encryption `cbcs`), whole segments of MPEG-TS.
    Cbcs,
}

/// When the next key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rotation {
    /// Never.
    Never,
    /// After this many segments.
    Segments(NonZeroU64),
    /// With the first segment after this much media.
    Media(Duration),
}

/// Gives keys.
pub trait KeySource: std::fmt::Debug + Send + Sync {
    /// The key of this number, or `None` when it is not there yet; asked again then. Answers at
    /// once, and always the same.
    fn key(&self, number: u64) -> Option<Key>;
}

/// Settings of encryption.
#[derive(Clone, Debug)]
pub struct Encryption {
    /// How.
    pub method: Method,
    /// When keys change.
    pub rotation: Rotation,
    /// Where keys come from.
    pub keys: Arc<dyn KeySource>,
}

impl Method {
    /// Its name in settings: `aes-128`, `cbcs`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aes128 => "aes-128",
            Self::Cbcs => "cbcs",
        }
    }

    /// How a container's segments are encrypted.
    pub(crate) fn of(self, container: Container) -> Self {
        match container {
            Container::Fmp4 => self,
            Container::Ts => Self::Aes128,
        }
    }
}

/// How a segment is encrypted, without the key: what a playlist says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// How: of MPEG-TS always [`Method::Aes128`].
    pub method: Method,
    /// The key's number in the segment's epoch.
    pub key: u64,
    /// The initialization vector.
    pub iv: [u8; 16],
}

impl Sealed {
    /// Whether the segment of this number was encrypted with this key: its vector was made with it.
    pub(crate) fn was_made_with(
        &self,
        key: &Key,
        container: Container,
        epoch: u64,
        sequence: u64,
    ) -> bool {
        vector(self.method, container.into(), (epoch, sequence), key) == self.iv
    }

    /// The attributes of its `EXT-X-KEY`.
    pub(crate) fn tag(&self, epoch: u64) -> String {
        let method = match self.method {
            Method::Aes128 => "AES-128",
            Method::Cbcs => "SAMPLE-AES",
        };
        let uri = key_name(epoch, self.key);
        let iv = u128::from_be_bytes(self.iv);
        format!("METHOD={method},URI=\"{uri}\",IV=0x{iv:032x}")
    }
}

/// A key with its number.
#[derive(Debug)]
pub(crate) struct Numbered {
    pub(crate) number: u64,
    pub(crate) key: Key,
}

/// How one segment is encrypted.
#[derive(Clone, Debug)]
pub(crate) struct Seal {
    method: Method,
    pub(crate) key: Arc<Numbered>,
    iv: [u8; 16],
}

impl Seal {
    pub(crate) fn new(
        method: Method,
        feed: Feed,
        epoch: u64,
        sequence: u64,
        key: &Arc<Numbered>,
    ) -> Self {
        let method = method.of(feed.container());
        Self {
            method,
            iv: vector(method, feed, (epoch, sequence), &key.key),
            key: Arc::clone(key),
        }
    }

    /// What the muxer of samples needs, where samples are encrypted.
    pub(crate) fn protection(&self, epoch: u64) -> Option<Protection> {
        if self.method != Method::Cbcs {
            return None;
        }
        let mut key_id = [0; 16];
        let (first, second) = key_id.split_at_mut(8);
        first.copy_from_slice(&epoch.to_be_bytes());
        second.copy_from_slice(&self.key.number.to_be_bytes());
        Some(Protection {
            key: self.key.key.clone(),
            key_id,
            iv: self.iv,
        })
    }

    /// What is said of it.
    pub(crate) fn sealed(&self) -> Sealed {
        Sealed {
            method: self.method,
            key: self.key.number,
            iv: self.iv,
        }
    }

    /// A whole segment as it is served.
    pub(crate) fn seal(&self, body: Bytes) -> Bytes {
        match self.method {
            Method::Aes128 => self.key.key.seal(body, self.iv),
            Method::Cbcs => body,
        }
    }
}

/// The vector of a segment that is encrypted in this way, with this key.
fn vector(method: Method, feed: Feed, (epoch, sequence): (u64, u64), key: &Key) -> [u8; 16] {
    // Names what is encrypted: no two chains of a key begin alike.
    let [_, sequence @ ..] = sequence.to_be_bytes();
    let (what, sequence) = match (method, feed) {
        (Method::Aes128, Feed::Main(Container::Fmp4)) => (1, sequence),
        (Method::Aes128, Feed::Main(Container::Ts)) => (2, sequence),
        // A key has one vector: the init segment says it.
        (Method::Cbcs, _) => (3, [0; 7]),
        (Method::Aes128, Feed::Video(Container::Fmp4)) => (4, sequence),
        (Method::Aes128, Feed::Video(Container::Ts)) => (5, sequence),
        (Method::Aes128, Feed::Audio(Container::Fmp4, n)) => (16_u8.saturating_add(n), sequence),
        (Method::Aes128, Feed::Audio(Container::Ts, n)) => (32_u8.saturating_add(n), sequence),
    };
    let mut nonce = [0; 16];
    let (first, second) = nonce.split_at_mut(8);
    first.copy_from_slice(&epoch.to_be_bytes());
    second.copy_from_slice(&[&[what], &sequence[..]].concat());
    key.iv(nonce)
}

/// Writes the `EXT-X-KEY` tags of a playlist.
#[derive(Debug, Default)]
pub(crate) struct KeyTags<'a> {
    in_force: Option<&'a Seal>,
}

/// The attributes of `EXT-X-KEY` before what is clear.
pub(crate) const NO_KEY: &str = "METHOD=NONE";

impl<'a> KeyTags<'a> {
    /// What stands before an `EXT-X-MAP`: its init segment is clear, and the tag applies to it too.
    pub(crate) fn before_map(&mut self) -> Option<&'static str> {
        let seal = self.in_force.filter(|seal| seal.method == Method::Aes128);
        seal.is_some().then(|| {
            self.in_force = None;
            NO_KEY
        })
    }

    /// What stands before a segment, unless it holds already.
    pub(crate) fn before(&mut self, seal: Option<&'a Seal>, epoch: u64) -> Option<String> {
        let seal = seal?;
        let sealed = seal.sealed();
        if self.in_force.is_some_and(|other| other.sealed() == sealed) {
            return None;
        }
        self.in_force = Some(seal);
        Some(sealed.tag(epoch))
    }
}

/// Gives each segment its key.
#[derive(Debug)]
pub(crate) struct Keyring {
    encryption: Encryption,
    present: Option<Arc<Numbered>>,
    /// Of the present key, or of the one that is waited for.
    number: u64,
    /// Segments and milliseconds that the present key has.
    segments: u64,
    media_ms: u64,
}

impl Keyring {
    pub(crate) fn new(encryption: Encryption) -> Self {
        Self {
            encryption,
            present: None,
            number: 0,
            segments: 0,
            media_ms: 0,
        }
    }

    /// The key of the open segment, unless it is missing.
    pub(crate) fn lock(&mut self) -> Option<Arc<Numbered>> {
        if self.present.is_none() {
            let number = self.number;
            let key = self.encryption.keys.key(number);
            self.present = key.map(|key| Arc::new(Numbered { number, key }));
        }
        self.present.clone()
    }

    /// A segment of this length was made with the present key.
    pub(crate) fn used(&mut self, duration_ms: u64) {
        self.segments += 1;
        self.media_ms += duration_ms;
        let is_due = match self.encryption.rotation {
            Rotation::Never => false,
            Rotation::Segments(count) => self.segments >= count.get(),
            Rotation::Media(time) => u128::from(self.media_ms) >= time.as_millis(),
        };
        if is_due {
            self.present = None;
            self.number += 1;
            (self.segments, self.media_ms) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Some5;

    impl KeySource for Some5 {
        fn key(&self, number: u64) -> Option<Key> {
            (number < 5).then(|| Key::new([number as u8; 16]))
        }
    }

    fn numbers(rotation: Rotation, durations_ms: &[u64]) -> Vec<Option<u64>> {
        let mut ring = Keyring::new(Encryption {
            method: Method::Aes128,
            rotation,
            keys: Arc::new(Some5),
        });
        let number = |&ms: &u64| {
            let key = ring.lock()?;
            ring.used(ms);
            Some(key.number)
        };
        durations_ms.iter().map(number).collect()
    }

    #[test]
    fn keys_change_after_segments_or_media_or_never() {
        let two = NonZeroU64::MIN.saturating_add(1);
        let after = |rotation| numbers(rotation, &[2_000, 2_000, 2_000, 5_000, 2_000]);
        assert_eq!(after(Rotation::Never), [Some(0); 5]);
        assert_eq!(after(Rotation::Segments(two)), [0, 0, 1, 1, 2].map(Some));
        assert_eq!(
            after(Rotation::Media(Duration::from_secs(4))),
            [0, 0, 1, 1, 2].map(Some)
        );
        let one = numbers(Rotation::Segments(NonZeroU64::MIN), &[1; 7]);
        assert_eq!(one[4..], [Some(4), None, None], "no key, no segment");
    }

    #[test]
    fn every_chain_begins_differently_but_for_samples() {
        let key = Arc::new(Numbered {
            number: 3,
            key: Key::new([9; 16]),
        });
        let iv = |method, feed, sequence| Seal::new(method, feed, 7, sequence, &key).iv;
        let (fmp4, ts) = (Feed::Main(Container::Fmp4), Feed::Main(Container::Ts));
        let all = [
            iv(Method::Aes128, fmp4, 1),
            iv(Method::Aes128, fmp4, 2),
            iv(Method::Aes128, ts, 1),
            iv(Method::Cbcs, fmp4, 1),
            iv(Method::Aes128, Feed::Audio(Container::Fmp4, 0), 1),
            iv(Method::Aes128, Feed::Audio(Container::Fmp4, 1), 1),
            iv(Method::Aes128, Feed::Audio(Container::Ts, 0), 1),
            iv(Method::Aes128, Feed::Video(Container::Fmp4), 1),
            iv(Method::Aes128, Feed::Video(Container::Ts), 1),
        ];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        let sample = iv(Method::Cbcs, fmp4, 2);
        assert_eq!(sample, all[3], "the init segment's");
        let sealed = Seal::new(Method::Aes128, ts, 7, 1, &key).sealed();
        let fits = |byte, sequence| {
            sealed.was_made_with(&Key::new([byte; 16]), Container::Ts, 7, sequence)
        };
        assert!(fits(9, 1) && !fits(8, 1) && !fits(9, 2));
        assert_eq!(iv(Method::Cbcs, ts, 1), all[2], "AES-128");
    }
}
