//! What a viewer says: pings, goodbyes, pauses.

use std::task::{Context, Poll};
use std::time::Instant;

use rtmp::ServerEvent;
use tokio::io::ReadBuf;

use super::{Gone, Viewer};
use crate::entry::Entry;
use crate::window::Window;
use crate::ws::WsEvent;

/// Reads from one viewer in a row: a flood of pings must not keep a worker busy.
const MAX_READS: usize = 4;
/// Bytes of answers that may wait for its socket. Bounds: a flood of pings from a player that does
/// not read.
const MAX_ANSWERS: usize = 64 << 10;

impl Viewer {
    /// Reads what it sent and obeys.
    pub(crate) fn read(
        &mut self,
        window: &Window,
        now: Instant,
        scratch: &mut [u8],
    ) -> Result<(), Gone> {
        let mut cx = Context::from_waker(&self.waker);
        if let Poll::Ready(reason) = self.handle.poll_dropped(&mut cx) {
            return Err(Gone::Dropped(reason));
        }
        for _ in 0..MAX_READS {
            let mut buf = ReadBuf::new(scratch);
            let mut cx = Context::from_waker(&self.waker);
            match self.socket.poll_read(&mut cx, &mut buf) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Err(error)) => return Err(Gone::Io(error)),
                Poll::Ready(Ok(())) if buf.filled().is_empty() => return Err(Gone::Left),
                Poll::Ready(Ok(())) => self.input(window, now, buf.filled())?,
            }
        }
        // More may be there: come back after the others.
        self.waker.wake_by_ref();
        Ok(())
    }

    fn input(&mut self, window: &Window, now: Instant, bytes: &[u8]) -> Result<(), Gone> {
        if self.closing_since.is_some() {
            return Ok(());
        }
        let Some(session) = &mut self.session else {
            return self.web_socket_input(window, bytes);
        };
        session.handle_input(now, bytes).map_err(Gone::Rtmp)?;
        self.obey(window)
    }

    /// Answers pings and hears goodbyes; other HTTP viewers have nothing to say.
    fn web_socket_input(&mut self, window: &Window, mut bytes: &[u8]) -> Result<(), Gone> {
        let Some(mut input) = self.ws_input.take() else {
            return Ok(());
        };
        while let Some(event) = input.next(&mut bytes) {
            match event {
                WsEvent::Ping(pong) => self.place.say(window, Entry::Raw(pong.into())),
                WsEvent::Close => return Err(Gone::Left),
            }
        }
        self.ws_input = Some(input);
        self.check_answers()
    }

    /// Lets time pass for its session.
    pub(crate) fn timeout(&mut self, window: &Window, now: Instant) -> Result<(), Gone> {
        let Some(session) = &mut self.session else {
            return Ok(());
        };
        if session.poll_timeout().is_some_and(|at| at <= now) {
            session.handle_timeout(now).map_err(Gone::Rtmp)?;
            self.obey(window)?;
        }
        Ok(())
    }

    fn obey(&mut self, window: &Window) -> Result<(), Gone> {
        let mut left = false;
        while let Some(event) = self
            .session
            .as_mut()
            .and_then(|session| session.poll_event())
        {
            let session = self.session.as_mut().expect("it just gave an event");
            match event {
                ServerEvent::StopPlay { message_stream_id } => {
                    left |= message_stream_id == self.message_stream_id;
                }
                ServerEvent::Pause {
                    message_stream_id,
                    paused,
                } if message_stream_id == self.message_stream_id => {
                    self.place.pause(window, paused);
                }
                ServerEvent::ReceiveAudio { on, .. } => self.wants.audio = on,
                ServerEvent::ReceiveVideo { on, .. } => self.wants.video = on,
                ServerEvent::Publish(request) => {
                    let why = "this connection plays; publish on another one";
                    let id = request.message_stream_id;
                    session
                        .reject_publish(id, "NetStream.Publish.Denied", why)
                        .map_err(Gone::Rtmp)?;
                }
                ServerEvent::Play(request) => {
                    let why = "this connection plays already; open another one";
                    let id = request.message_stream_id;
                    session
                        .reject_play(id, "NetStream.Play.Failed", why)
                        .map_err(Gone::Rtmp)?;
                }
                _ => {}
            }
        }
        self.take_answers(window)?;
        if left { Err(Gone::Left) } else { Ok(()) }
    }

    pub(super) fn take_answers(&mut self, window: &Window) -> Result<(), Gone> {
        while let Some(bytes) = self
            .session
            .as_mut()
            .and_then(|session| session.poll_transmit())
        {
            self.place.say(window, Entry::Raw(bytes));
        }
        self.check_answers()
    }

    /// Answers that it does not read are bounded.
    fn check_answers(&self) -> Result<(), Gone> {
        let waiting = self.place.own_bytes();
        if waiting > MAX_ANSWERS {
            return Err(Gone::Flood(waiting));
        }
        Ok(())
    }
}
