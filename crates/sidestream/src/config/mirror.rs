//! `[mirror]`: HLS that is also written to a folder or to object storage, for a CDN to take it there.

use std::path::PathBuf;
use std::time::Duration;

use control::credential::Secret;
use hls::Container;
use media::StreamName;

use super::{Config, inspect, push};

/// `[mirror]`
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Mirror {
    /// Where to: `s3://bucket/prefix`, a folder; empty: nowhere.
    pub to: String,
    /// Patterns of stream names, `*` stands for anything.
    pub matches: Vec<String>,
    /// The containers whose playlists are copied.
    pub containers: Vec<Container>,
    /// A stream to which nothing was added for this long is deleted; zero keeps all.
    pub keep: Duration,
    /// Base URL of an S3-compatible service; empty: AWS.
    pub endpoint: String,
    /// Region of the bucket; empty: the environment's, else `us-east-1`.
    pub region: String,
    /// The access key.
    pub access_key_id: Option<Secret>,
    /// Its secret half.
    pub secret_access_key: Option<Secret>,
    /// A file with both, in the form of `~/.aws/credentials`.
    pub credentials_file: Option<PathBuf>,
    /// Longest time that a request may take.
    pub timeout: Duration,
}

impl Default for Mirror {
    fn default() -> Self {
        Self {
            to: String::new(),
            matches: vec!["*".to_owned()],
            containers: vec![Container::Fmp4],
            keep: Duration::from_secs(3_600),
            endpoint: String::new(),
            region: String::new(),
            access_key_id: None,
            secret_access_key: None,
            credentials_file: None,
            timeout: Duration::from_secs(30),
        }
    }
}

impl Mirror {
    /// Whether the HLS of this stream is copied.
    #[must_use]
    pub fn takes(&self, name: &StreamName) -> bool {
        !self.to.is_empty()
            && self
                .matches
                .iter()
                .any(|pattern| push::takes(pattern, "", name))
    }

    /// The storage, opened; `None` where nothing is copied. Asks nobody yet.
    ///
    /// # Errors
    /// The setting, and one sentence without secrets.
    pub fn store(&self) -> Result<Option<storage::Store>, (&'static str, String)> {
        if self.to.is_empty() {
            return Ok(None);
        }
        let location: storage::Location = self
            .to
            .parse()
            .map_err(|error| ("mirror.to", format!("mirror.to {error}")))?;
        let mut options = storage::Options::default();
        let filled = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        options.endpoint = filled(&self.endpoint);
        options.region = filled(&self.region);
        options.credentials = self.credentials()?;
        options.timeout = self.timeout;
        let store = storage::Store::open(&location, &options);
        let store =
            store.map_err(|error| ("mirror.to", format!("mirror.to: {location}: {error}")))?;
        Ok(Some(store))
    }

    pub(super) fn credentials(
        &self,
    ) -> Result<Option<storage::Credentials>, (&'static str, String)> {
        if let (Some(id), Some(secret)) = (&self.access_key_id, &self.secret_access_key) {
            return Ok(Some(storage::Credentials::new(
                id.reveal(),
                secret.reveal(),
            )));
        }
        let Some(path) = &self.credentials_file else {
            return Ok(None);
        };
        const SETTING: &str = "mirror.credentials_file";
        let wrong = |what: String| (SETTING, format!("{SETTING}: {}: {what}", path.display()));
        let text = inspect::read(path).map_err(wrong)?;
        let read = storage::Credentials::from_file_text(&text);
        read.map(Some).map_err(|error| wrong(error.to_string()))
    }
}

/// Which rules are broken.
pub(super) fn check(config: &Config, complain: &mut dyn FnMut(&str, String)) {
    let mirror = &config.mirror;
    let location = match mirror.to.as_str() {
        "" => None,
        to => match to.parse::<storage::Location>() {
            Ok(location) => Some(location),
            Err(error) => return complain("mirror.to", format!("mirror.to {error}")),
        },
    };
    let is_s3 = matches!(location, Some(storage::Location::S3 { .. }));
    if location.is_some() && !config.hls.enabled {
        let what = "mirror.to is set, and hls.enabled is false; there is nothing to copy";
        complain("mirror.to", what.to_owned());
    }
    if location.is_some() {
        let patterns = mirror.matches.iter();
        let sealed =
            patterns.filter_map(|pattern| Some((pattern, config.hls.may_encrypt(pattern)?)));
        for (pattern, rule) in sealed {
            let what = format!(
                "mirror.match: {pattern:?} takes streams that hls.encryption ({rule:?}) encrypts; a copy would name \
                 keys that are not beside it; write method = \"none\" for these streams, or do not copy them"
            );
            complain("mirror.match", what);
        }
    }
    let secrets = [&mirror.access_key_id, &mirror.secret_access_key];
    match secrets.map(Option::is_some) {
        [true, false] => complain(
            "mirror.access_key_id",
            "mirror.access_key_id is set, mirror.secret_access_key is not; set it".to_owned(),
        ),
        [false, true] => complain(
            "mirror.secret_access_key",
            "mirror.secret_access_key is set, mirror.access_key_id is not; set it".to_owned(),
        ),
        [true, true] if mirror.credentials_file.is_some() => complain(
            "mirror.credentials_file",
            "mirror.credentials_file and mirror.access_key_id are both set; keep one".to_owned(),
        ),
        _ => {}
    }
    let needs_s3 = [
        ("endpoint", !mirror.endpoint.is_empty()),
        ("region", !mirror.region.is_empty()),
        ("access_key_id", mirror.access_key_id.is_some()),
        ("credentials_file", mirror.credentials_file.is_some()),
    ];
    for (key, is_set) in needs_s3 {
        if is_set && !is_s3 {
            complain(
                &format!("mirror.{key}"),
                format!(
                    "mirror.{key} is set, and mirror.to is no bucket; write to = \"s3://BUCKET/PREFIX\""
                ),
            );
        }
    }
    let endpoint = &mirror.endpoint;
    let is_url = ["http://", "https://"].iter().any(|scheme| {
        let host = endpoint.strip_prefix(scheme);
        host.is_some_and(|host| {
            !host.is_empty() && !host.starts_with('/') && !host.contains([' ', '?', '#'])
        })
    });
    if endpoint.contains('@') {
        let what = "mirror.endpoint has credentials in the URL; put them into credentials_file";
        complain("mirror.endpoint", what.to_owned());
    } else if !endpoint.is_empty() && !is_url {
        let what = "mirror.endpoint is not a URL; write endpoint = \"https://s3.example.com\"";
        complain("mirror.endpoint", what.to_owned());
    }
    if mirror.matches.is_empty() || mirror.matches.iter().any(String::is_empty) {
        let what = "mirror.match has no pattern, or an empty one; write match = [\"live/*\"]";
        complain("mirror.match", what.to_owned());
    }
    if mirror.containers.is_empty() {
        let what = "mirror.containers is empty; write containers = [\"fmp4\"]";
        complain("mirror.containers", what.to_owned());
    }
    let minute = Duration::from_secs(60);
    if !mirror.keep.is_zero() && mirror.keep < minute {
        let what = "mirror.keep is less than 1m; a stream that is interrupted would be deleted";
        complain("mirror.keep", what.to_owned());
    }
    if mirror.timeout < Duration::from_secs(1) || mirror.timeout > 10 * minute {
        let what = "mirror.timeout is not between 1s and 10m";
        complain("mirror.timeout", what.to_owned());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        let error = Config::from_toml("s.toml", text).unwrap_err();
        error.problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_cannot_work_is_told_with_its_place() {
        let text = "[mirror]\nto = \"gs://bucket\"\n";
        let wanted = "s.toml:2:6: mirror.to has the scheme \"gs\"; there are s3, file and memory";
        assert_eq!(problems(text), [wanted]);
        let text = "[mirror]\nto = \"/srv/hls\"\nendpoint = \"s3.example.com\"\naccess_key_id = \"AKIAX\"\nkeep = \"1s\"\ncontainers = [\"mp4\"]\n";
        let found = problems(text);
        assert_eq!(found.len(), 6, "{found:#?}");
        assert!(
            found.iter().all(|problem| !problem.contains("AKIAX")),
            "{found:#?}"
        );
    }

    #[test]
    fn what_is_encrypted_is_not_copied() {
        let text = |mirror: &str, rules: &str| {
            format!("[mirror]\nto = \"/srv/hls\"\nmatch = [{mirror}]\n{rules}")
        };
        let rule = |pattern: &str, method: &str| {
            format!("[[hls.encryption]]\nmatch = \"{pattern}\"\nmethod = \"{method}\"\n")
        };
        assert_eq!(
            problems(&text("\"vod/*\", \"live/*\"", &rule("*/cam1", "cbcs"))),
            [
                "s.toml:3:9: mirror.match: \"vod/*\" takes streams that hls.encryption (\"*/cam1\") encrypts; a copy would name \
                 keys that are not beside it; write method = \"none\" for these streams, or do not copy them",
                "s.toml:3:9: mirror.match: \"live/*\" takes streams that hls.encryption (\"*/cam1\") encrypts; a copy would name \
                 keys that are not beside it; write method = \"none\" for these streams, or do not copy them",
            ]
        );
        let exact = "[[hls.encryption]]\nstream = \"live/cam1\"\n";
        assert_eq!(problems(&text("\"*\"", exact)).len(), 1);
        for rules in [
            rule("live/*", "none") + &rule("*", "aes-128"),
            rule("vod/*", "aes-128"),
            rule("*", "none") + &rule("live/*", "cbcs"),
        ] {
            let text = text("\"live/*\"", &rules);
            assert!(Config::from_toml("s.toml", &text).is_ok(), "{text}");
        }
        let nowhere = rule("*", "aes-128");
        assert!(Config::from_toml("s.toml", &nowhere).is_ok());
    }

    #[test]
    fn secrets_do_not_show() {
        let text = "[mirror]\nto = \"s3://bucket\"\naccess_key_id = \"AKIAX\"\nsecret_access_key = \"s3cret\"\n";
        let config = Config::from_toml("s.toml", text).unwrap();
        let shown = format!("{config:?} {:?}", config.mirror.store().unwrap());
        assert!(
            !shown.contains("AKIAX") && !shown.contains("s3cret"),
            "{shown}"
        );
        let (live, other) = ("live/a", "vod/a");
        let name = |text: &str| StreamName::from_path(text).unwrap();
        let mut mirror = config.mirror;
        mirror.matches = vec!["live/*".to_owned()];
        assert!(mirror.takes(&name(live)) && !mirror.takes(&name(other)));
    }
}
