//! Low latency HLS as a player reads it (RFC 8216bis §6.3): the playlist with the next part is
//! waited for, each part is fetched once, over one kept connection.

use std::convert::Infallible;

use m3u8_rs::Playlist;
use tokio::time::{Instant, sleep_until};

use super::Seat;
use super::hls::{Follower, RETRY};
use crate::Error;
use crate::address::Address;
use crate::clock::micros;

/// Answers in a row that are no playlists with parts, before it is a failure.
const PATIENCE: u32 = 50;

/// Follows the stream part by part until it fails or ends.
pub(super) async fn follow(seat: &mut Seat<'_>) -> Result<Infallible, Error> {
    let mut follower = Follower::new(seat);
    let media = media_playlist(seat, &mut follower).await?;
    let mut failures = 0;
    let mut list = PartList::default();
    // The part fetched last.
    let mut last: Option<String> = None;
    loop {
        let began = Instant::now();
        let address = list.next(&media)?;
        let (fetched, text) = follower.fetch_whole(seat, &address).await?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let parsed = PartList::parse(&text);
        if let Err(error) = fetched.answer.expect(200) {
            failures += 1;
            seat.tally.borrow_mut().http_errors += 1;
            if failures > PATIENCE {
                return Err(error);
            }
            list = PartList::default();
            sleep_until(began + RETRY).await;
            continue;
        }
        if parsed.parts.is_empty() {
            return Err(Error::Protocol("the playlist has no parts".to_owned()));
        }
        failures = 0;
        if seat.shared.window().contains(fetched.ended_ns) {
            let mut tally = seat.tally.borrow_mut();
            tally.playlists += 1;
            tally
                .playlist
                .add(micros(fetched.began_ns, fetched.ended_ns));
        }
        list = parsed;
        if let Some(init) = &list.init {
            follower.init(seat, init).await?;
        }
        let (from, missed) = list.after(last.as_deref());
        seat.tally.borrow_mut().segments_missed += u64::from(missed);
        for part in list.parts.get(from..).unwrap_or_default() {
            follower.piece(seat, &part.uri).await?;
            last = Some(part.uri.clone());
        }
        if list.ended {
            return Err(Error::Ended);
        }
    }
}

/// The address of the media playlist behind the stream's, once it is there.
async fn media_playlist(seat: &mut Seat<'_>, follower: &mut Follower) -> Result<Address, Error> {
    let give_up = Instant::now() + seat.shared.plan.connect_timeout;
    let mut address = seat.address.clone();
    loop {
        let began = Instant::now();
        let (fetched, text) = follower.fetch_whole(seat, &address).await?;
        match (
            fetched.answer.expect(200),
            m3u8_rs::parse_playlist_res(&text),
        ) {
            (Ok(()), Ok(Playlist::MasterPlaylist(list))) => {
                let variant = list.variants.iter().find(|variant| !variant.is_i_frame);
                let variant = variant
                    .ok_or_else(|| Error::Protocol("the playlist has no variant".to_owned()))?;
                address = address.join(&variant.uri)?;
            }
            (Ok(()), Ok(Playlist::MediaPlaylist(_))) => {
                follower.playlist = address.clone();
                return Ok(address);
            }
            (Ok(()), Err(_)) => {
                return Err(Error::Protocol("the answer is no playlist".to_owned()));
            }
            (Err(error), _) => {
                seat.tally.borrow_mut().http_errors += 1;
                if Instant::now() > give_up {
                    return Err(error);
                }
                sleep_until(began + RETRY).await;
            }
        }
    }
}

/// What a player goes by: the parts that are listed, and where the playlist ends.
#[derive(Debug, Default, PartialEq, Eq)]
struct PartList {
    parts: Vec<Part>,
    init: Option<String>,
    /// Number of the segment that is being made, and its parts so far; none before the first look.
    edge: Option<(u64, usize)>,
    ended: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Part {
    uri: String,
    independent: bool,
}

impl PartList {
    fn parse(text: &str) -> Self {
        let (mut list, mut sequence, mut open) = (Self::default(), 0_u64, 0);
        for line in text.lines() {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            let uri = || Some(value.split_once("URI=\"")?.1.split_once('"')?.0.to_owned());
            match tag {
                "#EXT-X-MEDIA-SEQUENCE" => sequence = value.parse().unwrap_or(0),
                "#EXT-X-MAP" => list.init = uri(),
                "#EXT-X-PART" => {
                    open += 1;
                    if let Some(uri) = uri().filter(|_| !value.contains("GAP=YES")) {
                        let independent = value.contains("INDEPENDENT=YES");
                        list.parts.push(Part { uri, independent });
                    }
                }
                "#EXT-X-ENDLIST" => list.ended = true,
                _ if line.is_empty() || line.starts_with('#') => {}
                _ => {
                    sequence += 1;
                    open = 0;
                }
            }
        }
        list.edge = Some((sequence, open));
        list
    }

    /// The address of the playlist with one part more.
    fn next(&self, media: &Address) -> Result<Address, Error> {
        let Some((sequence, part)) = self.edge else {
            return Ok(media.clone());
        };
        let (path, query) = media.path.split_once('?').unwrap_or((&media.path, ""));
        let joint = if query.is_empty() { "" } else { "&" };
        let path = format!("{path}?{query}{joint}_HLS_msn={sequence}&_HLS_part={part}");
        media.join(&path)
    }

    /// Index of the first part to fetch after this one, and whether some were missed; without one,
    /// the newest at which a decoder can start.
    fn after(&self, last: Option<&str>) -> (usize, bool) {
        let known = last.and_then(|last| self.parts.iter().position(|part| part.uri == last));
        match known {
            Some(index) => (index + 1, false),
            None => {
                let start = self.parts.iter().rposition(|part| part.independent);
                (start.unwrap_or(0), last.is_some())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TEXT: &str = "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"i.mp4\"\n\
        #EXT-X-PART:DURATION=0.3,URI=\"7.0\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=0.3,URI=\"7.1\"\n\
        #EXTINF:0.6,\n7.m4s\n#EXT-X-PART:DURATION=0.3,URI=\"8.0\",INDEPENDENT=YES\n\
        #EXT-X-PART:DURATION=0.3,URI=\"8.1\",GAP=YES\n#EXT-X-PART:DURATION=0.3,URI=\"8.2\"\n";

    #[test]
    fn a_player_begins_at_the_newest_key_frame_and_takes_each_part_once() {
        let list = PartList::parse(TEXT);
        assert_eq!((list.edge, list.ended), (Some((8, 3)), false));
        assert_eq!(list.init.as_deref(), Some("i.mp4"));
        let uris: Vec<&str> = list.parts.iter().map(|part| part.uri.as_str()).collect();
        assert_eq!(uris, ["7.0", "7.1", "8.0", "8.2"]);
        assert_eq!(list.after(None), (2, false));
        assert_eq!(list.after(Some("7.1")), (2, false));
        assert_eq!(list.after(Some("8.2")), (4, false));
        assert_eq!(list.after(Some("5.0")), (2, true));
    }

    #[test]
    fn the_next_playlist_is_asked_for_by_the_part_that_it_will_have() {
        let media: Address = "http://h/live/s/fmp4.m3u8?token=x"
            .parse::<crate::address::Template>()
            .unwrap()
            .address(0)
            .unwrap();
        let next = |list: &PartList| list.next(&media).unwrap().path;
        assert_eq!(next(&PartList::default()), "/live/s/fmp4.m3u8?token=x");
        assert_eq!(
            next(&PartList::parse(TEXT)),
            "/live/s/fmp4.m3u8?token=x&_HLS_msn=8&_HLS_part=3"
        );
    }
}
