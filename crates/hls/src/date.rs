//! Dates as `EXT-X-PROGRAM-DATE-TIME` writes them (RFC 3339, UTC, milliseconds).

const DAY_MS: i64 = 86_400_000;
/// 9999-12-31T23:59:59.999Z: the last date with a four-digit year.
const LAST_MS: i64 = 253_402_300_799_999;

/// `2026-11-20T19:30:00.000Z` for milliseconds since 1970; dates outside 1970 to 9999 are moved to
/// the nearest inside.
pub(crate) fn rfc3339(unix_ms: i64) -> String {
    let ms = unix_ms.clamp(0, LAST_MS);
    let (days, of_day) = (ms / DAY_MS, ms % DAY_MS);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        of_day / 3_600_000,
        of_day / 60_000 % 60,
        of_day / 1_000 % 60,
        of_day % 1_000,
    )
}

/// Year, month and day of a day since 1970-01-01 (proleptic Gregorian), by eras of 400 years that
/// begin in March, so that the leap day is the last of its year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Milliseconds since 1970 of a date with an offset (RFC 3339 §5.6), of the years 1970 to 9999; what is
/// finer than a millisecond is cut off, a leap second is the second after it.
pub(crate) fn parse_rfc3339(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut rest = rest.strip_prefix(['T', 't', ' '])?;
    let (time, after) = rest.split_at_checked(8)?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = fields(time, ':', [2, 2, 2])?;
    rest = after;
    let mut ms = 0;
    if let Some(fraction) = rest.strip_prefix('.') {
        let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        let padded = fraction.bytes().take(digits).chain(*b"00").take(3);
        ms = padded.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        rest = fraction.get(digits..)?;
    }
    let offset_ms = match rest {
        "Z" | "z" => 0,
        _ => {
            let sign = if rest.starts_with('-') { -1 } else { 1 };
            let [hours, minutes] = fields(rest.strip_prefix(['+', '-'])?, ':', [2, 2])?;
            if hours > 23 || minutes > 59 {
                return None;
            }
            sign * (hours * 60 + minutes) * 60_000
        }
    };
    let days = days_of(year, month, day);
    let is_date = civil(days) == (year, month, day) && year >= 1970;
    if !is_date || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let of_day = ((hour * 60 + minute) * 60 + second) * 1_000 + ms;
    Some(days * DAY_MS + of_day - offset_ms).filter(|ms| (0..=LAST_MS).contains(ms))
}

/// Numbers of exactly these widths with a separator between.
fn fields<const N: usize>(text: &str, separator: char, widths: [usize; N]) -> Option<[i64; N]> {
    let mut numbers = [0; N];
    let mut parts = text.split(separator);
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        if part.len() != width || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

/// The day since 1970-01-01 of a date: the inverse of [`civil`], for dates that exist.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let from_march = (month + 9).rem_euclid(12);
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn dates_are_read_back(ms in 0..=LAST_MS) {
            prop_assert_eq!(parse_rfc3339(&rfc3339(ms)), Some(ms));
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,40}") {
            let _ = parse_rfc3339(&text);
        }
    }

    #[test]
    fn dates_are_read_with_offsets_and_only_when_they_exist() {
        for (text, ms) in [
            ("2000-02-29T00:00:00Z", Some(951_782_400_000)),
            ("2000-02-29t02:30:00+02:30", Some(951_782_400_000)),
            ("2000-02-28 19:00:00.0-05:00", Some(951_782_400_000)),
            ("2000-02-29T00:00:00.1239999Z", Some(951_782_400_123)),
            ("2016-12-31T23:59:60Z", Some(1_483_228_800_000)),
            ("2001-02-29T00:00:00Z", None),
            ("2000-13-01T00:00:00Z", None),
            ("2000-00-01T00:00:00Z", None),
            ("2000-01-00T00:00:00Z", None),
            ("2000-01-01T24:00:00Z", None),
            ("2000-01-01T00:00:00", None),
            ("2000-01-01T00:00:00.Z", None),
            ("2000-01-01T00:00:00+0000", None),
            ("1969-12-31T23:59:59Z", None),
            ("+200-01-01T00:00:00Z", None),
            ("2000-01-01", None),
        ] {
            assert_eq!(parse_rfc3339(text), ms, "{text}");
        }
    }

    #[test]
    fn dates_are_right_at_their_edges() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_795_203_000_123, "2026-11-20T19:30:00.123Z"),
            (LAST_MS, "9999-12-31T23:59:59.999Z"),
            (i64::MAX, "9999-12-31T23:59:59.999Z"),
            (-5, "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(ms), text);
        }
    }
}
