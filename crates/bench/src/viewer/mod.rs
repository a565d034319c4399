//! Viewers: one connection each, from connect to the end of the run.

mod flv;
mod hls;
mod parts;
mod raw;
mod rtmp;
mod stalled;
mod websocket;

use std::cell::RefCell;
use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::Error;
use crate::address::{Address, Protocol};
use crate::clock::now_ns;
use crate::plan::{Hls, Leave, Mode, View};
use crate::shared::Shared;
use crate::tally::{Tally, ViewerTally};
use crate::transport::Transport;
use crate::watch::{Progress, Taking, Watch};

/// Between two joins of a churning viewer of which the first failed.
const AFTER_FAILURE: Duration = Duration::from_millis(20);

/// What a viewer works with.
pub(crate) struct Seat<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) tally: &'a RefCell<Tally>,
    pub(crate) number: u32,
    pub(crate) address: Address,
    pub(crate) watch: Watch,
    /// It was counted as ready.
    is_ready: bool,
}

/// A connection that media comes over, with what it takes to read it.
enum Connection {
    Rtmp(Transport, rtmp::Player),
    Flv(Transport, flv::Reader),
    WebSocket(Transport, websocket::Reader),
    Raw(Transport, raw::Reader),
}

impl Connection {
    /// Whether a stream was asked for; only RTMP takes more than one step to it.
    fn has_asked(&self) -> bool {
        match self {
            Self::Rtmp(_, player) => player.has_asked(),
            Self::Flv(..) | Self::WebSocket(..) | Self::Raw(..) => true,
        }
    }
}

/// Watches until it fails, or joins again and again, as the plan has it.
pub(crate) async fn view(shared: &Shared, tally: &RefCell<Tally>, view: &View, number: u32) {
    match view.mode {
        Mode::Stay { stalled } => {
            let is_stalled = number >= view.viewers - stalled;
            let slot = (!is_stalled).then(|| {
                let mut tally = tally.borrow_mut();
                let stream = shared.plan.stream_of(number);
                tally.viewers.push(ViewerTally {
                    stream,
                    received: 0,
                });
                tally.viewers.len() - 1
            });
            if let Err(error) = stay(shared, tally, view, number, slot).await
                && !shared.is_over()
            {
                shared.viewers.one_failed();
                tally.borrow_mut().fail("viewer", &error);
            }
        }
        Mode::Churn { rate, leave } => {
            let goal = match leave {
                Leave::Key => Progress::Picture,
                Leave::Media => Progress::Media,
            };
            churn(shared, tally, view, number, rate, goal).await;
        }
        Mode::Wait => {
            if let Err(error) = wait(shared, tally, view, number).await
                && !shared.is_over()
            {
                shared.viewers.one_failed();
                shared.waiting.one_failed();
                tally.borrow_mut().fail("viewer", &error);
            }
        }
    }
}

async fn stay(
    shared: &Shared,
    tally: &RefCell<Tally>,
    view: &View,
    number: u32,
    slot: Option<usize>,
) -> Result<Infallible, Error> {
    let mut seat = Seat::new(shared, tally, view, number, slot)?;
    if seat.address.protocol == Protocol::Hls {
        return match view.hls {
            Hls::Segments => hls::follow(&mut seat).await,
            Hls::Parts => parts::follow(&mut seat).await,
        };
    }
    let limit = shared.plan.connect_timeout;
    let goal = match slot {
        Some(_) => Progress::Media,
        // A viewer stalls once it has a picture.
        None => Progress::Picture,
    };
    let mut connection = timeout(limit, seat.join(goal))
        .await
        .map_err(|_| Error::Timeout("media"))??;
    match slot {
        Some(_) => loop {
            seat.read(&mut connection).await?;
        },
        None => stalled::hold(&seat, connection).await,
    }
}

/// Asks for a stream that need not be there, waits for its first picture, and stays.
async fn wait(
    shared: &Shared,
    tally: &RefCell<Tally>,
    view: &View,
    number: u32,
) -> Result<Infallible, Error> {
    let mut seat = Seat::new(shared, tally, view, number, None)?;
    let ask = async {
        let mut connection = seat.connect().await?;
        while !connection.has_asked() {
            seat.read(&mut connection).await?;
        }
        Ok(connection)
    };
    let mut connection = timeout(shared.plan.connect_timeout, ask)
        .await
        .map_err(|_| Error::Timeout("the answer to connect"))
        .flatten()?;
    shared.waiting.one_ready();
    loop {
        seat.read(&mut connection).await?;
        if seat.watch.progress() == Progress::Picture {
            seat.ready();
        }
    }
}

async fn churn(
    shared: &Shared,
    tally: &RefCell<Tally>,
    view: &View,
    number: u32,
    rate: Option<f64>,
    goal: Progress,
) {
    let begun = Instant::now();
    let mut round = 0u32;
    loop {
        if let Some(rate) = rate {
            // The workers take turns.
            let turn = f64::from(round) * f64::from(view.viewers) + f64::from(number);
            let due = begun + Duration::try_from_secs_f64(turn / rate).unwrap_or(Duration::MAX / 4);
            sleep_until(due).await;
            round += 1;
        }
        if shared.is_leaving() {
            return;
        }
        let join = async {
            let mut seat = Seat::new(shared, tally, view, number, None)?;
            seat.join(goal).await
        };
        let joined = timeout(shared.plan.connect_timeout, join)
            .await
            .unwrap_or(Err(Error::Timeout("media")));
        let is_counted = shared.window().contains(now_ns());
        match joined {
            Ok(_) => {
                shared.viewers.one_ready();
                tally.borrow_mut().joins += u64::from(is_counted);
            }
            Err(error) => {
                shared.viewers.one_failed();
                {
                    let mut tally = tally.borrow_mut();
                    tally.joins_failed += u64::from(is_counted);
                    tally.fail("join", &error);
                }
                sleep(AFTER_FAILURE).await;
            }
        }
    }
}

impl<'a> Seat<'a> {
    fn new(
        shared: &'a Shared,
        tally: &'a RefCell<Tally>,
        view: &View,
        number: u32,
        slot: Option<usize>,
    ) -> Result<Self, Error> {
        let stream = shared.plan.stream_of(number);
        let audio_step_ms = shared.plan.audio_step_ms();
        Ok(Self {
            shared,
            tally,
            number,
            address: view.url.address(stream)?,
            watch: Watch::new(slot, stream, now_ns(), audio_step_ms),
            is_ready: false,
        })
    }

    /// Connects, and reads until there is what `goal` says.
    async fn join(&mut self, goal: Progress) -> Result<Connection, Error> {
        let mut connection = self.connect().await?;
        while self.watch.progress() < goal {
            self.read(&mut connection).await?;
        }
        if !self.shared.plan.is_churn() {
            self.ready();
        }
        Ok(connection)
    }

    async fn connect(&mut self) -> Result<Connection, Error> {
        let mut transport = self
            .shared
            .dialer
            .connect(&self.address, self.number)
            .await?;
        Ok(match self.address.protocol {
            Protocol::Rtmp => {
                let player = rtmp::Player::begin(&mut transport, &self.address).await?;
                Connection::Rtmp(transport, player)
            }
            Protocol::WebSocketFlv => {
                let reader = websocket::Reader::begin(&mut transport, &self.address).await?;
                Connection::WebSocket(transport, reader)
            }
            Protocol::Raw => Connection::Raw(transport, raw::Reader::default()),
            Protocol::HttpFlv | Protocol::Hls => {
                let reader = flv::Reader::begin(&mut transport, &self.address).await?;
                Connection::Flv(transport, reader)
            }
        })
    }

    /// Takes what comes next.
    async fn read(&mut self, connection: &mut Connection) -> Result<(), Error> {
        match connection {
            Connection::Rtmp(transport, player) => {
                self.take(transport, |input, taking| player.feed(input, taking))
                    .await?;
                player.answer(transport).await
            }
            Connection::Flv(transport, reader) => {
                self.take(transport, |input, taking| reader.feed(input, taking))
                    .await
            }
            Connection::WebSocket(transport, reader) => {
                self.take(transport, |input, taking| reader.feed(input, taking))
                    .await?;
                reader.answer(transport).await
            }
            Connection::Raw(transport, reader) => {
                self.take(transport, |input, taking| reader.feed(input, taking))
                    .await
            }
        }
    }

    async fn take(
        &mut self,
        transport: &mut Transport,
        mut feed: impl FnMut(&[u8], &mut Taking<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (watch, tally, shared) = (&mut self.watch, self.tally, self.shared);
        transport
            .read(|input| {
                let mut taking = Taking {
                    watch: &mut *watch,
                    tally: &mut tally.borrow_mut(),
                    window: shared.window(),
                    now_ns: now_ns(),
                };
                taking.bytes(input.len() as u64);
                feed(input, &mut taking)
            })
            .await?
    }

    /// Media came: the run need not wait for this one.
    fn ready(&mut self) {
        if !std::mem::replace(&mut self.is_ready, true) {
            self.shared.viewers.one_ready();
        }
    }
}
