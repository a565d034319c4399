//! What of HLS is kept on the disk: for how long, of which streams, where.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use media::StreamName;

use super::quantity::{Size, show_duration};
use super::words::container_word;
use super::{Config, Hls, Storage, push};

/// A window shorter than this keeps less than the live playlist.
const LEAST: Duration = Duration::from_secs(60);
const MOST: Duration = Duration::from_secs(90 * 86_400);
/// The bitrate for which the disk space is told.
const TOLD_BPS: u64 = 5_000_000;

/// `[[hls.dvr_rule]]`: another window for some streams. The first rule that takes a stream decides.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct DvrRule {
    /// Pattern of stream names, `*` stands for anything: `live/*`. Empty when `stream` is set.
    pub matches: String,
    /// One stream's name. Empty when `matches` is set.
    pub stream: String,
    /// How far back it is kept; zero: not at all.
    pub window: Duration,
}

impl Hls {
    /// How far back a stream is kept; zero: not at all.
    #[must_use]
    pub fn dvr_window(&self, name: &StreamName) -> Duration {
        let mut rules = self.dvr_rule.iter();
        let rule = rules.find(|rule| push::takes(&rule.matches, &rule.stream, name));
        rule.map_or(self.dvr, |rule| rule.window)
    }

    /// Whether anything is kept of any stream.
    #[must_use]
    pub fn has_dvr(&self) -> bool {
        let mut windows = self.dvr_rule.iter().map(|rule| rule.window);
        self.enabled && (!self.dvr.is_zero() || windows.any(|window| !window.is_zero()))
    }

    /// Where it is kept.
    #[must_use]
    pub fn dvr_root(&self, storage: &Storage) -> PathBuf {
        storage.data.join(&self.dvr_dir)
    }
}

impl Config {
    /// What the DVR keeps and what that takes, a line for each window; empty when there is none.
    #[must_use]
    pub fn dvr_explained(&self) -> String {
        if !self.hls.has_dvr() {
            return String::new();
        }
        let folder = self.hls.dvr_root(&self.storage);
        let formats: Vec<&str> = self
            .hls
            .dvr_formats
            .iter()
            .map(|c| container_word(*c))
            .collect();
        let rules = self.hls.dvr_rule.iter().map(|rule| {
            let name = match rule.stream.is_empty() {
                true => &rule.matches,
                false => &rule.stream,
            };
            (name.as_str(), rule.window)
        });
        let others = match self.hls.dvr_rule.is_empty() {
            true => "every stream",
            false => "other streams",
        };
        let lines = rules.chain([(others, self.hls.dvr)]);
        lines
            .map(|(streams, window)| {
                if window.is_zero() {
                    return format!("dvr: {streams}: nothing is kept\n");
                }
                // A block more than the window, in each format.
                let bytes = TOLD_BPS / 8 * window.as_secs() * 25 / 24;
                let bytes = bytes.saturating_mul(formats.len() as u64);
                format!(
                    "dvr: {streams}: {} as {} in {}; {} a stream of 5 Mbit/s, up to twice as much \
                     while viewers are far back\n",
                    show_duration(window),
                    formats.join(" and "),
                    folder.display(),
                    gigabytes(bytes)
                )
            })
            .collect()
    }
}

fn gigabytes(bytes: u64) -> String {
    match bytes {
        0..10_000_000_000 => {
            let tenths = bytes.div_ceil(100_000_000);
            format!("{}.{} GB", tenths / 10, tenths % 10)
        }
        _ => format!("{} GB", bytes.div_ceil(1_000_000_000)),
    }
}

/// Which rules are broken.
pub(super) fn check(config: &Config, complain: &mut dyn FnMut(&str, String)) {
    let hls = &config.hls;
    let mut window = |path: &str, window: Duration| {
        if !window.is_zero() && !(LEAST..=MOST).contains(&window) {
            let (shown, least, most) = (
                show_duration(window),
                show_duration(LEAST),
                show_duration(MOST),
            );
            let what =
                format!("{path}: {shown} is not between {least} and {most}; \"0s\" keeps nothing");
            complain(path, what);
        }
    };
    window("hls.dvr", hls.dvr);
    for (index, rule) in hls.dvr_rule.iter().enumerate() {
        window(&format!("hls.dvr_rule.{index}.window"), rule.window);
    }
    for (index, rule) in hls.dvr_rule.iter().enumerate() {
        let (has_pattern, has_stream) = (!rule.matches.is_empty(), !rule.stream.is_empty());
        let what = match (has_pattern, has_stream) {
            (true, true) => "match and stream exclude each other; remove one".to_owned(),
            (false, false) => "which streams? write match = \"live/*\"".to_owned(),
            (false, true) => match StreamName::from_path(&rule.stream) {
                Ok(_) => continue,
                Err(error) => format!("stream: {:?}: {error}", rule.stream),
            },
            (true, false) => continue,
        };
        complain(
            &format!("hls.dvr_rule.{index}"),
            format!("hls.dvr_rule: {what}"),
        );
    }
    if leads_out(&hls.dvr_dir) {
        complain(
            "hls.dvr_dir",
            "hls.dvr_dir: \"..\" leads out of the data folder; write an absolute path".to_owned(),
        );
    }
    if hls.dvr_dir == config.record.dir {
        complain(
            "hls.dvr_dir",
            "hls.dvr_dir: is also record.dir; what is too old is removed from it: name another"
                .to_owned(),
        );
    }
    if hls.dvr_formats.is_empty() {
        complain(
            "hls.dvr_formats",
            "hls.dvr_formats: nothing is named; write [\"fmp4\"], or dvr = \"0s\"".to_owned(),
        );
    }
}

fn leads_out(path: &Path) -> bool {
    path.components().any(|part| part == Component::ParentDir)
}

/// Space that is left free, by default.
pub(super) const MIN_FREE: Size = Size(1 << 30);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_rule_that_takes_a_stream_decides() {
        let text = "[hls]\ndvr = \"2h\"\n[[hls.dvr_rule]]\nmatch = \"lectures/*\"\nwindow = \"24h\"\n\
                    [[hls.dvr_rule]]\nstream = \"live/off\"\nwindow = \"0s\"\n";
        let config = Config::from_toml("x.toml", text).unwrap();
        let hours = |name: &str| config.hls.dvr_window(&name.parse().unwrap()).as_secs() / 3_600;
        assert_eq!(["lectures/a", "live/off", "live/on"].map(hours), [24, 0, 2]);
        assert!(config.hls.has_dvr() && !Hls::default().has_dvr());
        assert_eq!(
            config.dvr_explained(),
            "dvr: lectures/*: 24h as fmp4 in ./sidestream-data/dvr; 57 GB a stream of 5 Mbit/s, up to twice as much while viewers are far back\n\
             dvr: live/off: nothing is kept\n\
             dvr: other streams: 2h as fmp4 in ./sidestream-data/dvr; 4.7 GB a stream of 5 Mbit/s, up to twice as much while viewers are far back\n"
        );
        assert_eq!(Config::default().dvr_explained(), "");
    }

    #[test]
    fn what_cannot_be_is_said_where_it_is_written() {
        let text = "[hls]\ndvr = \"30s\"\ndvr_dir = \"../x\"\ndvr_formats = []\n\
                    [[hls.dvr_rule]]\nwindow = \"1000000h\"\n\
                    [[hls.dvr_rule]]\nmatch = \"a/*\"\nstream = \"a/b\"\n\
                    [[hls.dvr_rule]]\nstream = \"a\"\n\
                    [[hls.dvr_rule]]\nmatch = \"*\"\nwindows = \"1h\"\n";
        let error = Config::from_toml("x.toml", text).unwrap_err();
        let found: Vec<String> = error.problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "x.toml:2:7: hls.dvr: 30s is not between 60s and 2160h; \"0s\" keeps nothing",
                "x.toml:3:11: hls.dvr_dir: \"..\" leads out of the data folder; write an absolute path",
                "x.toml:4:15: hls.dvr_formats: nothing is named; write [\"fmp4\"], or dvr = \"0s\"",
                "x.toml:5:1: hls.dvr_rule: which streams? write match = \"live/*\"",
                "x.toml:6:10: hls.dvr_rule.0.window: 1000000h is not between 60s and 2160h; \"0s\" keeps nothing",
                "x.toml:7:1: hls.dvr_rule: match and stream exclude each other; remove one",
                "x.toml:10:1: hls.dvr_rule: stream: \"a\": expected APP/STREAM",
                "x.toml:14:1: unknown key \"windows\" in [[hls.dvr_rule]]; did you mean \"window\"?",
            ]
        );
    }
}
