//! What `hls-check` is asked.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hls_check::{Rule, Url};

use super::parse_time;

/// Watch an HLS stream of any server, and name every broken rule
///
/// URL is a playlist, multivariant or media, of any server; FILE one of a folder, whose segments are
/// read to the end. Each finding says which rule (H1 to H18) is broken, how bad that is (must, should),
/// where, and which request showed it. Exit code 1 when a must is broken.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sidestream hls-check http://localhost:8080/live/cam1.m3u8 --time 2m
  sidestream hls-check lesson.m3u8 --json")]
pub(in crate::cli) struct HlsCheck {
    /// Playlist: http://, https://, or a file
    #[arg(value_name = "URL|FILE", value_parser = parse_target)]
    pub(in crate::cli) target: Target,
    /// How long to watch a live stream; of a VOD, when nothing more is fetched
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_time)]
    pub(in crate::cli) time: Duration,
    /// How long to wait for a stream that is not there yet
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    pub(in crate::cli) wait: Duration,
    /// Only these rules, with commas: H1,H13 [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(in crate::cli) rules: Vec<Rule>,
    /// Read playlists only, no segments and parts
    #[arg(long)]
    pub(in crate::cli) no_media: bool,
    /// Fail when a should is broken, too
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// Field to send, as "Name: value"; to the server of URL only; may be repeated
    #[arg(short = 'H', long = "header", value_name = "FIELD", value_parser = parse_header)]
    pub(in crate::cli) headers: Vec<(String, String)>,
    /// Do not ask who answers: any certificate is taken
    #[arg(long)]
    pub(in crate::cli) insecure: bool,
    /// Speak HTTP/2 without TLS, too
    #[arg(long)]
    pub(in crate::cli) http2: bool,
    /// Print one JSON object
    #[arg(short, long)]
    pub(in crate::cli) json: bool,
}

/// A playlist somewhere.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Target {
    Url(Url),
    File(PathBuf),
}

fn parse_target(text: &str) -> Result<Target, String> {
    match text.split_once("://") {
        Some(("http" | "https", _)) => {
            let url = text
                .parse()
                .map_err(|error| format!("{text:?} is no URL: {error}"))?;
            Ok(Target::Url(url))
        }
        Some((scheme, _)) => Err(format!(
            "{scheme}:// is no HLS; write http://, https://, or a file"
        )),
        None => Ok(Target::File(text.into())),
    }
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    let wrong = || format!("{text:?} is no field; write \"Name: value\"");
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let name =
        reqwest::header::HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| wrong())?;
    reqwest::header::HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
    Ok((name.to_string(), value.trim().to_owned()))
}
