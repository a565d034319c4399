//! Durations, sizes and bitrates as people write them: a number and a unit, never a bare number.

use std::fmt;
use std::time::Duration;

/// A number of bytes; written `64KiB`, `8MiB`, `2GiB` or decimal `kB`, `MB`, `GB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// Bits per second; written `310kbit/s`, `2.5Mbit/s`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bitrate(pub u64);

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantityError {
    /// A number without a unit.
    #[error("\"{number}\" has no unit; write \"{number}{}\" or \"{number}{}\"", likely.0, likely.1)]
    NoUnit {
        /// The number.
        number: String,
        /// The two likely units.
        likely: (&'static str, &'static str),
    },
    /// Neither number nor known unit.
    #[error("\"{text}\" is not {}; write {}", kind.article(), kind.examples())]
    Malformed {
        /// What was found.
        text: String,
        /// What was wanted.
        kind: QuantityKind,
    },
    /// Larger than can be counted.
    #[error("\"{text}\" is too large")]
    TooLarge {
        /// What was found.
        text: String,
    },
}

/// Which quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuantityKind {
    /// Time.
    Duration,
    /// Bytes.
    Size,
    /// Bits per second.
    Bitrate,
}

impl QuantityKind {
    /// As a sentence says it: `a duration`.
    #[must_use]
    pub fn article(self) -> &'static str {
        match self {
            Self::Duration => "a duration",
            Self::Size => "a size",
            Self::Bitrate => "a bitrate",
        }
    }

    fn examples(self) -> &'static str {
        match self {
            Self::Duration => "250ms, 2s, 1m30s or 2h",
            Self::Size => "64KiB, 8MiB or 2GB",
            Self::Bitrate => "310kbit/s or 2.5Mbit/s",
        }
    }

    /// Units with their factor in the smallest: nanoseconds, bytes, bits per second.
    fn units(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Duration => &[
                ("us", 1_000),
                ("ms", 1_000_000),
                ("s", 1_000_000_000),
                ("m", 60_000_000_000),
                ("h", 3_600_000_000_000),
                ("d", 86_400_000_000_000),
            ],
            Self::Size => &[
                ("B", 1),
                ("kB", 1_000),
                ("MB", 1_000_000),
                ("GB", 1_000_000_000),
                ("TB", 1_000_000_000_000),
                ("KiB", 1 << 10),
                ("MiB", 1 << 20),
                ("GiB", 1 << 30),
                ("TiB", 1 << 40),
            ],
            Self::Bitrate => &[
                ("bit/s", 1),
                ("kbit/s", 1_000),
                ("Mbit/s", 1_000_000),
                ("Gbit/s", 1_000_000_000),
            ],
        }
    }

    /// The two units a bare number most likely had in mind.
    pub(crate) fn likely(self) -> (&'static str, &'static str) {
        match self {
            Self::Duration => ("s", "ms"),
            Self::Size => ("MiB", "MB"),
            Self::Bitrate => ("kbit/s", "Mbit/s"),
        }
    }

    /// `text` in the smallest unit.
    fn parse(self, text: &str) -> Result<u64, QuantityError> {
        let malformed = || QuantityError::Malformed {
            text: text.to_owned(),
            kind: self,
        };
        let too_large = || QuantityError::TooLarge {
            text: text.to_owned(),
        };
        let mut rest = text.trim();
        if rest == "0" {
            return Ok(0);
        }
        let mut total: u64 = 0;
        let mut last_factor = u64::MAX;
        while !rest.is_empty() {
            let digits_end = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits_end);
            let after = if last_factor == u64::MAX {
                after.trim_start()
            } else {
                after
            };
            let unit_end = after
                .find(|c: char| c.is_ascii_digit())
                .unwrap_or(after.len());
            let (unit, next) = after.split_at(unit_end);
            if unit.is_empty() && next.is_empty() && is_number(number) && last_factor == u64::MAX {
                return Err(QuantityError::NoUnit {
                    number: number.to_owned(),
                    likely: self.likely(),
                });
            }
            let &(_, factor) = self
                .units()
                .iter()
                .find(|(known, _)| *known == unit)
                .ok_or_else(malformed)?;
            // `1m30s`, never `30s1m`; only times are written in several parts.
            let is_first = last_factor == u64::MAX;
            if !is_number(number) || factor >= last_factor || !(is_first || self == Self::Duration)
            {
                return Err(malformed());
            }
            let part = scaled(number, factor).ok_or_else(too_large)?;
            total = total.checked_add(part).ok_or_else(too_large)?;
            last_factor = factor;
            rest = next;
        }
        if last_factor == u64::MAX {
            return Err(malformed());
        }
        Ok(total)
    }
}

fn is_number(text: &str) -> bool {
    let mut halves = text.split('.');
    let digits = |part: Option<&str>| part.is_none_or(|part| !part.is_empty());
    digits(halves.next()) && digits(halves.next()) && halves.next().is_none()
}

/// `number * factor`, decimals cut below one; `None` on overflow.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let value = u128::from(whole.parse::<u64>().ok()?) * u128::from(factor);
    // Nine decimals are a nanosecond; what stands behind them is cut.
    let fraction: String = fraction.chars().take(9).collect();
    let places = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = match fraction.as_str() {
        "" => 0,
        digits => u128::from(digits.parse::<u64>().ok()?) * u128::from(factor) / places,
    };
    u64::try_from(value + part).ok()
}

/// Reads a duration: `250ms`, `2s`, `1m30s`, `2h`; `0` needs no unit.
///
/// # Errors
/// [`QuantityError`].
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    QuantityKind::Duration.parse(text).map(Duration::from_nanos)
}

impl std::str::FromStr for Size {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        QuantityKind::Size.parse(text).map(Self)
    }
}

impl std::str::FromStr for Bitrate {
    type Err = QuantityError;
    fn from_str(text: &str) -> Result<Self, QuantityError> {
        QuantityKind::Bitrate.parse(text).map(Self)
    }
}

impl fmt::Display for Size {
    /// Exact, with the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        exact(f, self.0, QuantityKind::Size, "B")
    }
}

impl fmt::Display for Bitrate {
    /// Exact, with the largest unit that divides it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        exact(f, self.0, QuantityKind::Bitrate, "bit/s")
    }
}

fn exact(
    f: &mut fmt::Formatter<'_>,
    value: u64,
    kind: QuantityKind,
    smallest: &str,
) -> fmt::Result {
    let unit = kind
        .units()
        .iter()
        .filter(|&&(_, factor)| value > 0 && value.is_multiple_of(factor))
        .max_by_key(|&&(_, factor)| factor);
    match unit {
        Some((name, factor)) => write!(f, "{}{name}", value / factor),
        None => write!(f, "{value}{smallest}"),
    }
}

/// Shows a duration so that [`parse_duration`] reads the same: `250ms`, `60s`, `2m30s`, `1h`.
#[must_use]
pub fn show_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if duration.subsec_nanos() > 0 {
        return match duration.subsec_nanos() % 1_000_000 {
            0 => format!("{}ms", duration.as_millis()),
            _ => format!("{}us", duration.as_micros()),
        };
    }
    if seconds < 120 {
        return format!("{seconds}s");
    }
    let parts = [
        (seconds / 3_600, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    parts
        .into_iter()
        .filter(|&(count, _)| count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn millis(text: &str) -> u128 {
        parse_duration(text).unwrap().as_millis()
    }

    #[test]
    fn durations_add_up_from_large_to_small() {
        assert_eq!(millis("250ms"), 250);
        assert_eq!(millis("1m30s"), 90_000);
        assert_eq!(millis("2h"), 7_200_000);
        assert_eq!(millis("1.5s"), 1_500);
        assert_eq!(millis("2 s"), 2_000);
        assert_eq!(millis("0"), 0);
        for bad in [
            "", "s", "30s1m", "1s1s", "1 parsec", "-2s", "1..5s", ".5s", "2S", "1m 30s",
        ] {
            assert!(parse_duration(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn sizes_are_binary_and_decimal() {
        let bytes = |text: &str| text.parse::<Size>().unwrap().0;
        assert_eq!(bytes("8MiB"), 8 << 20);
        assert_eq!(bytes("8MB"), 8_000_000);
        assert_eq!(bytes("1.5KiB"), 1_536);
        assert_eq!(bytes("12 MB"), 12_000_000);
        assert!("8mib".parse::<Size>().is_err());
        assert!("1MiB5KiB".parse::<Size>().is_err());
        assert!("99999999999GiB".parse::<Size>().is_err());
    }

    #[test]
    fn a_bare_number_shows_two_spellings() {
        assert_eq!(
            parse_duration("30").unwrap_err().to_string(),
            r#""30" has no unit; write "30s" or "30ms""#
        );
        assert_eq!(
            "2500".parse::<Bitrate>().unwrap_err().to_string(),
            r#""2500" has no unit; write "2500kbit/s" or "2500Mbit/s""#
        );
        assert_eq!(
            "fast".parse::<Bitrate>().unwrap_err().to_string(),
            r#""fast" is not a bitrate; write 310kbit/s or 2.5Mbit/s"#
        );
    }

    #[test]
    fn what_is_shown_is_read_back() {
        for millis in [
            0, 1, 333, 1_000, 60_000, 119_000, 120_000, 150_000, 3_600_000, 90_061_000,
        ] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(&show_duration(duration)).unwrap(), duration);
        }
        for bytes in [0, 1, 999, 1_000, 1_024, 8 << 20, 3 << 30, 1_500] {
            let size = Size(bytes);
            assert_eq!(size.to_string().parse::<Size>().unwrap(), size);
        }
        assert_eq!(Bitrate(2_500_000).to_string(), "2500kbit/s");
        assert_eq!(show_duration(Duration::from_secs(60)), "60s");
        assert_eq!(show_duration(Duration::from_secs(150)), "2m30s");
    }
}
