//! FLV in the binary frames of a WebSocket.

use crate::Error;
use crate::address::Address;
use crate::flv_skipper::FlvSkipper;
use crate::http::{self, get};
use crate::transport::Transport;
use crate::watch::Taking;
use crate::websocket::{Frames, UPGRADE};

#[derive(Debug, Default)]
pub(super) struct Reader {
    http: http::Reader,
    is_checked: bool,
    frames: Frames,
    flv: FlvSkipper,
}

impl Reader {
    pub(super) async fn begin(transport: &mut Transport, address: &Address) -> Result<Self, Error> {
        transport
            .write_all(get(address, UPGRADE).as_bytes())
            .await?;
        Ok(Self::default())
    }

    pub(super) fn feed(&mut self, input: &[u8], taking: &mut Taking<'_>) -> Result<(), Error> {
        let (flv, frames) = (&mut self.flv, &mut self.frames);
        // What follows the head of a 101 is frames; as a body it has no end.
        let fed = self.http.feed(input, &mut |bytes| {
            frames.feed(bytes, &mut |data| flv.feed(data, taking))
        });
        if !self.is_checked
            && let Some(answer) = self.http.answer()
        {
            answer.expect(101)?;
            self.is_checked = true;
        }
        fed
    }

    /// Answers pings.
    pub(super) async fn answer(&mut self, transport: &mut Transport) -> Result<(), Error> {
        if self.frames.replies.is_empty() {
            return Ok(());
        }
        transport
            .write_all(&std::mem::take(&mut self.frames.replies))
            .await
    }
}
