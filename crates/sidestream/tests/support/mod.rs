//! Running the binary and looking at it from outside.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub, missing_docs)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take that happens at once on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub fn sidestream(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestream"));
    command.args(args).env("NO_COLOR", "1");
    // A developer's own settings must not decide about tests.
    for (name, _) in std::env::vars() {
        if name.starts_with("SIDESTREAM_") || name == "JOURNAL_STREAM" {
            command.env_remove(name);
        }
    }
    command
}

pub struct Done {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
}

pub fn run(args: &[&str], variables: &[(&str, &str)]) -> Done {
    let output = sidestream(args)
        .envs(variables.iter().copied())
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    Done {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code().unwrap(),
    }
}

/// A process that does not outlive its test.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a signal by name.
pub fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill")
        .args(["-s", name, &pid])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// A relay that serves on free ports.
pub struct Running {
    child: Killed,
    log: Arc<(Mutex<String>, Condvar)>,
    pub rtmp: String,
    pub http: String,
}

impl Running {
    pub fn serve(variables: &[(&str, &str)]) -> Self {
        Self::serve_with(&[], variables)
    }

    pub fn serve_with(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut all = vec!["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"];
        all.extend(args);
        let mut child = sidestream(&all)
            .envs(variables.iter().copied())
            .current_dir(std::env::temp_dir())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let shared = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let (text, changed) = &*shared;
                text.lock().unwrap().push_str(&(line + "\n"));
                changed.notify_all();
            }
        });
        let mut running = Self {
            child: Killed(child),
            log,
            rtmp: String::new(),
            http: String::new(),
        };
        running.rtmp = running.address("rtmp listening on ");
        running.http = running.address("http listening on ");
        running
    }

    fn address(&self, sentence: &str) -> String {
        let log = self.wait_for(sentence);
        let (_, after) = log.split_once(sentence).unwrap();
        let end = after.find(|c: char| c.is_whitespace() || c == '"').unwrap();
        after[..end].to_owned()
    }

    /// Waits until the log holds a text, and returns the log.
    pub fn wait_for(&self, text: &str) -> String {
        let began = Instant::now();
        let (log, changed) = &*self.log;
        let mut log = log.lock().unwrap();
        while !log.contains(text) {
            let left = PATIENCE.checked_sub(began.elapsed());
            let left = left.unwrap_or_else(|| panic!("{text:?} did not come in\n{log}"));
            log = changed.wait_timeout(log, left).unwrap().0;
        }
        log.clone()
    }

    pub fn signal(&self, name: &str) {
        signal(&self.child.0, name);
    }

    /// Stops it by a signal; its log, exit code and how long it took.
    pub fn stop(mut self, name: &str) -> (String, i32, Duration) {
        let began = Instant::now();
        self.signal(name);
        let code = self.child.0.wait().unwrap().code().unwrap();
        let took = began.elapsed();
        (self.wait_for("stopped "), code, took)
    }
}

/// An answer of the HTTP listener.
pub struct Answer {
    pub status: u16,
    /// Status line and header lines, as they came.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let found = lines.find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }
}

/// Sends a request with these header lines and waits for the whole answer.
pub fn ask(addr: &str, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let mut tcp = TcpStream::connect(addr).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    write!(
        tcp,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        body: answer[end + 4..].to_vec(),
        head,
    }
}

/// The whole answer to a GET.
pub fn get(addr: &str, path: &str) -> String {
    let mut tcp = TcpStream::connect(addr).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        tcp,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}
