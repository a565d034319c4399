//! What `record` is asked.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use record::{Format, Media};
use sidestream::pull::Input;

use super::{parse_input, parse_time};

/// Record a stream of any RTMP or HTTP-FLV server
///
/// URL is a live stream: rtmp://, rtmps://, or http(s):// with FLV. The container of OUT follows from
/// its name: .flv, .mp4 .m4v .mov, .m4a (sound only), .ts .m2ts .mts, .aac (sound only), .hls (a folder
/// with a playlist). What is there plays at every moment, also when the process is killed. A
/// connection that breaks is made again; the manifest beside the file (OUT.json) tells its gaps.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sidestream record rtmp://localhost/live/cam1 cam1.mp4
  sidestream record https://origin/live/cam1.flv cam1.ts --split 1h --duration 8h")]
pub(in crate::cli) struct Record {
    /// Stream to record
    #[arg(value_name = "URL", value_parser = parse_live)]
    pub(in crate::cli) input: Input,
    /// File to write; a folder for HLS
    #[arg(value_name = "OUT")]
    pub(in crate::cli) output: PathBuf,
    /// Replace an existing file
    #[arg(short = 'y', long)]
    pub(in crate::cli) overwrite: bool,
    /// What OUT shall be [default: as its name says]
    #[arg(long, value_name = "FORMAT", value_parser = format())]
    pub(in crate::cli) to: Option<Format>,
    /// Tracks to record: video or audio [default: all]
    #[arg(long, value_name = "KIND", value_parser = media())]
    pub(in crate::cli) tracks: Option<Media>,
    /// Stop after this much of the stream [default: at its end]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(in crate::cli) duration: Option<Duration>,
    /// Go on in the next file (OUT-1, OUT-2 …) after this much, at a random access point
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(in crate::cli) split: Option<Duration>,
    /// How long to wait for a stream that is not there yet
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    pub(in crate::cli) wait: Duration,
    /// How long a connection that broke is tried again; 0 ends with it
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_time)]
    pub(in crate::cli) reconnect: Duration,
    /// Print progress, files and summary as one JSON object a line
    #[arg(short, long)]
    pub(in crate::cli) json: bool,
}

fn parse_live(text: &str) -> Result<Input, String> {
    match parse_input(text) {
        Ok(Input::File(path)) => Err(format!(
            "{} is no live stream; write rtmp://, rtmps://, http:// or https://, or use remux for files",
            path.display()
        )),
        Ok(input) => Ok(input),
        Err(error) => Err(error.to_string()),
    }
}

fn format() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::as_str))
        .try_map(|word| word.parse::<Format>())
}

fn media() -> impl TypedValueParser<Value = Media> {
    PossibleValuesParser::new(["video", "audio"]).map(|word| match word.as_str() {
        "audio" => Media::Audio,
        _ => Media::Video,
    })
}
