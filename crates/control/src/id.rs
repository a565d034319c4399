//! Names of things: channel ids, and prefixed ids that sort by time.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Serialize, Serializer};

use crate::clock::UnixMs;

/// A text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected {expected}")]
pub struct BadId {
    expected: &'static str,
}

/// A bypass channel's id: 64 bits.
///
/// We allocate below 2^63, so that every language prints it positive. What comes in is taken as
/// the same 64 bits whether it was written signed or unsigned: `-2353318346053049378` is
/// `16093425727656502238`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub u64);

impl ChannelId {
    /// The same bits as a signed number, as Java prints them.
    #[must_use]
    pub fn signed(self) -> i64 {
        self.0.cast_signed()
    }

    /// A new one: below 2^63, grows with time.
    #[must_use]
    pub fn fresh(now: UnixMs) -> Self {
        Self(fresh_number(now))
    }
}

/// A number below 2^63 that grows with time: 42 bits of milliseconds, 21 of chance.
pub(crate) fn fresh_number(now: UnixMs) -> u64 {
    let time = now.0.cast_unsigned() & ((1 << 42) - 1);
    (time << 21) | (random() & ((1 << 21) - 1))
}

fn random() -> u64 {
    // A system without randomness has a clock.
    getrandom::u64().unwrap_or_else(|_| jiff::Timestamp::now().as_nanosecond() as u64)
}

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ChannelId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let expected = "a whole number from -2^63 to 2^64-1";
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadId { expected });
        }
        let signed = || text.parse().map(i64::cast_unsigned);
        let bits = text.parse::<u64>().or_else(|_| signed());
        bits.map(Self).map_err(|_| BadId { expected })
    }
}

impl Serialize for ChannelId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl ToSql for ChannelId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.signed().into())
    }
}

impl FromSql for ChannelId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(|bits| Self(bits.cast_unsigned()))
    }
}

/// Crockford's base 32.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LETTERS: usize = 26;

/// 48 bits of milliseconds above 80 others, as a ULID has them.
fn ulid(at: UnixMs, low: u128) -> u128 {
    let time = u128::from(at.0.cast_unsigned() & ((1 << 48) - 1));
    (time << 80) | (low & ((1 << 80) - 1))
}

fn write_base32(bits: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let digit = |place: usize| {
        let index = (bits >> (5 * (LETTERS - 1 - place))) & 31;
        char::from(DIGITS[usize::try_from(index).unwrap_or(0)])
    };
    let text: String = (0..LETTERS).map(digit).collect();
    f.write_str(&text)
}

fn read_base32(text: &str) -> Option<u128> {
    if text.len() != LETTERS || !matches!(text.as_bytes()[0], b'0'..=b'7') {
        return None;
    }
    text.bytes().try_fold(0_u128, |bits, byte| {
        let digit = DIGITS.iter().position(|known| *known == byte)?;
        Some(bits << 5 | digit as u128)
    })
}

macro_rules! prefixed {
    ($($(#[$meta:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// A new one: sorts by time, is not to be guessed.
            #[must_use]
            pub fn fresh(now: UnixMs) -> Self {
                Self(ulid(now, u128::from(random()) << 16 | u128::from(random() & 0xffff)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                write_base32(self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                let bits = text.strip_prefix($prefix).and_then(read_base32);
                bits.map(Self).ok_or(BadId { expected: concat!($prefix, " and 26 letters and digits") })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(self.to_string().into())
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_str()?.parse().map_err(FromSqlError::other)
            }
        }
    )+};
}

prefixed! {
    /// A push target.
    TargetId = "tgt_";
    /// A recording task.
    RecordingId = "rec_";
    /// A recorded file.
    FileId = "fil_";
    /// An event.
    EventId = "evt_";
    /// A callback endpoint.
    WebhookId = "whk_";
    /// One event on its way to one endpoint.
    DeliveryId = "dlv_";
}

impl EventId {
    /// The id of the event with this place in the log: it holds both.
    #[must_use]
    pub fn of(at: UnixMs, seq: u64) -> Self {
        Self(ulid(at, u128::from(seq)))
    }

    /// Its place in the log.
    #[must_use]
    pub fn seq(self) -> u64 {
        (self.0 & u128::from(u64::MAX)) as u64
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn g6_a_channel_id_is_the_same_signed_and_unsigned() {
        let unsigned: ChannelId = "16093425727656502238".parse().unwrap();
        let signed: ChannelId = "-2353318346053049378".parse().unwrap();
        assert_eq!(unsigned, signed);
        assert_eq!(unsigned.signed(), -2_353_318_346_053_049_378);
        assert_eq!(signed.to_string(), "16093425727656502238");
    }

    #[test]
    fn what_is_not_64_bits_is_no_channel_id() {
        for bad in [
            "",
            "-",
            "+1",
            "1.0",
            "1e3",
            " 1",
            "0x1",
            "18446744073709551616",
            "-9223372036854775809",
            "１",
        ] {
            assert!(bad.parse::<ChannelId>().is_err(), "{bad:?}");
        }
        let least: ChannelId = "-9223372036854775808".parse().unwrap();
        assert_eq!(least.0, 1 << 63);
    }

    #[test]
    fn what_we_allocate_is_positive_everywhere() {
        assert!(ChannelId::fresh(UnixMs(i64::MAX)).signed() > 0);
        assert!(ChannelId::fresh(UnixMs(1_763_716_502_120)).0 > 1 << 60);
    }

    #[test]
    fn prefixed_ids_sort_by_time_and_read_back() {
        let (early, late) = (FileId::fresh(UnixMs(1_000)), FileId::fresh(UnixMs(1_001)));
        assert!(early.to_string() < late.to_string());
        assert_eq!(early.to_string().len(), 30);
        assert_eq!(early.to_string().parse(), Ok(early));
        assert!(early.to_string().parse::<TargetId>().is_err());
        assert!("fil_ZZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<FileId>().is_err());
    }

    #[test]
    fn an_event_id_holds_its_place() {
        let id = EventId::of(UnixMs(1_763_716_502_120), 42);
        assert_eq!(id.to_string().parse::<EventId>().unwrap().seq(), 42);
        assert_eq!(id.to_string(), "evt_01KAJV44K8000000000000001A");
    }
}
