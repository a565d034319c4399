//! What happens by itself, and what is allowed.
//!
//! ```text
//! configuration ◀ changes for all apps ◀ changes for the app ◀ rule: app ◀ stream ◀ app + stream
//! ```
//! The later wins.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Format, Media, Protocol, Source};
use crate::error::{Error, FieldError, Reason};
use crate::words::words;

words! {
    /// What a user may have only one of.
    pub enum Uniqueness {
        /// One channel a user.
        User = "user",
        /// One channel for each of a user's sources.
        UserSource = "user_source",
    }
}

words! {
    /// What happens to a publish that nobody announced.
    pub enum UnknownPublish {
        /// It is refused.
        Reject = "reject",
        /// It is taken: its room is the RTMP app, its user the stream key.
        Adopt = "adopt",
    }
}

/// Which sources become channels by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoBypass {
    /// Whether any do.
    pub enabled: bool,
    /// Which of a user's sources.
    pub sources: Vec<Source>,
    /// How they are to be watched.
    pub protocols: Vec<Protocol>,
}

/// What is recorded by itself while a channel is live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoRecord {
    /// Whether anything is.
    pub enabled: bool,
    /// Containers, all at once.
    pub formats: Vec<Format>,
    /// Which tracks.
    pub media: Media,
    /// When the next file begins, in seconds.
    pub segment_s: u32,
    /// How long an HLS recording waits for its publisher to come back, in seconds.
    pub hls_resume_s: u32,
}

/// The policy of an app, or of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Channels without calls.
    pub auto_bypass: AutoBypass,
    /// Recordings without calls.
    pub auto_record: AutoRecord,
    /// What a user may have only one of.
    pub uniqueness: Uniqueness,
    /// Least time between two starts for one source, in seconds.
    pub start_min_interval_s: u32,
    /// When a start that failed is tried again, in seconds.
    pub start_retry_s: u32,
    /// How long a channel waits for a lost publisher, in seconds, 0–3600.
    pub reconnect_window_s: u32,
    /// How long viewers wait after a publisher said that it ends, in seconds.
    pub viewer_end_grace_s: u32,
    /// How long an ended channel's id is kept for the next start, in seconds.
    pub channel_retention_s: u32,
    /// When a room without publishers that nobody declared is closed, in seconds.
    pub room_idle_s: u32,
    /// When a manual recording without media ends, in seconds.
    pub record_idle_s: u32,
    /// Most channels at once.
    pub max_channels: u32,
    /// Most push targets of a channel.
    pub max_targets: u32,
    /// Manual recordings as the classic service had them: MP4 only, 90 minutes, no callback.
    pub compat_matrix: bool,
    /// How stream codes are made: `classic_md5`, `plain`, or a pattern.
    pub stream_code_rule: String,
    /// What happens to a publish that nobody announced.
    pub unknown_publish: UnknownPublish,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            auto_bypass: AutoBypass {
                enabled: false,
                sources: vec![Source::Main, Source::Aux],
                protocols: vec![Protocol::Hls, Protocol::Rtmp, Protocol::Flv],
            },
            auto_record: AutoRecord {
                enabled: false,
                formats: vec![Format::Flv, Format::Hls, Format::Mp4],
                media: Media::Av,
                segment_s: 5_400,
                hls_resume_s: 0,
            },
            uniqueness: Uniqueness::User,
            start_min_interval_s: 3,
            start_retry_s: 5,
            reconnect_window_s: 60,
            viewer_end_grace_s: 7,
            channel_retention_s: 3_600,
            room_idle_s: 90,
            record_idle_s: 60,
            max_channels: 100,
            max_targets: 10,
            compat_matrix: false,
            stream_code_rule: "classic_md5".to_owned(),
            unknown_publish: UnknownPublish::Reject,
        }
    }
}

impl Policy {
    /// This policy with a merge patch (RFC 7396) laid over it. The preset `"preset": "auto_auto"` turns
    /// automatic bypass and recording on.
    ///
    /// # Errors
    /// [`Reason::FieldInvalid`] names every field that is unknown, of a wrong type or out of range.
    pub fn patched(&self, patch: &Value) -> Result<Self, Error> {
        let Value::Object(mut fields) = patch.clone() else {
            return Err(Error::field("", "expected an object"));
        };
        let mut base = self.clone();
        let mut wrong = Vec::new();
        match fields.remove("preset") {
            None => {}
            Some(Value::String(preset)) if preset == "auto_auto" => {
                base.auto_bypass.enabled = true;
                base.auto_record.enabled = true;
            }
            Some(_) => wrong.push(FieldError {
                pointer: "/preset".to_owned(),
                detail: "there is only \"auto_auto\"".to_owned(),
            }),
        }
        let before = serde_json::to_value(&base).map_err(internal)?;
        let mut whole = before.clone();
        merge(&mut whole, &Value::Object(fields.clone()));
        // Mostly all is well; only what is not is looked at field by field.
        let made = match serde_json::from_value::<Self>(whole) {
            Ok(made) => made,
            Err(_) => super::policy_patch::lay(before, &fields, &mut wrong).map_err(internal)?,
        };
        if let Err(error) = made.check() {
            wrong.extend(error.fields);
        }
        match wrong.is_empty() {
            true => Ok(made),
            false => Err(Error::fields(wrong)),
        }
    }

    /// # Errors
    /// [`Reason::FieldInvalid`] names all fields that are out of range.
    pub fn check(&self) -> Result<(), Error> {
        let mut wrong = Vec::new();
        let mut at_most = |pointer: &str, value: u32, most: u32| {
            if value > most {
                let detail = format!("{value} is more than {most}");
                wrong.push(FieldError {
                    pointer: pointer.to_owned(),
                    detail,
                });
            }
        };
        at_most("/start_min_interval_s", self.start_min_interval_s, 3_600);
        at_most("/start_retry_s", self.start_retry_s, 3_600);
        at_most("/reconnect_window_s", self.reconnect_window_s, 3_600);
        at_most("/viewer_end_grace_s", self.viewer_end_grace_s, 3_600);
        at_most(
            "/channel_retention_s",
            self.channel_retention_s,
            30 * 86_400,
        );
        at_most("/room_idle_s", self.room_idle_s, 86_400);
        at_most("/record_idle_s", self.record_idle_s, 86_400);
        at_most("/max_channels", self.max_channels, 1_000_000);
        at_most("/max_targets", self.max_targets, 100);
        at_most("/auto_record/segment_s", self.auto_record.segment_s, 86_400);
        at_most(
            "/auto_record/hls_resume_s",
            self.auto_record.hls_resume_s,
            1_800,
        );
        match wrong.is_empty() {
            true => Ok(()),
            false => Err(Error::fields(wrong)),
        }
    }

    /// This policy as a stream that a rule names has it.
    #[must_use]
    pub fn ruled(mut self, rule: &Rule, template: Option<&RecordTemplate>) -> Self {
        if let Some(bypass) = rule.bypass {
            self.auto_bypass.enabled = bypass;
        }
        if let Some(template) = template {
            // A template without a format: this stream is not recorded.
            self.auto_record.enabled = !template.formats.is_empty();
            self.auto_record.formats.clone_from(&template.formats);
            self.auto_record.media = template.media;
            self.auto_record.segment_s = template.segment_s;
            self.auto_record.hls_resume_s = template.hls_resume_s;
        }
        self
    }

    /// [`Policy::reconnect_window_s`].
    #[must_use]
    pub fn reconnect_window(&self) -> Duration {
        Duration::from_secs(self.reconnect_window_s.into())
    }
}

fn internal(error: serde_json::Error) -> Error {
    Error::new(Reason::OperationInternal, error.to_string())
}

/// RFC 7396; a `null` that would remove a field makes it missing, which is then an error.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let (Value::Object(target), Value::Object(patch)) = (&mut *target, patch) else {
        *target = patch.clone();
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// What a rule says about recording.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordTemplate {
    /// Containers; none means that the stream is not recorded.
    pub formats: Vec<Format>,
    /// Which tracks.
    pub media: Media,
    /// When the next file begins, in seconds.
    pub segment_s: u32,
    /// How long an HLS recording waits for its publisher, in seconds.
    #[serde(default)]
    pub hls_resume_s: u32,
}

/// An exception to the policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// For this app only.
    pub app_id: Option<String>,
    /// For this stream code only.
    pub stream_id: Option<String>,
    /// Recording after this template.
    pub template: Option<String>,
    /// Whether automatic bypass is on.
    pub bypass: Option<bool>,
}

impl Rule {
    /// How much it is to be preferred to others that match: app + stream, stream, app, all.
    #[must_use]
    pub fn rank(&self) -> u8 {
        u8::from(self.app_id.is_some()) + 2 * u8::from(self.stream_id.is_some())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let base = Policy::default();
        let patch = json!({"auto_bypass": {"enabled": true}, "reconnect_window_s": 5});
        let made = base.patched(&patch).unwrap();
        assert!(made.auto_bypass.enabled);
        assert_eq!(made.reconnect_window_s, 5);
        assert_eq!(made.auto_bypass.sources, base.auto_bypass.sources);
        assert_eq!(made.auto_record, base.auto_record);
        assert_eq!(base.patched(&json!({})).unwrap(), base);
    }

    #[test]
    fn the_recommended_preset_turns_both_on() {
        let made = Policy::default()
            .patched(&json!({"preset": "auto_auto"}))
            .unwrap();
        assert!(made.auto_bypass.enabled && made.auto_record.enabled);
    }

    #[test]
    fn unknown_fields_wrong_types_and_ranges_are_refused() {
        for bad in [
            json!({"reconect_window_s": 5}),
            json!({"reconnect_window_s": -1}),
            json!({"reconnect_window_s": 3601}),
            json!({"reconnect_window_s": null}),
            json!({"auto_record": {"formats": ["avi"]}}),
            json!({"preset": "x"}),
            json!([]),
        ] {
            let error = Policy::default().patched(&bad).unwrap_err();
            assert_eq!(error.reason, Reason::FieldInvalid, "{bad}");
        }
    }

    #[test]
    fn every_wrong_field_of_a_patch_is_named_where_it_stands() {
        let bad = json!({
            "preset": "all",
            "reconect_window_s": 5,
            "room_idle_s": "soon",
            "record_idle_s": 90_000,
            "max_channels": null,
            "auto_record": {"formats": ["mp4", "avi", 7], "segment_s": -1, "media": "av", "x/~y": 1},
            "auto_bypass": true,
            "compat_matrix": true,
        });
        let error = Policy::default().patched(&bad).unwrap_err();
        let fields: Vec<(&str, &str)> = error
            .fields
            .iter()
            .map(|field| (field.pointer.as_str(), field.detail.as_str()))
            .collect();
        let mut pointers: Vec<&str> = fields.iter().map(|(pointer, _)| *pointer).collect();
        pointers.sort_unstable();
        assert_eq!(
            pointers,
            [
                "/auto_bypass",
                "/auto_record/formats/1",
                "/auto_record/formats/2",
                "/auto_record/segment_s",
                "/auto_record/x~1~0y",
                "/max_channels",
                "/preset",
                "/reconect_window_s",
                "/record_idle_s",
                "/room_idle_s",
            ],
            "{fields:#?}"
        );
        let of = |wanted: &str| fields.iter().find(|(at, _)| *at == wanted).unwrap().1;
        assert_eq!(of("/auto_bypass"), "expected an object");
        assert_eq!(of("/max_channels"), "cannot be null");
        assert_eq!(of("/reconect_window_s"), "is not known");
        assert_eq!(of("/record_idle_s"), "90000 is more than 86400");
        assert!(of("/room_idle_s").contains("expected u32"), "{fields:?}");
        assert!(of("/auto_record/formats/1").contains("avi"), "{fields:?}");
    }
}
