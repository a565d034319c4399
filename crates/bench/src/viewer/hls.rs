//! HLS as a player reads it: the playlist again and again, each segment once, over one kept
//! connection (RFC 8216 §6.3). Whole segments; parts of low latency HLS are [`super::parts`]'.

use std::convert::Infallible;
use std::time::Duration;

use m3u8_rs::{MediaPlaylist, Playlist};
use tokio::time::{Instant, sleep_until};

use super::Seat;
use crate::Error;
use crate::address::Address;
use crate::clock::micros;
use crate::http::{Client, Fetched};
use crate::segment_frames::SegmentFrames;
use crate::watch::Taking;

/// Where a player begins: so many segments from the end.
const FROM_END: usize = 3;
/// Between two looks for a playlist that is not there yet.
pub(super) const RETRY: Duration = Duration::from_millis(200);
/// Answers in a row that are not playlists, before it is a failure.
const PATIENCE: u32 = 50;
/// Bounds of the pause between two looks, whatever the playlist says.
const PAUSE: (f64, f64) = (0.1, 10.0);
/// Longest playlist or init segment that is kept, in bytes.
const KEPT_BYTES: usize = 4 << 20;

/// Follows the stream until it fails or ends.
pub(super) async fn follow(seat: &mut Seat<'_>) -> Result<Infallible, Error> {
    let mut follower = Follower::new(seat);
    let give_up = Instant::now() + seat.shared.plan.connect_timeout;
    let mut failures = 0;
    loop {
        let began = Instant::now();
        match follower.look(seat).await? {
            Look::Again => {}
            Look::NotThere(answer) => {
                failures += 1;
                seat.tally.borrow_mut().http_errors += 1;
                if failures > PATIENCE || (!seat.is_ready && Instant::now() > give_up) {
                    return Err(answer);
                }
                sleep_until(began + RETRY).await;
            }
            Look::Playlist(playlist) => {
                failures = 0;
                let is_fresh = follower.take(seat, &playlist).await?;
                if playlist.end_list {
                    return Err(Error::Ended);
                }
                // RFC 8216 §6.3.4: a target duration after a change, half of it otherwise.
                let target = playlist.target_duration as f64;
                let pause = if is_fresh { target } else { target / 2.0 };
                sleep_until(began + Duration::from_secs_f64(pause.clamp(PAUSE.0, PAUSE.1))).await;
            }
        }
    }
}

enum Look {
    /// The address led to another one.
    Again,
    NotThere(Error),
    Playlist(Box<MediaPlaylist>),
}

pub(super) struct Follower {
    client: Client,
    pub(super) playlist: Address,
    /// Media sequence number of the next segment.
    next: Option<u64>,
    /// The init segment that was read last.
    init: Option<String>,
    frames: SegmentFrames,
}

impl Follower {
    pub(super) fn new(seat: &Seat<'_>) -> Self {
        Self {
            client: Client::new(seat.number),
            playlist: seat.address.clone(),
            next: None,
            init: None,
            frames: SegmentFrames::default(),
        }
    }

    /// Fetches the playlist.
    async fn look(&mut self, seat: &mut Seat<'_>) -> Result<Look, Error> {
        let address = self.playlist.clone();
        let (fetched, text) = self.fetch_whole(seat, &address).await?;
        if let (301..=308, Some(location)) = (fetched.answer.status, &fetched.answer.location) {
            self.playlist = address.join(location)?;
            return Ok(Look::Again);
        }
        if let Err(error) = fetched.answer.expect(200) {
            return Ok(Look::NotThere(error));
        }
        match m3u8_rs::parse_playlist_res(&text) {
            Ok(Playlist::MasterPlaylist(list)) => {
                let variant = list.variants.iter().find(|variant| !variant.is_i_frame);
                let variant = variant
                    .ok_or_else(|| Error::Protocol("the playlist has no variant".to_owned()))?;
                self.playlist = address.join(&variant.uri)?;
                Ok(Look::Again)
            }
            Ok(Playlist::MediaPlaylist(list)) => {
                if seat.shared.window().contains(fetched.ended_ns) {
                    let mut tally = seat.tally.borrow_mut();
                    tally.playlists += 1;
                    tally
                        .playlist
                        .add(micros(fetched.began_ns, fetched.ended_ns));
                }
                match list.segments.is_empty() {
                    true => Ok(Look::NotThere(Error::Timeout("the first segment"))),
                    false => Ok(Look::Playlist(Box::new(list))),
                }
            }
            Err(_) => Err(Error::Protocol("the answer is no playlist".to_owned())),
        }
    }

    /// Fetches what is new; whether anything was.
    async fn take(&mut self, seat: &mut Seat<'_>, list: &MediaPlaylist) -> Result<bool, Error> {
        let first = list.media_sequence;
        let end = first + list.segments.len() as u64;
        let start = end.saturating_sub(FROM_END as u64);
        let next = self.next.unwrap_or(start.max(first));
        if next < first {
            seat.tally.borrow_mut().segments_missed += first - next;
        }
        let next = next.max(first);
        let mut init = None;
        for (sequence, segment) in (first..).zip(&list.segments) {
            if let Some(map) = &segment.map {
                init = Some(&map.uri);
            }
            if sequence < next {
                continue;
            }
            if segment.byte_range.is_some() {
                return Err(Error::Protocol(
                    "segments are byte ranges, which are not read here".to_owned(),
                ));
            }
            if let Some(init) = init {
                self.init(seat, init).await?;
            }
            self.piece(seat, &segment.uri).await?;
            self.next = Some(sequence + 1);
        }
        // A list that began anew, at a server that was started again.
        self.next = self.next.map(|next| next.min(end));
        Ok(end > next)
    }

    /// Fetches the init segment, unless it is the one read last.
    pub(super) async fn init(&mut self, seat: &mut Seat<'_>, uri: &str) -> Result<(), Error> {
        if self.init.as_deref() != Some(uri) {
            let address = self.playlist.join(uri)?;
            let (fetched, bytes) = self.fetch_whole(seat, &address).await?;
            fetched.answer.expect(200)?;
            self.frames.init(&bytes);
            self.init = Some(uri.to_owned());
        }
        Ok(())
    }

    /// Fetches a segment, or a part of one.
    pub(super) async fn piece(&mut self, seat: &mut Seat<'_>, uri: &str) -> Result<(), Error> {
        let address = self.playlist.join(uri)?;
        let (tally, shared, watch) = (seat.tally, seat.shared, &mut seat.watch);
        let frames = &mut self.frames;
        frames.begin();
        let mut bytes = 0;
        let mut newest_sent_ns = None;
        let fetched = self
            .client
            .fetch(&shared.dialer, &address, &mut |part, now_ns| {
                let mut taking = Taking {
                    watch: &mut *watch,
                    tally: &mut tally.borrow_mut(),
                    window: shared.window(),
                    now_ns,
                };
                bytes += part.len() as u64;
                taking.bytes(part.len() as u64);
                frames.feed(part, &mut |stamp| {
                    newest_sent_ns = newest_sent_ns.max(stamp.map(|stamp| stamp.sent_ns));
                    taking.frame(stamp);
                });
                Ok(())
            })
            .await?;
        let mut taking = Taking {
            watch,
            tally: &mut tally.borrow_mut(),
            window: shared.window(),
            now_ns: fetched.ended_ns,
        };
        // Heads count as received, too.
        taking.bytes(fetched.bytes - bytes);
        if fetched.answer.expect(200).is_err() {
            taking.tally.http_errors += 1;
            return Ok(());
        }
        frames.end(&mut |stamp| {
            newest_sent_ns = newest_sent_ns.max(stamp.map(|stamp| stamp.sent_ns));
            taking.frame(stamp);
        });
        // A segment begins with a random access point.
        taking.key();
        if taking.window.contains(fetched.ended_ns) {
            taking.tally.segments += 1;
            taking
                .tally
                .segment
                .add(micros(fetched.began_ns, fetched.ended_ns));
            if let Some(sent_ns) = newest_sent_ns {
                let edge = micros(sent_ns, fetched.ended_ns);
                taking.tally.edge.add(edge);
            }
        }
        seat.ready();
        Ok(())
    }

    /// Fetches something small.
    pub(super) async fn fetch_whole(
        &mut self,
        seat: &mut Seat<'_>,
        address: &Address,
    ) -> Result<(Fetched, Vec<u8>), Error> {
        let mut all = Vec::new();
        let mut keep = |part: &[u8], _| {
            all.extend_from_slice(part);
            match all.len() <= KEPT_BYTES {
                true => Ok(()),
                false => Err(Error::Protocol(
                    "a playlist or init segment is too long".to_owned(),
                )),
            }
        };
        let fetched = self
            .client
            .fetch(&seat.shared.dialer, address, &mut keep)
            .await?;
        if seat.shared.window().contains(fetched.ended_ns) {
            seat.tally.borrow_mut().bytes_received += fetched.bytes;
        }
        Ok((fetched, all))
    }
}
