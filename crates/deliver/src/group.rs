//! The viewers of one stream on one worker that share a framing.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use fanout::Ready;
use hub::{Frame, JoinAt, Received, Stream, Subscriber};
use media::Headers;
use rtmp::StreamEnd;
use tokio::time::Sleep;

use crate::config::Config;
use crate::counters::Counters;
use crate::encode::{Encoder, FlvEncoder, TsEncoder};
use crate::image::Images;
use crate::pace::{Pace, Work};
use crate::protocol::NewViewer;
use crate::viewer::{Gone, Viewer};
use crate::vitals::Vitals;
use crate::window::Window;

/// How often stalled viewers and session timeouts are looked for.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// Bytes read from a viewer at once: players send acknowledgements.
const READ_BYTES: usize = 4 << 10;

/// Viewers on their way into a group.
#[derive(Clone, Default)]
pub(crate) struct Inbox {
    state: Rc<RefCell<InboxState>>,
}

#[derive(Default)]
struct InboxState {
    viewers: Vec<NewViewer>,
    waker: Option<Waker>,
    closed: bool,
}

impl Inbox {
    /// Gives a viewer to the group, or back when the group is over.
    pub(crate) fn give(&self, viewer: Box<NewViewer>) -> Result<(), Box<NewViewer>> {
        let mut state = self.state.borrow_mut();
        if state.closed {
            return Err(viewer);
        }
        state.viewers.push(*viewer);
        if let Some(waker) = state.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    /// Whether the group is over.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.borrow().closed
    }
}

pub(crate) struct Group {
    stream: Arc<Stream>,
    /// The worker's, which may change at any time.
    config: Rc<Cell<Config>>,
    inbox: Inbox,
    ready: Arc<Ready>,
    subscriber: Subscriber,
    encoder: Encoder,
    window: Window,
    viewers: Vec<Option<Viewer>>,
    /// Numbers of those that left.
    free: Vec<usize>,
    count: usize,
    /// The worker's.
    vitals: Arc<Vitals>,
    counters: Arc<Counters>,
    ended: bool,
    /// The worker lagged: these headers are for the viewers that are there, with the next frame.
    rejoined: Option<Arc<Headers>>,
    pace: Pace,
    /// Of images that were written, to be used again.
    buffers: Vec<Vec<u8>>,
    housekeeping: Pin<Box<Sleep>>,
    frames: Vec<Arc<Frame>>,
    woken: Vec<usize>,
    scratch: Box<[u8]>,
}

impl Group {
    pub(crate) fn new(
        stream: Arc<Stream>,
        is_ts: bool,
        config: Rc<Cell<Config>>,
        inbox: Inbox,
        vitals: Arc<Vitals>,
        counters: Arc<Counters>,
        work: Rc<Work>,
    ) -> Self {
        let encoder = if is_ts {
            Encoder::Ts(Box::new(TsEncoder::new(stream.name().clone())))
        } else {
            Encoder::Flv(FlvEncoder::default())
        };
        let Config {
            max_lag,
            max_lag_bytes,
            ..
        } = config.get();
        let mut window = Window::new(0, 0);
        window.set_bounds(max_lag_bytes, max_lag);
        Self {
            subscriber: stream.subscribe(JoinAt::Newest),
            stream,
            inbox,
            ready: Arc::default(),
            encoder,
            window,
            pace: Pace::new(work),
            buffers: Vec::new(),
            config,
            viewers: Vec::new(),
            free: Vec::new(),
            count: 0,
            vitals,
            counters,
            ended: false,
            rejoined: None,
            housekeeping: Box::pin(tokio::time::sleep(HOUSEKEEPING)),
            frames: Vec::new(),
            woken: Vec::new(),
            scratch: vec![0; READ_BYTES].into(),
        }
    }

    /// Serves until the last viewer has gone.
    pub(crate) async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = timers_now();
        self.ready.take(&mut self.woken, cx.waker());
        self.take_in(cx);
        self.poll_stream(cx);
        let is_new = self.window.released() != self.window.next();
        if is_new && (self.ended || self.pace.is_due(self.config.get().batch, cx, now)) {
            self.flush(now);
            self.trim(now);
        }
        self.serve_woken(now);
        if self.ended {
            self.finish(now);
        }
        while self.housekeeping.as_mut().poll(cx).is_ready() {
            self.housekeeping
                .as_mut()
                .reset((now + HOUSEKEEPING).into());
            self.keep_house(now);
        }
        if self.count == 0 && self.inbox.state.borrow().viewers.is_empty() {
            self.inbox.state.borrow_mut().closed = true;
            return Poll::Ready(());
        }
        Poll::Pending
    }

    fn take_in(&mut self, cx: &mut Context<'_>) {
        let arrived = {
            let mut inbox = self.inbox.state.borrow_mut();
            inbox.waker = Some(cx.waker().clone());
            std::mem::take(&mut inbox.viewers)
        };
        for new in arrived {
            let number = self.free.pop().unwrap_or(self.viewers.len());
            match Viewer::new(
                new,
                &self.window,
                Arc::clone(&self.counters),
                self.ready.waker(number),
            ) {
                Ok(viewer) => {
                    match self.viewers.get_mut(number) {
                        Some(slot) => *slot = Some(viewer),
                        None => self.viewers.push(Some(viewer)),
                    }
                    self.count += 1;
                    self.woken.push(number);
                }
                Err(error) => {
                    if number < self.viewers.len() {
                        self.free.push(number);
                    }
                    self.vitals.viewers.fetch_sub(1, Ordering::Relaxed);
                    tracing::warn!(stream = %self.stream.name(), %error, "viewer lost");
                }
            }
        }
    }

    fn poll_stream(&mut self, cx: &mut Context<'_>) {
        while !self.ended {
            match self.subscriber.poll_read(cx, &mut self.frames) {
                Poll::Pending => return,
                Poll::Ready(Received::Frames) => {
                    if let (Some(headers), Some(first)) =
                        (self.rejoined.take(), self.frames.first())
                    {
                        self.encoder.rejoin(&headers, first, &mut self.window);
                    }
                    for frame in self.frames.drain(..) {
                        self.encoder.frame(&frame, &mut self.window);
                    }
                }
                Poll::Ready(Received::Join { headers, missed }) => {
                    if missed > 0 {
                        tracing::warn!(stream = %self.stream.name(), missed, "worker lagged");
                        self.rejoined = Some(headers);
                    } else {
                        self.encoder.join(&headers);
                    }
                }
                Poll::Ready(_) => self.ended = true,
            }
        }
    }

    /// Offers what is new to every viewer that is not waiting for its socket.
    fn flush(&mut self, now: Instant) {
        let from = self.window.released();
        self.window.release();
        let buffers = std::mem::take(&mut self.buffers);
        let mut images = Images::new(&self.window, from, self.count, buffers);
        let mut gone = Vec::new();
        for (number, slot) in self.viewers.iter_mut().enumerate() {
            let Some(viewer) = slot else { continue };
            if viewer.is_blocked() {
                continue;
            }
            let image = if viewer.is_at(from) {
                images.of(viewer.framing())
            } else {
                None
            };
            let written = match image {
                Some(image) => viewer.write_image(image, &self.window, now),
                None => viewer.write(&self.window, now),
            };
            if let Err(why) = written {
                gone.push((number, why));
            }
        }
        self.buffers = images.into_buffers();
        for (number, why) in gone {
            self.remove(number, &why);
        }
        self.pace.passed(now, timers_now());
    }

    fn serve_woken(&mut self, now: Instant) {
        let mut woken = std::mem::take(&mut self.woken);
        woken.sort_unstable();
        woken.dedup();
        for number in woken.drain(..) {
            let Some(Some(viewer)) = self.viewers.get_mut(number) else {
                continue;
            };
            let served = viewer
                .read(&self.window, now, &mut self.scratch)
                .and_then(|()| viewer.write(&self.window, now));
            if let Err(why) = served {
                self.remove(number, &why);
            }
        }
        self.woken = woken;
    }

    fn trim(&mut self, now: Instant) {
        let wanted = self
            .viewers
            .iter()
            .flatten()
            .filter_map(Viewer::wanted)
            .min();
        let first = self.window.first_after_trim(wanted.unwrap_or(u64::MAX));
        if wanted.is_some_and(|wanted| wanted < first) {
            for viewer in self.viewers.iter_mut().flatten() {
                if viewer.wanted().is_some_and(|wanted| wanted < first) {
                    viewer.cut_off(&self.window, now);
                }
            }
        }
        self.window.drop_before(first);
    }

    /// The stream is over: viewers that have everything are told, and go.
    fn finish(&mut self, now: Instant) {
        for number in 0..self.viewers.len() {
            let Some(Some(viewer)) = self.viewers.get_mut(number) else {
                continue;
            };
            viewer.finish(&self.window, StreamEnd::Unpublished);
            if let Err(why) = viewer.write(&self.window, now) {
                self.remove(number, &why);
            }
        }
    }

    fn keep_house(&mut self, now: Instant) {
        let config = self.config.get();
        self.window.set_bounds(config.max_lag_bytes, config.max_lag);
        for number in 0..self.viewers.len() {
            let Some(Some(viewer)) = self.viewers.get_mut(number) else {
                continue;
            };
            if viewer.has_waited_out(now, &self.stream) {
                viewer.finish(&self.window, StreamEnd::NotFound);
            }
            let kept = if viewer.has_lingered(now) {
                Err(Gone::Left)
            } else if viewer.is_stalled(now, config.stall_timeout) {
                Err(Gone::Stalled)
            } else {
                viewer.timeout(&self.window, now).and_then(|()| {
                    if viewer.is_blocked() {
                        Ok(())
                    } else {
                        viewer.write(&self.window, now)
                    }
                })
            };
            if let Err(why) = kept {
                self.remove(number, &why);
            }
        }
    }

    fn remove(&mut self, number: usize, why: &Gone) {
        let Some(viewer) = self.viewers.get_mut(number).and_then(Option::take) else {
            return;
        };
        self.free.push(number);
        self.count -= 1;
        self.vitals.viewers.fetch_sub(1, Ordering::Relaxed);
        if let Some(reason) = why.cut() {
            self.counters.count_cut(reason);
        }
        let stream = self.stream.name();
        let id = viewer.handle().id;
        match why {
            Gone::Left => tracing::debug!(%stream, viewer = id, "viewer left"),
            Gone::Io(error) => tracing::debug!(%stream, viewer = id, %error, "viewer lost"),
            Gone::Rtmp(error) => tracing::info!(%stream, viewer = id, %error, "viewer closed"),
            Gone::Stalled => tracing::info!(%stream, viewer = id, "viewer closed: it took nothing"),
            Gone::Flood(bytes) => {
                tracing::info!(%stream, viewer = id, bytes, "viewer closed: it reads no answers");
            }
            Gone::Dropped(reason) => {
                tracing::info!(%stream, viewer = id, %reason, "viewer dropped")
            }
        }
        viewer.close(why);
    }
}

impl Drop for Group {
    /// Also where a group ends by a panic: nobody must wait for it.
    fn drop(&mut self) {
        let waiting = {
            let mut inbox = self.inbox.state.borrow_mut();
            inbox.closed = true;
            std::mem::take(&mut inbox.viewers)
        };
        let gone = self.count + waiting.len();
        self.vitals.viewers.fetch_sub(gone, Ordering::Relaxed);
    }
}

/// The time of the timers: the system's, but in tests both may stand still.
fn timers_now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests;
