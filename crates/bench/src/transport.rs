//! Connections, plain or encrypted, read through one buffer a thread.

use std::cell::RefCell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Error;
use crate::address::Address;

/// Bytes read at once. A burst for a viewer fits; more would leave the processor's cache.
const READ_BYTES: usize = 256 << 10;

thread_local! {
    /// One for all connections of the thread; never borrowed across an await.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

/// A connection to the server under test.
#[derive(Debug)]
pub(crate) enum Transport {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// Waits for bytes and lends them to `take`: all that fit into the thread's buffer. Cancel safe:
    /// nothing is read unless it is taken.
    ///
    /// # Errors
    /// [`Error::Closed`] at the end of the stream.
    pub(crate) async fn read<R>(&mut self, mut take: impl FnMut(&[u8]) -> R) -> Result<R, Error> {
        poll_fn(|cx| self.poll_read(cx, &mut take)).await
    }

    /// Takes what is there already; `None` when there is nothing.
    pub(crate) async fn read_now<R>(
        &mut self,
        mut take: impl FnMut(&[u8]) -> R,
    ) -> Result<Option<R>, Error> {
        poll_fn(|cx| {
            Poll::Ready(match self.poll_read(cx, &mut take) {
                Poll::Ready(read) => read.map(Some),
                Poll::Pending => Ok(None),
            })
        })
        .await
    }

    /// A short read tells the runtime that the socket is empty, which spares the second `recv`
    /// that `try_read` would need to learn it.
    fn poll_read<R>(
        &mut self,
        cx: &mut Context<'_>,
        take: &mut impl FnMut(&[u8]) -> R,
    ) -> Poll<Result<R, Error>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(match self {
                Self::Tcp(tcp) => Pin::new(tcp).poll_read(cx, &mut buffer),
                Self::Tls(tls) => Pin::new(tls.as_mut()).poll_read(cx, &mut buffer),
            })?;
            Poll::Ready(match buffer.filled() {
                [] => Err(Error::Closed),
                bytes => Ok(take(bytes)),
            })
        })
    }

    pub(crate) async fn write_all(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::Tcp(tcp) => tcp.write_all(bytes).await?,
            Self::Tls(tls) => {
                tls.write_all(bytes).await?;
                tls.flush().await?;
            }
        }
        Ok(())
    }
}

/// How connections are made.
pub(crate) struct Dialer {
    /// Names that were looked up before the run: a run measures no resolver.
    hosts: HashMap<(String, u16), Vec<SocketAddr>>,
    tls: TlsConnector,
    /// Connections from one loopback address, before the next is taken.
    per_source: u32,
    timeout: Duration,
}

impl Dialer {
    pub(crate) fn new(tls: TlsConnector, per_source: u32, timeout: Duration) -> Self {
        Self {
            hosts: HashMap::new(),
            tls,
            per_source,
            timeout,
        }
    }

    /// Looks a name up, once.
    pub(crate) async fn resolve(&mut self, address: &Address) -> Result<(), Error> {
        let key = (address.host.clone(), address.port);
        if let Entry::Vacant(vacant) = self.hosts.entry(key) {
            vacant.insert(look_up(address).await?);
        }
        Ok(())
    }

    /// Whether an address is this machine's own; only of one that was looked up.
    pub(crate) fn is_loopback(&self, address: &Address) -> bool {
        let peers = self.hosts.get(&(address.host.clone(), address.port));
        peers.is_some_and(|peers| peers.iter().all(|peer| peer.ip().is_loopback()))
    }

    /// Connects; `number` spreads connections over source addresses.
    pub(crate) async fn connect(&self, address: &Address, number: u32) -> Result<Transport, Error> {
        match timeout(self.timeout, self.attempt(address, number)).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout("the connection")),
        }
    }

    async fn attempt(&self, address: &Address, number: u32) -> Result<Transport, Error> {
        let key = (address.host.clone(), address.port);
        let found;
        let peers = match self.hosts.get(&key) {
            Some(peers) => peers,
            None => {
                found = look_up(address).await?;
                &found
            }
        };
        let mut failure = io::Error::other("the name has no address");
        for &peer in peers {
            match self.tcp(peer, number).await {
                Ok(tcp) => return self.encrypt(address, tcp).await,
                Err(error) => failure = error,
            }
        }
        Err(Error::Connect {
            peer: format!("{}:{}", address.host, address.port),
            error: failure,
        })
    }

    async fn tcp(&self, peer: SocketAddr, number: u32) -> io::Result<TcpStream> {
        let tcp = match source_address(peer.ip(), number / self.per_source.max(1)) {
            None => TcpStream::connect(peer).await?,
            Some(source) => {
                let socket = TcpSocket::new_v4()?;
                socket.bind(SocketAddr::new(source, 0))?;
                socket.connect(peer).await?
            }
        };
        tcp.set_nodelay(true)?;
        Ok(tcp)
    }

    async fn encrypt(&self, address: &Address, tcp: TcpStream) -> Result<Transport, Error> {
        if !address.tls {
            return Ok(Transport::Tcp(tcp));
        }
        let name = ServerName::try_from(address.host.clone())
            .map_err(|error| Error::Protocol(error.to_string()))?;
        let tls = self.tls.connect(name, tcp).await?;
        Ok(Transport::Tls(Box::new(tls)))
    }
}

async fn look_up(address: &Address) -> Result<Vec<SocketAddr>, Error> {
    let found = lookup_host((address.host.as_str(), address.port)).await;
    let found = found.map_err(|error| Error::Connect {
        peer: format!("{}:{}", address.host, address.port),
        error,
    })?;
    Ok(found.collect())
}

/// One address has some 28 000 ports towards one listener; the loopback network has 16 million
/// addresses. The first share goes from the usual one.
fn source_address(peer: IpAddr, share: u32) -> Option<IpAddr> {
    let IpAddr::V4(peer) = peer else { return None };
    if !peer.is_loopback() || share == 0 {
        return None;
    }
    let base = u32::from(Ipv4Addr::LOCALHOST);
    Some(Ipv4Addr::from(base + share.min(0x00ff_ff00)).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_spread_over_source_addresses() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(source_address(loopback, 0), None);
        let source = |share| source_address(loopback, share).map(|ip| ip.to_string());
        assert_eq!(source(1).as_deref(), Some("127.0.0.2"));
        assert_eq!(source(300).as_deref(), Some("127.0.1.45"));
        assert_eq!(
            source_address(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 3),
            None
        );
        assert_eq!(source_address("::1".parse().unwrap_or(loopback), 3), None);
    }
}
