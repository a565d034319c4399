//! A callback server that behaves as it is told.

use serde_json::Value;
use socket2::{Domain, Socket, Type};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What is done with a request once it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A status without a body.
    Answer(u16),
    /// 302 to another path of this server.
    Redirect,
    /// Nothing, until the client goes.
    Hang,
    /// The head of a 200, a byte every 200 ms.
    Drip,
    /// The connection is closed before the answer.
    Close,
}

/// A callback that came.
#[derive(Clone, Debug)]
pub struct Told {
    /// Header `webhook-id`: the event's id.
    pub id: String,
    /// What is asked for after the address.
    pub path: String,
    /// The body.
    pub body: Value,
    /// What was done with it.
    pub act: Act,
}

impl Told {
    /// The stream that it is about, as both forms of callbacks name it.
    pub fn stream(&self) -> &str {
        self.body["stream_id"].as_str().unwrap_or_default()
    }
}

/// The server. Its threads end with the connections, the listener's with the process.
#[derive(Debug)]
pub struct Hook {
    /// `http://127.0.0.1:PORT/hook`
    pub url: String,
    /// Bound, not listening: whoever connects is refused.
    closed: Option<Socket>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    /// What is done with the next requests about a stream.
    scripts: HashMap<String, VecDeque<Act>>,
    /// What is done without a script.
    usual: Act,
    told: Vec<Told>,
}

impl Hook {
    /// A server on a port of its own that refuses connections until [`Hook::open`].
    ///
    /// # Panics
    /// When there is no port.
    pub fn closed() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any.into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self {
            url: format!("http://{address}/hook"),
            closed: Some(socket),
            shared: Arc::new(Mutex::new(Shared {
                scripts: HashMap::new(),
                usual: Act::Answer(200),
                told: Vec::new(),
            })),
        }
    }

    /// A server that answers 200.
    ///
    /// # Panics
    /// As [`Hook::closed`].
    pub fn start() -> Self {
        let mut hook = Self::closed();
        hook.open();
        hook
    }

    /// Begins to take connections.
    ///
    /// # Panics
    /// When it does already.
    pub fn open(&mut self) {
        let socket = self.closed.take().expect("opened once");
        socket.listen(64).unwrap();
        let listener = TcpListener::from(socket);
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let shared = Arc::clone(&shared);
                // A client that goes in the middle is its own business.
                thread::spawn(move || serve(client, &shared).ok());
            }
        });
    }

    /// What is done with the next requests about a stream, in order.
    ///
    /// # Panics
    /// When a thread of it has panicked.
    pub fn script(&self, stream: &str, acts: &[Act]) {
        let mut shared = self.shared.lock().unwrap();
        let script = acts.iter().copied().collect();
        shared.scripts.insert(stream.to_owned(), script);
    }

    /// What is done without a script; 200 at first.
    ///
    /// # Panics
    /// When a thread of it has panicked.
    pub fn usually(&self, act: Act) {
        self.shared.lock().unwrap().usual = act;
    }

    /// All requests so far.
    ///
    /// # Panics
    /// When a thread of it has panicked.
    pub fn told(&self) -> Vec<Told> {
        self.shared.lock().unwrap().told.clone()
    }

    /// Callbacks that were answered with 200, without those that came again.
    pub fn received(&self) -> Vec<Told> {
        let mut ids = BTreeSet::new();
        let mut told = self.told();
        told.retain(|it| it.act == Act::Answer(200) && ids.insert(it.id.clone()));
        told
    }
}

fn serve(client: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(15)))?;
    let mut reader = BufReader::new(client.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let (mut id, mut length) = (String::new(), 0);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "webhook-id" => id = value.trim().to_owned(),
            "content-length" => length = value.trim().parse().unwrap(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let body: Value = serde_json::from_slice(&body).unwrap();
    let mut told = Told {
        id,
        path,
        body,
        act: Act::Close,
    };
    let act = {
        let mut shared = shared.lock().unwrap();
        let script = shared.scripts.get_mut(told.stream());
        told.act = script.and_then(VecDeque::pop_front).unwrap_or(shared.usual);
        shared.told.push(told.clone());
        told.act
    };
    answer(client, act)
}

fn answer(mut client: TcpStream, act: Act) -> std::io::Result<()> {
    let head = |status: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    };
    match act {
        Act::Answer(status) => client.write_all(head(&format!("{status} X")).as_bytes()),
        Act::Redirect => client.write_all(head("302 X\r\nLocation: /moved").as_bytes()),
        Act::Hang => client.read(&mut [0]).map(|_| ()),
        Act::Drip => {
            for byte in head("200 X").bytes() {
                client.write_all(&[byte])?;
                thread::sleep(Duration::from_millis(200));
            }
            Ok(())
        }
        Act::Close => Ok(()),
    }
}
