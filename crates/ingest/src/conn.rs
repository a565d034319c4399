//! One RTMP connection, from its first byte to its end or until a player is handed on.

mod end;
mod requests;

use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hub::{CloseCause, Revoked, Stream, ViewerInfo};
use media::TrackKind;
use rtmp::{ServerEvent, ServerSession};
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use crate::gather::Gather;
use crate::listener::{Player, Shared};
use crate::publishing::{Publishing, Stop};
use crate::socket::Socket;
use end::End;

/// How long the last answer of a connection may take to leave.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long a burst waits for those who record the stream or cut it: they need milliseconds.
const RELIEF: Duration = Duration::from_secs(1);
/// What a client calls itself is kept to this many bytes.
const CLIENT_BYTES: usize = 128;

/// A connection and what it does.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    id: Box<str>,
    peer: SocketAddr,
    protocol: &'static str,
    app: String,
    app_query: Option<String>,
    client: Box<str>,
    publishing: Vec<Publishing>,
    accepted: Instant,
    stop: CancellationToken,
    permit: OwnedSemaphorePermit,
}

/// What the connection does next.
enum Next {
    Continue,
    /// A player, to be handed on.
    HandOn {
        stream: Arc<Stream>,
        message_stream_id: u32,
    },
}

impl Connection {
    pub(crate) fn new(
        shared: Arc<Shared>,
        number: u64,
        peer: SocketAddr,
        protocol: &'static str,
        stop: CancellationToken,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            shared,
            id: format!("r{number:x}").into(),
            peer,
            protocol,
            app: String::new(),
            app_query: None,
            client: "".into(),
            publishing: Vec::new(),
            accepted: Instant::now(),
            stop,
            permit,
        }
    }

    pub(crate) async fn run(mut self, mut socket: Socket) {
        let config = &self.shared.config;
        // The time for the set-up includes that of a TLS handshake before.
        let now = self.accepted;
        let mut session = Box::new(ServerSession::new(
            Arc::clone(&config.session),
            config.limits,
            now,
        ));
        let answer_time = config.answer_time;
        let stop = self.stop.clone();
        let end = match self.serve(&mut socket, &mut session, &stop).await {
            Ok((stream, message_stream_id)) => {
                let info = ViewerInfo {
                    protocol: self.protocol,
                    peer: Some(self.peer),
                    client: self.client,
                    since: Instant::now(),
                };
                let player = Player {
                    stream,
                    socket,
                    session,
                    message_stream_id,
                    info,
                    wait: self.shared.config.play_wait,
                    permit: self.permit,
                };
                return self.shared.players.play(player);
            }
            Err(end) => end,
        };
        self.log(&end);
        self.leave(&end, &mut session);
        // What the session has to say last: why it ends. The peer may not be reading.
        let farewell = async {
            if send(&mut socket, &mut session, answer_time).await.is_err() {
                return;
            }
            socket.shutdown().await;
            // Closing over unread input resets the connection, and the peer may then never see
            // what was said last: input is thrown away until the peer closes, too.
            while let Ok(Some(())) = socket.read_with(|_| ()).await {}
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }

    /// Serves until the end, or until a play was accepted.
    async fn serve(
        &mut self,
        socket: &mut Socket,
        session: &mut ServerSession,
        stop: &CancellationToken,
    ) -> Result<(Arc<Stream>, u32), End> {
        let mut timer = pin!(tokio::time::sleep_until(deadline(session)));
        // Kept over the loop: a new one would enter the list that all connections share each time.
        let mut stopped = pin!(stop.cancelled());
        let mut gather = Gather::new(self.shared.config.gather, self.shared.started);
        loop {
            // All branches are cancel safe: a read consumes only when it returns, the others
            // change nothing. The order is by likelihood.
            tokio::select! {
                biased;
                read = socket.read_with(|bytes| session.handle_input(Instant::now(), bytes)) => {
                    match read? {
                        None => return Err(End::Closed),
                        Some(result) => result?,
                    }
                    // A peer that sends at line rate must not outrun the timer.
                    let now = Instant::now();
                    if now >= timer.deadline().into_std() {
                        session.handle_timeout(now)?;
                        timer.as_mut().reset(deadline(session));
                    }
                }
                () = timer.as_mut() => {
                    let now = Instant::now();
                    session.handle_timeout(now)?;
                    // Input moves the deadline away; the timer follows only when it fires.
                    timer.as_mut().reset(deadline(session));
                }
                (message_stream_id, why) = revoked(&self.publishing) => {
                    session.end_publish(message_stream_id, "NetStream.Publish.Failed", &why.to_string());
                    return Err(End::Stopped(why.into()));
                }
                () = gather.tick() => {
                    let read = socket.try_read_with(|bytes| session.handle_input(Instant::now(), bytes))?;
                    match read {
                        None => {}
                        Some(None) => return Err(End::Closed),
                        Some(Some(result)) => result?,
                    }
                }
                () = stopped.as_mut() => return Err(End::Draining),
            }
            while let Some(event) = session.poll_event() {
                let next = self.handle(event, session).await?;
                if let Next::HandOn {
                    stream,
                    message_stream_id,
                } = next
                {
                    send(socket, session, self.shared.config.answer_time).await?;
                    return Ok((stream, message_stream_id));
                }
                // The end of a publish brings it near.
                if deadline(session) < timer.deadline() {
                    timer.as_mut().reset(deadline(session));
                }
            }
            send(socket, session, self.shared.config.answer_time).await?;
            for one in &self.publishing {
                relieved(one.publisher.stream()).await;
            }
            gather.update(|| self.is_hurried(), socket);
        }
    }

    /// Whether what comes must be read at once: also while it publishes nothing yet.
    fn is_hurried(&self) -> bool {
        let hurried = |one: &Publishing| one.publisher.stream().is_hurried();
        self.publishing.is_empty() || self.publishing.iter().any(hurried)
    }

    async fn handle(
        &mut self,
        event: ServerEvent,
        session: &mut ServerSession,
    ) -> Result<Next, End> {
        match event {
            ServerEvent::Video {
                message_stream_id,
                timestamp,
                payload,
            } => {
                self.media(
                    TrackKind::Video,
                    message_stream_id,
                    timestamp,
                    &payload,
                    session,
                )?;
            }
            ServerEvent::Audio {
                message_stream_id,
                timestamp,
                payload,
            } => {
                self.media(
                    TrackKind::Audio,
                    message_stream_id,
                    timestamp,
                    &payload,
                    session,
                )?;
            }
            ServerEvent::Data {
                message_stream_id,
                timestamp,
                name,
                payload,
            } => {
                let now = Instant::now();
                if let Some(publishing) = self.find(message_stream_id) {
                    let result = publishing.data(timestamp, &name, &payload, now);
                    stopped(result, message_stream_id, session)?;
                }
            }
            ServerEvent::Connect(request) => {
                self.client = shortened(&request.flash_ver);
                self.app = request.app;
                self.app_query = request.query;
                session.accept_connect()?;
            }
            ServerEvent::Publish(request) => self.publish(request, session).await?,
            ServerEvent::Unpublish {
                message_stream_id, ..
            } => {
                let index = self
                    .publishing
                    .iter()
                    .position(|publishing| publishing.message_stream_id == message_stream_id);
                if let Some(index) = index {
                    let publishing = self.publishing.swap_remove(index);
                    publishing.close(Instant::now(), CloseCause::Finished);
                }
            }
            ServerEvent::Play(request) => return self.play(request, session).await,
            _ => {}
        }
        Ok(Next::Continue)
    }

    fn media(
        &mut self,
        kind: TrackKind,
        message_stream_id: u32,
        timestamp: u32,
        body: &bytes::Bytes,
        session: &mut ServerSession,
    ) -> Result<(), End> {
        let publishing = self
            .publishing
            .iter_mut()
            .find(|publishing| publishing.message_stream_id == message_stream_id);
        let Some(publishing) = publishing else {
            return Ok(());
        };
        let counters = &self.shared.counters;
        let result = publishing.media(kind, timestamp, body, Instant::now(), counters);
        stopped(result, message_stream_id, session)
    }

    fn find(&mut self, message_stream_id: u32) -> Option<&mut Publishing> {
        self.publishing
            .iter_mut()
            .find(|publishing| publishing.message_stream_id == message_stream_id)
    }
}

/// Lets those who record the stream or cut it into segments keep up with a burst: what a publisher
/// could not send while its network was away comes at once. Meanwhile its socket is not read.
async fn relieved(stream: &hub::Stream) {
    // Nearly always, and then without a timer.
    let relieved = stream.poll_relieved(&mut Context::from_waker(Waker::noop()));
    if relieved.is_ready() {
        return;
    }
    let waits = poll_fn(|cx| stream.poll_relieved(cx));
    if tokio::time::timeout(RELIEF, waits).await.is_err() {
        stream.give_up_on_readers();
    }
}

/// Writes what the session has to say. A peer that asks and does not read the answers is cut off.
async fn send(socket: &mut Socket, session: &mut ServerSession, limit: Duration) -> io::Result<()> {
    while let Some(bytes) = session.poll_transmit() {
        tokio::time::timeout(limit, socket.write_all(&bytes)).await??;
    }
    Ok(())
}

/// When the session wants to be called next; far away when it does not.
fn deadline(session: &ServerSession) -> tokio::time::Instant {
    const NEVER: Duration = Duration::from_secs(3_600);
    session
        .poll_timeout()
        .unwrap_or_else(|| Instant::now() + NEVER)
        .into()
}

/// The first publisher of the connection that is sent away.
async fn revoked(publishing: &[Publishing]) -> (u32, Revoked) {
    if publishing.is_empty() {
        return pending().await;
    }
    poll_fn(|cx| {
        for one in publishing {
            if let Poll::Ready(why) = one.publisher.poll_revoked(cx) {
                return Poll::Ready((one.message_stream_id, why));
            }
        }
        Poll::Pending
    })
    .await
}

fn stopped(
    result: Result<(), Stop>,
    message_stream_id: u32,
    session: &mut ServerSession,
) -> Result<(), End> {
    result.map_err(|why| {
        session.end_publish(
            message_stream_id,
            "NetStream.Publish.Failed",
            &why.to_string(),
        );
        End::Stopped(why)
    })
}

fn shortened(text: &str) -> Box<str> {
    let printable = text.chars().filter(|ch| !ch.is_control());
    let mut out = String::new();
    for ch in printable {
        if out.len() + ch.len_utf8() > CLIENT_BYTES {
            break;
        }
        out.push(ch);
    }
    out.into()
}
