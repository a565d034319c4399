//! What a client asks for: to publish, to play.

use std::sync::atomic::Ordering;
use std::time::Instant;

use hub::{Action, Ask, PublishError, Publisher, PublisherInfo, Verdict};
use media::{NameError, StreamName};
use rtmp::{PlayRequest, PublishRequest, ServerSession};

use super::{Connection, End, Next};
use crate::gather;
use crate::publishing::Publishing;

impl Connection {
    pub(super) async fn publish(
        &mut self,
        request: PublishRequest,
        session: &mut ServerSession,
    ) -> Result<(), End> {
        let id = request.message_stream_id;
        let query = request.query.clone().or_else(|| self.app_query.clone());
        let info = self.info(query.unwrap_or_default());
        let admitted = match self.name(&request.key) {
            Ok(name) => self
                .admit(Action::Publish, name, request.query)
                .await
                .map_err(Refusal::into_reason),
            Err(error) => Err(format!("{error}; choose another name")),
        };
        let refusal = match admitted {
            Err(why) => ("NetStream.Publish.Denied", why),
            Ok(name) => match self.claim(&name, info).await {
                Ok(publisher) => {
                    let publishing = Publishing::new(&self.shared, id, publisher);
                    self.publishing.push(publishing);
                    session.accept_publish(id)?;
                    return Ok(());
                }
                Err(error) => ("NetStream.Publish.BadName", error.to_string()),
            },
        };
        let (code, why) = refusal;
        self.shared
            .counters
            .refused_publishes
            .fetch_add(1, Ordering::Relaxed);
        session.reject_publish(id, code, &why)?;
        // Encoders wait for a close to try again; none tries again on the same connection.
        Err(End::Refused(why))
    }

    /// The stream for this publisher. What its owner sent may lie unread, and may be its goodbye:
    /// before a newcomer is refused, it is read.
    async fn claim(
        &self,
        name: &StreamName,
        info: PublisherInfo,
    ) -> Result<Publisher, PublishError> {
        let hub = &self.shared.hub;
        let first = hub.publish(name, info.clone(), Instant::now());
        let gather = self.shared.config.gather;
        // Also where the stream is hurried: it may be so since a moment ago.
        if matches!(first, Err(PublishError::Busy { .. })) && !gather.is_zero() {
            // Two ticks: it may also lie with the sender, whose Nagle algorithm lets it go when
            // what came before is read.
            tokio::time::sleep(gather * 2 + gather::STEP).await;
            return hub.publish(name, info, Instant::now());
        }
        first
    }

    pub(super) async fn play(
        &mut self,
        request: PlayRequest,
        session: &mut ServerSession,
    ) -> Result<Next, End> {
        let id = request.message_stream_id;
        let refused = |this: &Self| {
            this.shared
                .counters
                .refused_plays
                .fetch_add(1, Ordering::Relaxed)
        };
        if !self.publishing.is_empty() {
            refused(self);
            let why = "this connection publishes; play on another one";
            session.reject_play(id, "NetStream.Play.Failed", why)?;
            return Ok(Next::Continue);
        }
        let name = match self.name(&request.name) {
            Ok(name) => name,
            Err(error) => {
                refused(self);
                session.reject_play(id, "NetStream.Play.StreamNotFound", &error.to_string())?;
                return Err(End::Refused(error.to_string()));
            }
        };
        let name = match self.admit(Action::Play, name, request.query).await {
            Ok(name) => name,
            Err(refusal) => {
                refused(self);
                let code = match refusal {
                    Refusal::Denied(_) => "NetStream.Play.Failed",
                    Refusal::Absent(_) => "NetStream.Play.StreamNotFound",
                };
                let why = refusal.into_reason();
                session.reject_play(id, code, &why)?;
                return Err(End::Refused(why));
            }
        };
        // One that may wait is accepted at once: it is listened to like any other meanwhile.
        let stream = if self.shared.config.play_wait.is_zero() {
            self.shared.hub.stream(&name)
        } else {
            self.shared.hub.await_stream(&name)
        };
        let Some(stream) = stream else {
            refused(self);
            let why = format!("nobody publishes {name} yet; start the publisher");
            session.reject_play(id, "NetStream.Play.StreamNotFound", &why)?;
            return Err(End::Refused(why));
        };
        session.accept_play(id)?;
        Ok(Next::HandOn {
            stream,
            message_stream_id: id,
        })
    }

    /// The stream that a key names here. An empty key means that the client put all of it into
    /// the app, as people do who paste a whole URL into OBS's "Server" field.
    fn name(&self, key: &str) -> Result<StreamName, NameError> {
        if key.is_empty() {
            StreamName::from_path(&self.app)
        } else {
            StreamName::parse(&self.app, key)
        }
    }

    /// Asks whether the peer may do this; gives the name of the stream that it gets.
    async fn admit(
        &self,
        action: Action,
        name: StreamName,
        query: Option<String>,
    ) -> Result<StreamName, Refusal> {
        let mut ask = Ask::new(action, name.clone(), self.protocol);
        ask.peer = Some(self.peer);
        ask.query = query.or_else(|| self.app_query.clone()).map(Into::into);
        // A decision that does not come must not hold a connection for ever.
        let limit = self.shared.config.limits.setup_time;
        match tokio::time::timeout(limit, self.shared.authorizer.authorize(ask)).await {
            Ok(Verdict::AllowAs(stream)) if action == Action::Publish => Ok(stream),
            Ok(Verdict::Allow | Verdict::AllowAs(_) | Verdict::AllowLinks(_)) => Ok(name),
            Ok(Verdict::Deny(why)) => Err(Refusal::Denied(why.into())),
            Ok(Verdict::Absent) => Err(Refusal::Absent(format!("no stream {name}"))),
            Err(_) => {
                let why = "permission was not decided in time; try again";
                Err(Refusal::Denied(why.to_owned()))
            }
        }
    }

    fn info(&self, query: String) -> PublisherInfo {
        PublisherInfo {
            protocol: self.protocol,
            peer: Some(self.peer),
            client: self.client.clone(),
            conn: self.id.clone(),
            query: query.into(),
        }
    }
}

/// Why somebody is not let in.
enum Refusal {
    Denied(String),
    Absent(String),
}

impl Refusal {
    fn into_reason(self) -> String {
        match self {
            Self::Denied(why) | Self::Absent(why) => why,
        }
    }
}
