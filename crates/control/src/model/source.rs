//! What a member publishes.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::clock::UnixMs;
pub use crate::credential::Source;

impl Source {
    /// The number of the classic interfaces: 0 camera, 1 auxiliary.
    #[must_use]
    pub fn number(self) -> u32 {
        self as u32
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        word.parse().map_err(serde::de::Error::custom)
    }
}

impl ToSql for Source {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_str().into())
    }
}

impl FromSql for Source {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map_err(FromSqlError::other)
    }
}

/// A publish that runs, or ran last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The same in the start and in the end of one publish; unique.
    pub sequence: u64,
    /// Since when, milliseconds of the Unix epoch.
    pub since_ms: i64,
    /// The publisher's address, without its port.
    pub user_ip: Option<String>,
    /// How it came: `rtmp`, `rtmps`, `library`.
    pub protocol: String,
    /// What followed `?` in the publish URL.
    pub stream_param: String,
    /// Pixels, once known.
    pub width: Option<u32>,
    /// Pixels, once known.
    pub height: Option<u32>,
}

/// A source, as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceState {
    /// Its name in the hub: `{rtmp app}/{stream code}`.
    pub stream: String,
    /// The app.
    pub app_id: String,
    /// The room.
    pub room_id: String,
    /// The user.
    pub user_id: String,
    /// Which of the user's.
    pub source: Source,
    /// The publish that runs.
    pub session: Option<Session>,
    /// Until when nobody may publish it.
    pub forbidden_until: Option<UnixMs>,
    /// Why.
    pub forbid_reason: Option<String>,
    /// When a start for it was last accepted.
    pub last_start_at: Option<UnixMs>,
    /// When it was first heard of.
    pub created_at: UnixMs,
    /// When it last stopped publishing.
    pub offline_since: Option<UnixMs>,
}

impl SourceState {
    /// The stream code: its name without the RTMP app.
    #[must_use]
    pub fn stream_id(&self) -> &str {
        self.stream
            .rsplit_once('/')
            .map_or(&self.stream, |(_, code)| code)
    }

    /// Whether publishing it is forbidden at this moment.
    #[must_use]
    pub fn is_forbidden(&self, now: UnixMs) -> bool {
        self.forbidden_until.is_some_and(|until| now < until)
    }
}
