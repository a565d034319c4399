//! Child processes that cannot outlive their test.
//!
//! A child is started through `setpriv --pdeathsig KILL`, which execs it in place: the kernel ends
//! it when the thread that started it is gone, so even an aborted test run leaves nothing behind.

use crate::wait;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Lines of standard error kept for failure messages.
const KEPT_LINES: usize = 400;

/// A running child with its collected standard error. Killed by id when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: Arc<Mutex<VecDeque<String>>>,
    reader: thread::JoinHandle<()>,
}

/// A command that runs `program` bound to the life of the calling thread.
pub fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

impl Process {
    /// Starts `command` (see [`command`]). Standard error is collected line by line; standard input
    /// is empty; standard output is discarded unless the caller piped it.
    ///
    /// # Panics
    /// When the program cannot be started.
    pub fn start(name: &str, mut command: Command) -> Self {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: cannot start {command:?}: {error}"));
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let stderr = child.stderr.take().unwrap();
        let kept = Arc::clone(&log);
        let reader = thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n') {
                let Ok(line) = line else { break };
                let mut kept = kept.lock().unwrap();
                if kept.len() == KEPT_LINES {
                    kept.pop_front();
                }
                kept.push_back(String::from_utf8_lossy(&line).into_owned());
            }
        });
        Self {
            name: name.to_owned(),
            child,
            reader,
            log,
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The name given at the start, for messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lines of standard error so far (the last 400).
    pub fn log(&self) -> String {
        let log = self.log.lock().unwrap();
        log.iter().map(|line| format!("    {line}\n")).collect()
    }

    /// The first collected line of standard error for which `find` gives a value.
    pub fn find_in_log<T>(&self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.log.lock().unwrap().iter().find_map(|line| find(line))
    }

    /// Takes the piped standard output.
    pub fn stdout(&mut self) -> ChildStdout {
        self.child.stdout.take().expect("stdout is piped, once")
    }

    /// Reads standard output line by line on a thread of its own.
    pub fn stdout_lines(&mut self) -> Receiver<String> {
        let stdout = self.stdout();
        let (send, receive) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                let Ok(line) = line else { break };
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        receive
    }

    /// The exit status, when the child has ended.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for the end of the child, and until all that it said is in the log.
    ///
    /// # Panics
    /// When it has not ended within `limit`; the message holds its standard error.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let start = std::time::Instant::now();
        loop {
            let late = start.elapsed() >= limit;
            match self.status() {
                // Children of the child may keep its standard error open.
                Some(status) if late || self.reader.is_finished() => return status,
                _ => {}
            }
            assert!(
                !late,
                "{} has not ended after {limit:?}\n{}",
                self.name,
                self.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end and for exit code 0.
    ///
    /// # Panics
    /// When it is still running after `limit` or failed; the message holds its standard error.
    pub fn finish(&mut self, limit: Duration) {
        let status = self.wait(limit);
        assert!(
            status.success(),
            "{} ended with {status}\n{}",
            self.name,
            self.log()
        );
    }

    /// Sends a signal, by its name without `SIG`, to this process only.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .unwrap();
        assert!(status.success(), "kill -s {name} {} failed", self.name);
    }

    /// Ends the process at once (SIGKILL) and reaps it.
    pub fn kill(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    /// Resident memory in bytes, from `/proc`.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kib: u64 = line
            .and_then(|line| line.split_whitespace().nth(1)?.parse().ok())
            .expect("VmRSS in /proc");
        kib * 1024
    }

    /// Number of open file descriptors, from `/proc`.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.id()))
            .unwrap()
            .count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a short command printed and how it ended.
#[derive(Debug)]
pub struct Output {
    /// Exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Runs a short command to its end and returns everything it printed.
///
/// # Panics
/// When it does not end within `limit`.
pub fn run(name: &str, mut command: Command, limit: Duration) -> Output {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{name}: cannot start {command:?}: {error}"));
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());
    let start = std::time::Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > limit {
            let _ = child.kill();
            let _ = child.wait();
            let stderr = stderr.join().unwrap();
            panic!(
                "{name} has not ended after {limit:?}: {command:?}\n{}",
                String::from_utf8_lossy(&stderr)
            );
        }
        thread::sleep(Duration::from_millis(5));
    };
    Output {
        code: status.code(),
        stdout: stdout.join().unwrap(),
        stderr: String::from_utf8_lossy(&stderr.join().unwrap()).into_owned(),
    }
}

/// As [`run`], but the command must succeed.
///
/// # Panics
/// When it fails or does not end within `limit`.
pub fn run_ok(name: &str, command: Command, limit: Duration) -> Output {
    let shown = format!("{command:?}");
    let output = run(name, command, limit);
    assert!(
        output.code == Some(0),
        "{name} ended with {:?}: {shown}\n{}{}",
        output.code,
        output.text(),
        output.stderr
    );
    output
}

fn drain(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut all = Vec::new();
        let _ = from.read_to_end(&mut all);
        all
    })
}

/// A TCP port of loopback that was free a moment ago, for servers that cannot bind port 0.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until something accepts connections on a loopback port.
///
/// # Panics
/// When nothing does within 10 s.
pub fn wait_for_port(port: u16) {
    wait::until(
        &format!("a listener on port {port}"),
        wait::secs(10),
        || std::net::TcpStream::connect(("127.0.0.1", port)).ok(),
    );
}
