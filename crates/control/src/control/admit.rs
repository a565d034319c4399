//! Publish keys, and whose stream a publish is before it is let in.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use media::StreamName;
use rusqlite::Connection;

use super::place::{self, Asks};
use super::{Control, desired, policy, start};
use crate::admission::{Answers, Playable, Playables, Question, Recognised, Registry};
use crate::clock::UnixMs;
use crate::credential::{
    self, Directory, Identity, IssuedKey, KeyDigest, KeyUse, KeyUseError, Query, Secret, Via,
    new_publish_key,
};
use crate::error::{Error, Reason};
use crate::model::{Source, UnknownPublish};
use crate::request::Place;
use crate::settings::{Mode, Settings};
use crate::table::{publish_keys as table, sources};

/// How long a key opens when nothing else is asked for, and at most.
const USUAL_LIFE: Duration = Duration::from_hours(24);
const LONGEST_LIFE: Duration = Duration::from_hours(365 * 24);

/// How long keys are remembered after they expired, to say so.
const REMEMBERED: Duration = Duration::from_hours(24);

/// Asks for a key to publish with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueKey {
    /// The room.
    pub place: Place,
    /// The user.
    pub user_id: String,
    /// Camera or auxiliary stream.
    pub source: Source,
    /// How long it opens, up to a year; a day when absent.
    pub life: Option<Duration>,
    /// Whether it opens once only.
    pub once: bool,
    /// The caller's number for what is recorded of it.
    pub record_id: Option<u32>,
}

/// A key to publish with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The key: the stream key of the publish URL. It is not shown again.
    pub key: Secret,
    /// What follows the key in the publish URL, behind `?`.
    pub query: String,
    /// The stream that it becomes, by its name in the hub.
    pub stream: String,
    /// When it opens no longer.
    pub expires_at: UnixMs,
}

impl Control {
    /// Hands out a key that publishes as a member's source.
    ///
    /// # Errors
    /// [`Reason::AppUnknown`], [`Reason::RoomZero`], [`Reason::RoomClosed`],
    /// [`Reason::UserInvalid`], a life out of range.
    pub async fn issue_publish_key(&self, request: IssueKey) -> Result<Issued, Error> {
        let life = request.life.unwrap_or(USUAL_LIFE);
        if life < Duration::from_secs(1) || life > LONGEST_LIFE {
            return Err(Error::field("/ttl_s", "not between 1 s and 365 days"));
        }
        let key = new_publish_key().map_err(|error| {
            Error::new(
                Reason::OperationInternal,
                format!("no random bytes: {error}"),
            )
        })?;
        self.write(move |tx, settings| {
            let now = tx.now();
            let app_id = request.place.app_id.as_deref();
            let (app_id, app) = place::app(tx, settings, app_id, Asks::Service)?;
            let (room_id, room) = place::room(tx, &app_id, &request.place)?;
            let identity = place::identity(&room_id, &request.user_id, request.source)?;
            start::may_enter(tx, &app_id, room.as_ref(), &identity, false)?;
            let policy = policy::of_app(tx, settings, &app_id)?;
            let stream = place::stream(tx, settings, (&app_id, &app), &policy, &identity)?;
            known_source(tx, &app_id, &stream, &identity, now)?;
            let digest = KeyDigest::of(key.reveal()).ok_or_else(|| {
                Error::new(Reason::OperationInternal, "a key that is none was made")
            })?;
            let expires_at = now.plus(life);
            let user = STANDARD.encode(identity.user());
            let record = request.record_id.map(|id| format!("&cliRecoId={id}"));
            let query = format!(
                "groupid={}&userid={}{}",
                escaped(identity.room()),
                escaped(&user),
                record.unwrap_or_default()
            );
            let row = table::Row {
                app_id,
                stream: stream.clone(),
                key: IssuedKey {
                    identity,
                    record_id: request.record_id,
                    expires_unix: u64::try_from(expires_at.seconds()).ok(),
                    usage: match request.once {
                        true => KeyUse::Once { spent: false },
                        false => KeyUse::Many,
                    },
                },
            };
            table::prune(tx, now.minus(REMEMBERED))?;
            table::insert(tx, &digest, &row, expires_at)?;
            Ok(Issued {
                key,
                query,
                stream,
                expires_at,
            })
        })
        .await
    }

    /// Tells admission whose streams are; what players may have is said to `playables` by who
    /// carries out what should be.
    #[must_use]
    pub fn registry(&self, playables: Arc<Playables>) -> Arc<dyn Registry> {
        Arc::new(Known {
            control: self.clone(),
            playables,
        })
    }
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The stream's source is known from now on.
fn known_source(
    db: &Connection,
    app_id: &str,
    stream: &str,
    identity: &Identity,
    now: UnixMs,
) -> Result<(), Error> {
    if sources::get(db, stream)?.is_none() {
        let source = place::source(db, app_id, stream, identity, now)?;
        sources::put(db, &source)?;
    }
    Ok(())
}

struct Known {
    control: Control,
    playables: Arc<Playables>,
}

/// What the store says of one stream key.
struct Looked {
    issued: Option<Identity>,
    by_code: Option<Identity>,
}

impl Directory for Looked {
    fn issued(&self, _: &str) -> Option<Identity> {
        self.issued.clone()
    }

    fn by_code(&self, _: &str) -> Option<Identity> {
        self.by_code.clone()
    }
}

/// Whose stream a publish is; the inner error is a reason for the publisher.
fn recognise(
    db: &Connection,
    settings: &Settings,
    (name, query): (&StreamName, &str),
    now: UnixMs,
) -> Result<Result<Recognised, String>, Error> {
    let seconds = u64::try_from(now.seconds()).unwrap_or(0);
    let issued = match KeyDigest::of(name.stream()) {
        Some(digest) => table::get(db, &digest)?,
        None => None,
    };
    if let Some(row) = &issued
        && let Err(error) = row.key.check(seconds)
    {
        return Ok(Err(error.to_string()));
    }
    let source = sources::get(db, name.as_str())?;
    let looked = Looked {
        issued: issued.as_ref().map(|row| row.key.identity.clone()),
        by_code: source.as_ref().and_then(|source| {
            Identity::new(&*source.room_id, &*source.user_id, source.source).ok()
        }),
    };
    let app_id = source.map_or_else(|| settings.app_id.clone(), |source| source.app_id);
    let policy = policy::of_app(db, settings, &app_id)?;
    let rule = settings.code_rule(&policy, &app_id, &settings.bizid)?;
    let unknown = match policy.unknown_publish {
        UnknownPublish::Reject => credential::UnknownPublish::Reject,
        UnknownPublish::Adopt => credential::UnknownPublish::Adopt,
    };
    let query = Query::parse(query);
    let found = credential::resolve(name, &query, &looked, &rule, &app_id, unknown);
    let mut found = match found {
        Ok(found) => found,
        Err(error) => return Ok(Err(error.to_string())),
    };
    // The stream that the key was handed out for, whatever the rule says by now.
    if let Some(row) = issued
        && let Ok(stream) = StreamName::from_path(&row.stream)
    {
        found.stream = stream;
    }
    let target = sources::get(db, found.stream.as_str())?;
    if let Some(source) = target.filter(|source| source.is_forbidden(now)) {
        let reason = source.forbid_reason.unwrap_or_default();
        let until = source.forbidden_until.unwrap_or_default();
        let reason = match reason.is_empty() {
            true => format!("the stream is forbidden until {until}"),
            false => format!("the stream is forbidden until {until}: {reason}"),
        };
        return Ok(Err(reason));
    }
    Ok(Ok(Recognised {
        stream: found.stream,
        via: found.via,
        identity: Some(found.identity),
    }))
}

impl Registry for Known {
    fn recognise<'a>(&'a self, question: &'a Question) -> Answers<'a, Result<Recognised, String>> {
        Box::pin(async move {
            let now = self.control.now();
            let (name, query) = (question.name.clone(), question.query.clone());
            let found = self
                .control
                .read(move |db, settings| recognise(db, settings, (&name, &query), now))
                .await;
            match found {
                Ok(found) => found,
                // Without keys everything is let in: also when nothing can be looked up.
                Err(error) if self.control.mode() == Mode::Open => {
                    tracing::warn!(stream = %question.name, %error, "let in without a look");
                    Ok(Recognised {
                        stream: question.name.clone(),
                        via: Via::Adopted,
                        identity: None,
                    })
                }
                Err(error) => Err(format!("whose stream this is cannot be looked up: {error}")),
            }
        })
    }

    fn admit<'a>(
        &'a self,
        question: &'a Question,
        recognised: &'a Recognised,
    ) -> Answers<'a, Result<(), String>> {
        let Some(identity) = recognised.identity.clone() else {
            return Box::pin(std::future::ready(Ok(())));
        };
        let digest = KeyDigest::of(question.name.stream());
        let digest = digest.filter(|_| recognised.via == Via::IssuedKey);
        if !matches!(recognised.via, Via::IssuedKey | Via::PlainCode | Via::Query) {
            return Box::pin(std::future::ready(Ok(())));
        }
        let stream = recognised.stream.as_str().to_owned();
        Box::pin(async move {
            let noted = self.control.write(move |tx, settings| {
                let now = tx.now();
                if let Some(digest) = digest {
                    return table::spend(tx, &digest, now);
                }
                known_source(tx, &settings.app_id, &stream, &identity, now)?;
                Ok(true)
            });
            match noted.await {
                Ok(true) => Ok(()),
                Ok(false) => Err(KeyUseError::Spent.to_string()),
                Err(error) => Err(format!("the publish cannot be noted: {error}")),
            }
        })
    }

    fn playable(&self, stream: &StreamName) -> Playable {
        self.playables.of(stream)
    }

    fn password<'a>(&'a self, stream: &'a StreamName) -> Answers<'a, Option<Secret>> {
        Box::pin(async move {
            let (name, now) = (stream.as_str().to_owned(), self.control.now());
            let found = self
                .control
                .read(move |db, settings| desired::of(db, settings, &name, now))
                .await;
            match found {
                Ok(desired) => desired.password,
                Err(error) => {
                    tracing::warn!(%stream, %error, "whether there is a new password is unknown");
                    self.playables.of(stream).password
                }
            }
        })
    }
}
