//! Tracks and figures in words: for log lines, the status line of `demo` and `probe`.

use std::time::Duration;

use media::{CodecConfig, Track};

/// `H.264 High@4.0 1920x1080 30 fps` or `AAC-LC 48 kHz 2ch`; the codec's name when its
/// configuration is unknown.
#[must_use]
pub fn track(track: &Track) -> String {
    let Ok(config) = &track.config else {
        return track.codec.to_string();
    };
    let mut words = vec![codec(config)];
    if let Some(video) = config.video() {
        if video.width > 0 && video.height > 0 {
            words.push(format!("{}x{}", video.width, video.height));
        }
        if let Some((frames, seconds)) = video.frame_rate.filter(|&(_, seconds)| seconds > 0) {
            words.push(format!("{} fps", ratio(frames, seconds)));
        }
    }
    if let Some(audio) = config.audio() {
        words.push(format!("{} kHz", ratio(audio.sample_rate, 1_000)));
        words.push(format!("{}ch", audio.channels));
    }
    words.join(" ")
}

/// `H.264 High@4.0`, `AAC-LC`, `Opus`.
fn codec(config: &CodecConfig) -> String {
    match config {
        CodecConfig::H264(c) => format!("H.264 {}", c.profile_level()),
        CodecConfig::H265(c) => format!("HEVC {}", c.profile_level()),
        CodecConfig::Aac(c) => c.profile_name().to_owned(),
        other => other.codec().to_string(),
    }
}

/// `720p30`, `1080p`, `480x270p25`: size and rate as people say them. `rate_milli` is frames per
/// 1000 seconds as measured, used when the bitstream does not say.
#[must_use]
pub fn short_size(track: &Track, rate_milli: Option<u64>) -> Option<String> {
    let video = track.config.as_ref().ok()?.video()?;
    if video.height == 0 {
        return None;
    }
    // Sizes of the 16:9 family are known by their height.
    let is_wide = u64::from(video.width) * 9 == u64::from(video.height) * 16;
    let size = match is_wide {
        true => format!("{}p", video.height),
        false => format!("{}x{}p", video.width, video.height),
    };
    let measured = rate_milli.map(|milli| milli.saturating_add(500) / 1_000);
    let stated = video.frame_rate.filter(|&(_, seconds)| seconds > 0);
    let rate = stated.map(|(frames, seconds)| ratio(frames, seconds));
    let rate = rate.or_else(|| measured.filter(|&fps| fps > 0).map(|fps| fps.to_string()));
    Some(size + &rate.unwrap_or_default())
}

/// A quotient with as few of three decimals as it needs: `30`, `29.97`, `44.1`.
fn ratio(numerator: u32, denominator: u32) -> String {
    let milli =
        (u64::from(numerator) * 1_000 + u64::from(denominator) / 2) / u64::from(denominator);
    decimal(milli)
}

fn decimal(milli: u64) -> String {
    let text = format!("{}.{:03}", milli / 1_000, milli % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Bits per second: `310 kbit/s`, `2.51 Mbit/s`.
#[must_use]
pub fn bitrate(bps: u64) -> String {
    match bps {
        0..1_000 => format!("{bps} bit/s"),
        1_000..999_500 => format!("{} kbit/s", (bps + 500) / 1_000),
        _ => format!("{} Mbit/s", three_digits(bps, 1_000_000)),
    }
}

/// Bytes of traffic, decimal: `238 MB`, `1.1 GB`.
#[must_use]
pub fn traffic(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..999_500 => format!("{} kB", (bytes + 500) / 1_000),
        999_500..999_500_000 => format!("{} MB", three_digits(bytes, 1_000_000)),
        999_500_000..999_500_000_000 => format!("{} GB", three_digits(bytes, 1_000_000_000)),
        _ => format!("{} TB", three_digits(bytes, 1_000_000_000_000)),
    }
}

/// `value / unit` with two decimals below ten, one below a hundred, none above; trailing zeros are
/// left out.
fn three_digits(value: u64, unit: u64) -> String {
    let step = match value / unit {
        0..10 => 10,
        10..100 => 100,
        _ => 1_000,
    };
    let milli = value.saturating_add(unit / 2_000) / (unit / 1_000).max(1);
    decimal((milli + step / 2) / step * step)
}

/// A time as clocks show it: `0:01:07`.
#[must_use]
pub fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    format!(
        "{}:{:02}:{:02}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// A time as log lines say it: `212ms`, `4.2s`, `10m21s`, `2h3m`.
#[must_use]
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{}.{}s", seconds, duration.subsec_millis() / 100).replace(".0s", "s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        _ => format!("{}h{}m", seconds / 3_600, seconds / 60 % 60),
    }
}

/// `0:00:06.040`: hours, minutes, seconds, milliseconds.
#[must_use]
pub fn precise(duration: Duration) -> String {
    format!("{}.{:03}", clock(duration), duration.subsec_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_a_unit_and_few_digits() {
        assert_eq!(bitrate(310_000), "310 kbit/s");
        assert_eq!(bitrate(2_512_345), "2.51 Mbit/s");
        assert_eq!(bitrate(2_100_000), "2.1 Mbit/s");
        assert_eq!(bitrate(999_800), "1 Mbit/s");
        assert_eq!(traffic(238_400_000), "238 MB");
        assert_eq!(traffic(1_100_000_000), "1.1 GB");
        assert_eq!(traffic(412_300_000_000), "412 GB");
        assert_eq!(traffic(17), "17 B");
    }

    #[test]
    fn times_read_as_people_say_them() {
        assert_eq!(span(Duration::from_millis(212)), "212ms");
        assert_eq!(span(Duration::from_millis(4_230)), "4.2s");
        assert_eq!(span(Duration::from_secs(60)), "1m0s");
        assert_eq!(span(Duration::from_secs(621)), "10m21s");
        assert_eq!(span(Duration::from_secs(5)), "5s");
        assert_eq!(clock(Duration::from_secs(67)), "0:01:07");
        assert_eq!(clock(Duration::from_secs(3_600 * 26)), "26:00:00");
    }

    #[test]
    fn rates_keep_their_decimals() {
        assert_eq!(ratio(30_000, 1_001), "29.97");
        assert_eq!(ratio(30, 1), "30");
        assert_eq!(ratio(44_100, 1_000), "44.1");
    }
}
