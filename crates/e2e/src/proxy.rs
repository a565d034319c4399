//! A network between a client and a server, whose connections a test can break.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes connections on to one address. Threads end with the connections; the listener's ends with
/// the process.
#[derive(Debug)]
pub struct Proxy {
    /// `127.0.0.1:PORT` to connect to.
    pub address: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    closed: bool,
    connections: Vec<TcpStream>,
}

impl Proxy {
    /// Listens on a port of its own.
    ///
    /// # Panics
    /// When it cannot.
    pub fn start(to: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::<Mutex<Shared>>::default();
        let (known, to) = (Arc::clone(&shared), to.to_owned());
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let mut shared = known.lock().unwrap();
                if shared.closed {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&to) else {
                    continue;
                };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    thread::spawn(move || copy(from, to));
                }
                shared.connections.extend([client, server]);
            }
        });
        Self { address, shared }
    }

    /// Breaks all connections; new ones are taken and dropped at once.
    ///
    /// # Panics
    /// When a thread of it has panicked.
    pub fn close(&self) {
        let mut shared = self.shared.lock().unwrap();
        shared.closed = true;
        for connection in shared.connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Passes new connections on again.
    ///
    /// # Panics
    /// When a thread of it has panicked.
    pub fn open(&self) {
        self.shared.lock().unwrap().closed = false;
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0 || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
