//! What a recording may be asked to be.

use std::time::Duration;

use media::StreamName;

use crate::clock::UnixMs;
use crate::error::{Error, Reason};
use crate::model::{Format, Media, Policy, RecordSpec};
use crate::request::{RecordAsk, RecordStart, Warning};

/// The classic service's files: 90 minutes.
const COMPAT_SEGMENT_S: u32 = 5_400;
/// How long a scheduled recording may be, and how far ahead it may begin.
const LONGEST: Duration = Duration::from_hours(24);
const AHEAD: Duration = Duration::from_hours(6 * 24);

pub(super) fn check_times(ask: &RecordStart, now: UnixMs) -> Result<(), Error> {
    let begin = ask.start_at.unwrap_or(now);
    if begin > now.plus(AHEAD) {
        return Err(Error::field("/start_at", "more than 6 days ahead"));
    }
    if ask.end_at.is_some_and(|end| end <= begin.max(now)) {
        return Err(Error::field(
            "/end_at",
            "not after the start and in the future",
        ));
    }
    if ask.end_at.is_some_and(|end| end > begin.plus(LONGEST)) {
        return Err(Error::field("/end_at", "more than 24 h after the start"));
    }
    if ask.start_at.is_some_and(|at| at > now) && ask.end_at.is_none() {
        return Err(Error::field(
            "/end_at",
            "a scheduled recording needs an end",
        ));
    }
    Ok(())
}

pub(super) fn manual_spec(
    ask: &RecordStart,
    policy: &Policy,
    warnings: &mut Vec<Warning>,
) -> Result<RecordSpec, Error> {
    if let Some(name) = &ask.file_name {
        check_file_name(name)?;
    } else if ask.compat {
        return Err(Error::new(
            Reason::FileNameMissing,
            "a manual recording needs a file name",
        ));
    }
    if ask.tags.len() > 16 || ask.tags.iter().any(|tag| tag.chars().count() > 64) {
        return Err(Error::field("/tags", "at most 16 tags of 64 characters"));
    }
    let compat = ask.compat || policy.compat_matrix;
    let formats = if ask.formats.is_empty() {
        vec![Format::Mp4]
    } else {
        ask.formats.clone()
    };
    let asked = RecordAsk {
        formats,
        media: ask.media,
        segment_s: ask.segment_s,
        record_id: ask.record_id,
    };
    check_ask(&asked)?;
    let mut spec = RecordSpec {
        file_name: ask.file_name.clone(),
        tags: ask.tags.clone(),
        class_id: ask.class_id,
        callback: ask.callback,
        ..spec_of(&asked, policy)
    };
    if compat {
        let classic = RecordSpec {
            formats: vec![Format::Mp4],
            segment_s: COMPAT_SEGMENT_S,
            callback: false,
            ..spec.clone()
        };
        if classic != spec && !ask.compat {
            warnings.push(Warning::CompatMatrix);
        }
        spec = classic;
    }
    Ok(spec)
}

fn check_file_name(name: &str) -> Result<(), Error> {
    if name.chars().count() > 100 {
        return Err(Error::field("/file_name", "more than 100 characters"));
    }
    // What is safe as a stream's name is safe in a path.
    match StreamName::parse("recordings", &name.replace(' ', "_")) {
        Ok(_) if !name.contains('%') => Ok(()),
        Ok(_) => Err(Error::field("/file_name", "contains \"%\"")),
        Err(error) => Err(Error::field("/file_name", error.to_string())),
    }
}

/// # Errors
/// [`Reason::FormatUnsupported`], [`Reason::FieldInvalid`].
pub(super) fn check_ask(ask: &RecordAsk) -> Result<(), Error> {
    if ask.formats.contains(&Format::Aac) && ask.media != Media::Audio {
        let detail = "aac holds sound only; ask for media \"audio\" with it";
        return Err(Error::new(Reason::FormatUnsupported, detail));
    }
    let mut seen = Vec::new();
    for format in &ask.formats {
        if seen.contains(format) {
            return Err(Error::field(
                "/formats",
                format!("{format} stands there twice"),
            ));
        }
        seen.push(*format);
    }
    match ask.segment_s {
        Some(length) if !(10..=86_400).contains(&length) => {
            Err(Error::field("/segment_s", "expected 10 to 86400 seconds"))
        }
        _ => Ok(()),
    }
}

pub(super) fn spec_of(ask: &RecordAsk, policy: &Policy) -> RecordSpec {
    RecordSpec {
        formats: ask.formats.clone(),
        media: ask.media,
        segment_s: ask.segment_s.unwrap_or(policy.auto_record.segment_s),
        file_name: None,
        tags: Vec::new(),
        class_id: 0,
        record_id: ask.record_id,
        callback: true,
    }
}
