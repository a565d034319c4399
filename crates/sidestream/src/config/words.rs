//! Settings that are one of several words.

use std::time::Duration;

use control::admission::{GateMode, OnError};
use hls::Container;

use super::control_plane::StateIn;
use super::quantity::{QuantityKind, parse_duration, show_duration};
use super::setting::{Setting, Wrong, read_quantity, read_word, read_words, show_words};
use super::value::{Kind, Value};

/// What happens when a second publisher comes for a stream whose publisher is healthy. One that
/// has sent nothing for two seconds gives way in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// The first stays, the newcomer is told.
    #[default]
    Refuse,
    /// The newcomer takes over.
    Replace,
}

/// What happens to a publish that nobody announced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownPublish {
    /// It becomes a stream in the mode `open`, and is refused in the mode `keyed`.
    #[default]
    Auto,
    /// It becomes a stream.
    Adopt,
    /// It is refused.
    Reject,
}

/// How frames are merged into writes to viewers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Batch {
    /// At once while there are few viewers, merged as load grows.
    #[default]
    Auto,
    /// One write per video frame.
    Frame,
    /// One write per this much time; zero writes every message at once.
    Time(Duration),
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

macro_rules! words {
    ($type:ty { $($word:literal => $variant:path),+ $(,)? }) => {
        impl Setting for $type {
            const PLAIN: bool = true;
            fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
                read_word(name, value, &[$(($word, $variant)),+])
            }
            fn show(&self) -> String {
                match self { $($variant => concat!("\"", $word, "\"")),+ }.to_owned()
            }
        }
    };
}

words!(OnConflict { "refuse" => OnConflict::Refuse, "replace" => OnConflict::Replace });
words!(UnknownPublish {
    "auto" => UnknownPublish::Auto,
    "adopt" => UnknownPublish::Adopt,
    "reject" => UnknownPublish::Reject,
});
words!(GateMode {
    "open" => GateMode::Open,
    "txsecret" => GateMode::TxSecret,
    "key" => GateMode::Key,
    "webhook" => GateMode::Webhook,
});
words!(OnError { "deny" => OnError::Deny, "allow" => OnError::Allow });
words!(LogFormat { "text" => LogFormat::Text, "json" => LogFormat::Json });

words!(StateIn { "auto" => StateIn::Auto, "disk" => StateIn::Disk, "memory" => StateIn::Memory });

impl Setting for Batch {
    const PLAIN: bool = true;
    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        match &value.kind {
            Kind::Text(text) if text == "auto" => Ok(Self::Auto),
            Kind::Text(text) if text == "frame" => Ok(Self::Frame),
            Kind::Text(text) if text.starts_with(|c: char| c.is_alphabetic()) => {
                let words = [("auto", Self::Auto), ("frame", Self::Frame)];
                read_word(name, value, &words).map_err(|wrong| Wrong {
                    what: format!("{}; or write a duration: \"50ms\"", wrong.what),
                    ..wrong
                })
            }
            _ => read_quantity(
                name,
                value,
                QuantityKind::Duration,
                Self::Time(Duration::ZERO),
                |text| parse_duration(text).map(Self::Time),
            ),
        }
    }
    fn show(&self) -> String {
        match self {
            Self::Auto => "\"auto\"".to_owned(),
            Self::Frame => "\"frame\"".to_owned(),
            Self::Time(time) => format!("\"{}\"", show_duration(*time)),
        }
    }
}

/// What a container is called in settings and in the API.
pub(crate) fn container_word(container: Container) -> &'static str {
    match container {
        Container::Fmp4 => "fmp4",
        Container::Ts => "ts",
    }
}

impl Setting for Vec<Container> {
    const PLAIN: bool = false;

    fn read(name: &str, value: &Value) -> Result<Self, Wrong> {
        let words = Container::ALL.map(|one| (container_word(one), one));
        read_words(name, value, "containers", &words)
    }

    fn show(&self) -> String {
        show_words(self.iter().map(|one| container_word(*one)))
    }
}
