//! What `remux` is asked.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use sidestream::convert::{InputFormat, OutputFormat, TrackChoice, WallTime};

use super::parse_time;

/// Copy a file into another container, without encoding
///
/// The container of OUT follows from its name: .flv, .ts .m2ts .mts, .mp4 .m4v .mov .m4a, .m4s .cmfv
/// .cmfa (fragmented), .m3u8 (an HLS folder: playlist and segments beside it), .aac .mp3 .ac3 (bare
/// audio); that of IN from what it holds. - is standard input or output. An MP4 on standard output is fragmented, as
/// its index could not be written last. A damaged input is read to its last good byte.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sidestream remux lesson.flv lesson.mp4 --faststart
  sidestream remux lesson.ts part.mp4 --start 1:30 --end 10m --tracks video")]
pub(in crate::cli) struct Remux {
    /// File to read
    #[arg(value_name = "IN")]
    pub(in crate::cli) input: PathBuf,
    /// File to write
    #[arg(value_name = "OUT")]
    pub(in crate::cli) output: PathBuf,
    /// Replace an existing file
    #[arg(short = 'y', long)]
    pub(in crate::cli) overwrite: bool,
    /// What IN is [default: found out from its first bytes]
    #[arg(long, value_name = "FORMAT", value_parser = input_format())]
    pub(in crate::cli) from: Option<InputFormat>,
    /// What OUT shall be [default: as its name says]
    #[arg(long, value_name = "FORMAT", value_parser = output_format())]
    pub(in crate::cli) to: Option<OutputFormat>,
    /// Tracks to keep: video, audio, or ids as `probe` shows them, with commas [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(in crate::cli) tracks: Vec<TrackChoice>,
    /// Begin at the random access point at or before this place; exact without video
    #[arg(long, value_name = "TIME", value_parser = parse_position)]
    pub(in crate::cli) start: Option<Duration>,
    /// End at the first random access point at or after this place; exact without video
    #[arg(long, value_name = "TIME", value_parser = parse_position)]
    pub(in crate::cli) end: Option<Duration>,
    /// MP4: the index in front of the media, for players that load while they play
    #[arg(long, conflicts_with = "fragment")]
    pub(in crate::cli) faststart: bool,
    /// MP4: fragments, which can be read while they are written
    #[arg(long)]
    pub(in crate::cli) fragment: bool,
    /// HLS: length that segments have at least
    #[arg(long, value_name = "TIME", default_value = "6s", value_parser = parse_time)]
    pub(in crate::cli) segment: Duration,
    /// HLS: when the first frame of OUT was, as 2026-11-20T19:30:00Z; cues become date ranges
    #[arg(long, value_name = "DATE", value_parser = parse_date)]
    pub(in crate::cli) date: Option<WallTime>,
    /// Fail when the input is damaged
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// Print progress and summary as one JSON object a line
    #[arg(short, long)]
    pub(in crate::cli) json: bool,
}

fn input_format() -> impl TypedValueParser<Value = InputFormat> {
    PossibleValuesParser::new(InputFormat::ALL.map(InputFormat::name)).try_map(|name| {
        InputFormat::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or("unknown")
    })
}

fn output_format() -> impl TypedValueParser<Value = OutputFormat> {
    PossibleValuesParser::new(OutputFormat::ALL.map(OutputFormat::name)).try_map(|name| {
        OutputFormat::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or("unknown")
    })
}

/// A date of RFC 3339.
fn parse_date(text: &str) -> Result<WallTime, String> {
    let date: Result<jiff::Timestamp, _> = text.parse();
    let wrong = |_| format!("{text:?} is no date with an offset; write 2026-11-20T19:30:00Z");
    Ok(WallTime(date.map_err(wrong)?.as_millisecond()))
}

/// A place in a file: a duration, or `1:30`, `00:01:30.500`.
fn parse_position(text: &str) -> Result<Duration, String> {
    if !text.contains(':') {
        return parse_time(text).map_err(|error| error.to_string());
    }
    let wrong = || format!("{text:?} is no place; write 1:30, 00:01:30.500 or 90s");
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let parts: Vec<u64> = whole
        .split(':')
        .map(|part| match part.bytes().all(|b| b.is_ascii_digit()) {
            true => part.parse().map_err(|_| wrong()),
            false => Err(wrong()),
        })
        .collect::<Result<_, _>>()?;
    let seconds = match parts[..] {
        [minutes, seconds] if seconds < 60 => minutes.checked_mul(60).map(|m| m + seconds),
        [hours, minutes, seconds] if minutes < 60 && seconds < 60 => {
            hours.checked_mul(3_600).map(|h| h + minutes * 60 + seconds)
        }
        _ => None,
    };
    let digits = fraction.len();
    let nanos = match digits {
        0 if !text.contains('.') => Some(0),
        1..=9 if fraction.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{fraction:0<9}").parse().ok()
        }
        _ => None,
    };
    match (seconds, nanos) {
        (Some(seconds), Some(nanos)) => Ok(Duration::new(seconds, nanos)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_durations_or_clock_times() {
        let millis = |text| parse_position(text).map(|time| time.as_millis());
        assert_eq!(millis("90s"), Ok(90_000));
        assert_eq!(millis("1:30"), Ok(90_000));
        assert_eq!(millis("00:01:30.500"), Ok(90_500));
        assert_eq!(millis("100:00:00.25"), Ok(360_000_250));
        for wrong in ["1:60", ":30", "1:2:3:4", "1:30.", "1:-3", "90", "1:3x"] {
            assert!(parse_position(wrong).is_err(), "{wrong}");
        }
    }
}
