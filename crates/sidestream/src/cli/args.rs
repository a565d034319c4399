//! The command line: one definition for parsing, help, completions and man pages.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod bench;
mod hls_check;
mod key;
mod record;
mod remux;

pub(super) use bench::{Bench, LeaveName, Limit, ModeName, Reference};
pub(super) use hls_check::{HlsCheck, Target};
pub(super) use key::Key;
pub(super) use record::Record;
pub(super) use remux::Remux;

use sidestream::config::quantity::{QuantityError, parse_duration};
use sidestream::pull::{Input, PullError};

const COMMANDS: &str = "\
Run:
  serve        Serve: RTMP in; HLS, RTMP and HTTP-FLV out
  demo         Serve, and publish a built-in clip; prints the URLs to open
  check        Check a configuration: every problem, with its line
  key          Make an API key, and the line of the configuration for it

Files and streams:
  remux        Copy a file into another container, without encoding
  probe        Show tracks, codecs, durations and timing problems
  push         Publish a file or relay a stream to an RTMP server
  record       Record a stream of any RTMP or HTTP-FLV server

Measure:
  bench        Load any RTMP, HTTP-FLV or HLS server, and measure it
  hls-check    Watch an HLS stream of any server, and name every broken rule

More:
  completions  Print a completion script for a shell
  man          Write man pages into a folder";

const TEMPLATE: &str = "\
{about}

{usage-heading} {usage}

{before-help}Options:
{options}{after-help}
";

/// Live media relay: RTMP in; HLS, RTMP and HTTP-FLV out; pushed on to other servers.
#[derive(Debug, Parser)]
#[command(
    name = "sidestream",
    version,
    before_help = COMMANDS,
    help_template = TEMPLATE,
    after_help = "`sidestream COMMAND --help` says more of a command.",
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) global: Global,
}

/// Options that mean the same in every command.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Global {
    /// Say less: only warnings, no progress
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        help_heading = "Output"
    )]
    pub(super) quiet: bool,
    /// Say more; twice: everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub(super) verbose: u8,
    /// Colour on a terminal; NO_COLOR and TERM=dumb turn it off
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Output"
    )]
    pub(super) color: Color,
    /// Log lines for people or for machines [default: text, or log.format of the configuration]
    #[arg(long, global = true, value_name = "FORMAT", help_heading = "Output")]
    pub(super) log_format: Option<LogFormat>,
    /// No progress line
    #[arg(long, global = true, help_heading = "Output")]
    pub(super) no_progress: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Also when piped
    Always,
    /// Never
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Serve(Serve),
    Demo(Demo),
    Check(Check),
    Key(Key),
    Remux(Remux),
    Push(Push),
    Record(Record),
    Probe(Probe),
    Bench(Bench),
    HlsCheck(HlsCheck),
    Completions(Completions),
    Man(Man),
}

/// Serve: RTMP in; HLS, RTMP and HTTP-FLV out
///
/// Without a configuration it listens for RTMP on 0.0.0.0:1935 and for HTTP on 0.0.0.0:8080, and
/// every publish to rtmp://HOST/APP/STREAM is served at once. Every key of the configuration can
/// be overridden by SIDESTREAM_SECTION__KEY. SIGHUP reads certificates, keys and push targets
/// again; SIGTERM ends all streams cleanly within 10 s.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sidestream serve
  SIDESTREAM_FANOUT__BATCH=50ms sidestream serve -c /etc/sidestream/sidestream.toml")]
pub(super) struct Serve {
    #[command(flatten)]
    pub(super) settings: Settings,
}

/// What `serve`, `demo` and `check` read settings from.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Settings {
    /// Configuration file [default: sidestream.toml in this folder, when it is there]
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Address for RTMP, "" for none [default: 0.0.0.0:1935] [env: SIDESTREAM_RTMP__LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub(super) rtmp: Option<String>,
    /// Address for HTTP, "" for none [default: 0.0.0.0:8080] [env: SIDESTREAM_HTTP__LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub(super) http: Option<String>,
    /// Data folder [default: ./sidestream-data] [env: SIDESTREAM_STORAGE__DATA]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<String>,
}

/// Serve, and publish a built-in clip; prints the URLs to open
///
/// The clip is published in a loop through RTMP, as any encoder would. A port that is in use is
/// replaced by a free one. State goes to a temporary folder unless --data is given.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sidestream demo
  sidestream demo --http 127.0.0.1:9000 --json")]
pub(super) struct Demo {
    #[command(flatten)]
    pub(super) settings: Settings,
    /// Print the URLs as one JSON object
    #[arg(short, long)]
    pub(super) json: bool,
}

/// Check a configuration: every problem, with its line
///
/// Also looks whether files can be read, keys belong to their certificates, ports are free and
/// the data folder can be written. Exit code 1 when there is a problem.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sidestream check -c /etc/sidestream/sidestream.toml
  sidestream check --print-default > sidestream.toml")]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) settings: Settings,
    /// Print every value in force and where it comes from
    #[arg(long)]
    pub(super) print: bool,
    /// Also ask the storage of [mirror]: write a small object, read it and delete it
    #[arg(long)]
    pub(super) storage: bool,
    /// Print the reference: every key with its default
    #[arg(long, conflicts_with_all = ["print", "json"])]
    pub(super) print_default: bool,
    /// Print the result as one JSON object
    #[arg(short, long)]
    pub(super) json: bool,
}

/// Publish a file or relay a stream to an RTMP server
///
/// INPUT is an FLV file (- is standard input), sent at the speed of its timestamps, or a live
/// stream: rtmp://, rtmps://, or http(s):// with FLV. A live stream is relayed until it ends; a
/// connection that breaks, on either side, is made again.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sidestream push lesson.flv rtmp://localhost/live/lesson --loop
  sidestream push http://origin:8080/live/cam1.flv rtmps://relay.example/live/KEY")]
pub(super) struct Push {
    /// File or URL to read
    #[arg(value_name = "INPUT|URL", value_parser = parse_input)]
    pub(super) input: Input,
    /// Where to publish: rtmp:// or rtmps://
    #[arg(value_name = "RTMP_URL", value_parser = parse_target)]
    pub(super) url: rtmp::Url,
    /// Begin a file again at its end, until Ctrl-C
    #[arg(long = "loop")]
    pub(super) repeat: bool,
    /// How long to wait for a live input that is not there yet
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    pub(super) wait: Duration,
    /// Stop after this much time [default: at the end of the input]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(super) duration: Option<Duration>,
    /// Print progress and summary as one JSON object a line
    #[arg(short, long)]
    pub(super) json: bool,
}

/// Show tracks, codecs, durations and timing problems
///
/// INPUT is a file (FLV, MPEG-TS, MP4, an HLS playlist; - is standard input), read to its end, or a live stream:
/// rtmp://, rtmps://, or http(s):// with FLV, read for --duration.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sidestream probe lesson.flv
  sidestream probe rtmp://localhost/live/cam1 --duration 10s --json")]
pub(super) struct Probe {
    /// File or URL to read
    #[arg(value_name = "INPUT|URL", value_parser = parse_input)]
    pub(super) input: Input,
    /// How long to read a live input
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    pub(super) duration: Duration,
    /// How long to wait for a live input that is not there yet
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_time)]
    pub(super) wait: Duration,
    /// Fail when the input is damaged
    #[arg(long)]
    pub(super) strict: bool,
    /// Print one JSON object
    #[arg(short, long)]
    pub(super) json: bool,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sidestream completions bash > /etc/bash_completion.d/sidestream
  sidestream completions fish > ~/.config/fish/completions/sidestream.fish")]
pub(super) struct Completions {
    /// Which shell
    pub(super) shell: clap_complete::Shell,
}

/// Write man pages into a folder
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sidestream man .
  sidestream man /usr/local/share/man/man1")]
pub(super) struct Man {
    /// The folder; it must exist
    pub(super) dir: PathBuf,
}

fn parse_time(text: &str) -> Result<Duration, QuantityError> {
    parse_duration(text)
}

fn parse_input(text: &str) -> Result<Input, PullError> {
    text.parse()
}

fn parse_target(text: &str) -> Result<rtmp::Url, rtmp::ParseUrlError> {
    text.parse()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent_and_the_list_names_every_command() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        for sub in command.get_subcommands() {
            let about = sub.get_about().map(ToString::to_string).unwrap_or_default();
            let line = format!("  {:<12} {about}\n", sub.get_name());
            assert!(
                format!("{COMMANDS}\n").contains(&line),
                "{line:?} is not in the list of commands"
            );
        }
        assert_eq!(
            COMMANDS
                .lines()
                .filter(|line| line.starts_with("  "))
                .count(),
            command.get_subcommands().count()
        );
    }
}
