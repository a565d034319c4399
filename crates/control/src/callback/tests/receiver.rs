//! A callback server that misbehaves on request.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::PATIENCE;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Answer(u16),
    AnswerWith(u16, String),
    /// 503 with so many seconds of `Retry-After`.
    Busy(u32),
    /// 200 with 512 bytes, once the gate is open.
    Gate(watch::Receiver<bool>),
    /// 302 to another URL.
    Redirect(String),
    /// Reads, and says nothing until the client goes.
    Hang,
    /// 200, and then a body of which a byte comes now and then, without end.
    Drip,
    /// Closes before the answer.
    Close,
    /// Closes in the middle of the answer's body.
    CloseInBody,
    /// 200 with a body that does not end.
    Huge,
    /// What is no HTTP.
    Garbage,
}

#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .next()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Script = Box<dyn FnMut(usize, &Got) -> Act + Send>;

pub(super) struct Receiver {
    port: u16,
    got: Arc<Mutex<Vec<Got>>>,
    count: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

struct Shared {
    script: Mutex<Script>,
    got: Arc<Mutex<Vec<Got>>>,
    count: watch::Sender<usize>,
}

impl Receiver {
    /// Answers each request with the act that the script gives for its number (from 0).
    pub(super) async fn start(script: impl FnMut(usize, &Got) -> Act + Send + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let got = Arc::<Mutex<Vec<Got>>>::default();
        let (sender, count) = watch::channel(0);
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            got: Arc::clone(&got),
            count: sender,
        });
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                connections.spawn(serve(socket, Arc::clone(&shared)));
            }
        });
        Self {
            port,
            got,
            count,
            task,
        }
    }

    pub(super) async fn always(act: Act) -> Self {
        Self::start(move |_, _| act.clone()).await
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/cb", self.port)
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Waits for so many requests in all.
    pub(super) async fn wait(&self, count: usize) -> Vec<Got> {
        let mut seen = self.count.clone();
        let wait = timeout(PATIENCE, seen.wait_for(|seen| *seen >= count)).await;
        assert!(wait.is_ok(), "{count} requests, got {}", self.got().len());
        self.got()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut socket: TcpStream, shared: Arc<Shared>) {
    while let Some(got) = read(&mut socket).await {
        let act = {
            let mut all = shared.got.lock().unwrap();
            let act = (shared.script.lock().unwrap())(all.len(), &got);
            all.push(got);
            act
        };
        shared.count.send_modify(|count| *count += 1);
        if !perform(&mut socket, act).await {
            return;
        }
    }
}

async fn read(socket: &mut TcpStream) -> Option<Got> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let mut got = Got {
        head: String::from_utf8(bytes[..end].to_vec()).unwrap(),
        body: bytes[end..].to_vec(),
    };
    let length: usize = got.header("content-length").unwrap().parse().unwrap();
    while got.body.len() < length {
        if socket.read_buf(&mut got.body).await.ok()? == 0 {
            return None;
        }
    }
    Some(got)
}

/// Says whether the connection goes on.
async fn perform(socket: &mut TcpStream, act: Act) -> bool {
    let act = match act {
        Act::Gate(mut gate) => {
            let _ = gate.wait_for(|open| *open).await;
            Act::AnswerWith(200, "x".repeat(512))
        }
        act => act,
    };
    let plain = |status: u16, body: &str| {
        format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let endless = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let text = match &act {
        Act::Answer(status) => plain(*status, ""),
        Act::AnswerWith(status, body) => plain(*status, body),
        Act::Busy(wait) => {
            format!("HTTP/1.1 503 X\r\nretry-after: {wait}\r\ncontent-length: 0\r\n\r\n")
        }
        Act::Redirect(to) => {
            format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
        }
        Act::Gate(_) | Act::Hang | Act::Close => String::new(),
        Act::CloseInBody => "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this".to_owned(),
        Act::Drip | Act::Huge => endless.to_owned(),
        Act::Garbage => "SSH-2.0-OpenSSH_9.2\r\n\r\n".to_owned(),
    };
    if socket.write_all(text.as_bytes()).await.is_err() {
        return false;
    }
    match act {
        Act::Answer(_) | Act::AnswerWith(..) | Act::Busy(_) | Act::Redirect(_) => true,
        Act::Gate(_) | Act::Close | Act::CloseInBody | Act::Garbage => false,
        Act::Hang => {
            let mut rest = Vec::new();
            let _ = socket.read_to_end(&mut rest).await;
            false
        }
        Act::Drip => {
            while socket.write_all(b"1\r\nx\r\n").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            false
        }
        Act::Huge => {
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
            while socket.write_all(chunk.as_bytes()).await.is_ok() {}
            false
        }
    }
}
