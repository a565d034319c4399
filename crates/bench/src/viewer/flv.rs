//! FLV in the endless body of an HTTP answer.

use crate::Error;
use crate::address::Address;
use crate::flv_skipper::FlvSkipper;
use crate::http::{self, get};
use crate::transport::Transport;
use crate::watch::Taking;

#[derive(Debug, Default)]
pub(super) struct Reader {
    http: http::Reader,
    is_checked: bool,
    flv: FlvSkipper,
}

impl Reader {
    pub(super) async fn begin(transport: &mut Transport, address: &Address) -> Result<Self, Error> {
        transport.write_all(get(address, "").as_bytes()).await?;
        Ok(Self::default())
    }

    pub(super) fn feed(&mut self, input: &[u8], taking: &mut Taking<'_>) -> Result<(), Error> {
        let flv = &mut self.flv;
        let fed = self.http.feed(input, &mut |body| flv.feed(body, taking));
        if !self.is_checked
            && let Some(answer) = self.http.answer()
        {
            // Before a complaint about a body that is the server's page for the error.
            answer.expect(200)?;
            self.is_checked = true;
        }
        fed?;
        match self.http.is_done() {
            true => Err(Error::Ended),
            false => Ok(()),
        }
    }
}
