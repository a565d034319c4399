//! The real binary, started as a black box.

use crate::http;
use crate::process::{Output, Process, command, run};
use crate::wait::{secs, until};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The binary under test: beside the test's own folder in the target directory, or `SIDESTREAM_BIN`.
///
/// # Panics
/// When it has not been built.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("SIDESTREAM_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).expect("target/<profile>/deps");
    let path = profile.join("sidestream");
    assert!(
        path.is_file(),
        "{} is missing: run `cargo build -p sidestream` (./test does) or set SIDESTREAM_BIN",
        path.display()
    );
    path
}

/// Runs a command of the binary to its end.
///
/// # Panics
/// When it does not end within `limit`.
pub fn sidestream(arguments: &[&str], limit: Duration) -> Output {
    let mut program = clean_command();
    program.args(arguments);
    run(&format!("sidestream {arguments:?}"), program, limit)
}

/// The binary with an environment free of `SIDESTREAM_…` settings.
pub fn clean_command() -> Command {
    let mut program = command(binary());
    clean(&mut program);
    program.current_dir(std::env::temp_dir());
    program
}

fn clean(program: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SIDESTREAM_") {
            program.env_remove(name);
        }
    }
}

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Text of the configuration file; none is written when empty.
    pub config: String,
    /// Arguments added at the end.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
    /// Wraps the program: `prlimit --nofile=64` and the like. Must exec it in place.
    pub wrapper: Vec<String>,
}

/// A running server on ports of its own, with its data in a temporary folder. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    process: Process,
    /// `127.0.0.1:PORT` of RTMP.
    pub rtmp: String,
    /// `127.0.0.1:PORT` of HTTP.
    pub http: String,
    folder: TempDir,
    options: Options,
}

/// A short life after the publisher, so that tests see the end of a stream soon.
pub const SHORT_LIFE: &str = "[streams]\nreconnect_window = \"1s\"\nviewer_end_grace = \"1s\"\n";

impl Server {
    /// Starts `serve` with streams that end 1 s after their publisher.
    pub fn start() -> Self {
        Self::with_config(SHORT_LIFE)
    }

    /// Starts `serve` with a configuration.
    pub fn with_config(config: &str) -> Self {
        Self::with(&Options {
            config: config.to_owned(),
            ..Options::default()
        })
    }

    /// Starts `serve` and waits until it listens.
    ///
    /// # Panics
    /// When it ends or does not listen within 20 s; the message holds its log.
    pub fn with(options: &Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (process, rtmp, http) = launch(&folder, options);
        Self {
            process,
            rtmp,
            http,
            folder,
            options: options.clone(),
        }
    }

    /// Kills the server (SIGKILL) and starts it again with the same data, on new ports.
    ///
    /// # Panics
    /// As [`Server::with`].
    pub fn kill_and_start(&mut self) {
        self.process.kill();
        (self.process, self.rtmp, self.http) = launch(&self.folder, &self.options);
    }

    /// Publish and play URL of a stream.
    pub fn rtmp_url(&self, stream: &str) -> String {
        format!("rtmp://{}/{stream}", self.rtmp)
    }

    /// HTTP URL of a path, which starts with `/`.
    pub fn http_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    /// The server's process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The process, to wait for or to end.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The server's log so far, for messages and for tests of what it says.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Its temporary folder, which holds `sidestream.toml` and `data/`.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The address of another listener from the log, e.g. `"rtmps listening on "`.
    ///
    /// # Panics
    /// When the log does not have it within 5 s.
    pub fn listener(&self, sentence: &str) -> String {
        until(sentence, secs(5), || {
            self.process
                .find_in_log(|line| address_after(line, sentence))
        })
    }

    /// `GET` on the HTTP listener.
    pub fn get(&self, path: &str) -> http::Response {
        http::get(&self.http, path)
    }

    /// `POST` of JSON on the HTTP listener.
    pub fn post(&self, path: &str, json: &serde_json::Value) -> http::Response {
        http::post(&self.http, path, json)
    }

    /// The event log, in order.
    ///
    /// # Panics
    /// When the answer is no list of at most 1000 events.
    pub fn events(&self) -> Vec<serde_json::Value> {
        let answer = self.get("/v1/events?limit=1000");
        assert_eq!(answer.status, 200, "/v1/events: {}", answer.text());
        let events = answer.json()["items"].as_array().unwrap().clone();
        assert!(events.len() < 1000, "more events than a page holds");
        events
    }

    /// `/v1/streams/{stream}`; `None` while the server does not know the stream.
    pub fn stream(&self, stream: &str) -> Option<serde_json::Value> {
        let response = self.get(&format!("/v1/streams/{stream}"));
        match response.status {
            200 => Some(response.json()),
            404 => None,
            other => panic!("GET /v1/streams/{stream}: {other} {}", response.text()),
        }
    }

    /// Waits until a stream has a publisher and its tracks are known.
    ///
    /// # Panics
    /// When it has not within 10 s.
    pub fn wait_for_stream(&self, stream: &str) -> serde_json::Value {
        until(&format!("stream {stream} with tracks"), secs(10), || {
            let stream = self.stream(stream)?;
            let tracks = stream["tracks"].as_array().map_or(0, Vec::len);
            (tracks > 0).then_some(stream)
        })
    }

    /// Waits until at least `count` connections to the RTMP listener are established, as the kernel counts.
    ///
    /// # Panics
    /// When there are fewer after 10 s.
    pub fn wait_for_rtmp_connections(&self, count: usize) {
        let (_, port) = self.rtmp.rsplit_once(':').unwrap();
        let port: u16 = port.parse().unwrap();
        until(&format!("{count} RTMP connections"), secs(10), || {
            (established(port) >= count).then_some(())
        });
    }

    /// Waits until the log holds `text`.
    ///
    /// # Panics
    /// When it does not within `limit`.
    pub fn wait_for_log(&self, text: &str, limit: Duration) {
        until(&format!("{text:?} in the server's log"), limit, || {
            self.process
                .find_in_log(|line| line.contains(text).then_some(()))
        });
    }

    /// Fails the test unless the server runs and answers.
    ///
    /// # Panics
    /// When it has ended or `/healthz` is not 200.
    pub fn assert_alive(&mut self) {
        if let Some(status) = self.process.status() {
            panic!("the server died: {status}\n{}", self.process.log());
        }
        let response = self.get("/healthz");
        assert_eq!(response.status, 200, "/healthz: {}", response.text());
    }
}

/// Starts the binary with its data in a folder; gives the addresses of RTMP and HTTP too.
fn launch(folder: &TempDir, options: &Options) -> (Process, String, String) {
    let mut program = if options.wrapper.is_empty() {
        clean_command()
    } else {
        let mut program = command(&options.wrapper[0]);
        program.args(&options.wrapper[1..]).arg(binary());
        clean(&mut program);
        program
    };
    program.current_dir(folder.path());
    program.args(["serve", "--rtmp", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    program.arg("--data").arg(folder.path().join("data"));
    program.args(["--log-format", "json"]);
    if !options.config.is_empty() {
        let file = folder.path().join("sidestream.toml");
        std::fs::write(&file, &options.config).unwrap();
        program.arg("--config").arg(file);
    }
    program.args(&options.arguments);
    program.envs(options.environment.iter().map(|(k, v)| (k, v)));
    program.stdout(Stdio::null());
    let mut process = Process::start("sidestream serve", program);
    let (rtmp, http) = until("the server's listeners in its log", secs(20), || {
        if let Some(status) = process.status() {
            panic!("sidestream ended at once with {status}\n{}", process.log());
        }
        let rtmp = process.find_in_log(|line| address_after(line, "rtmp listening on "))?;
        let http = process.find_in_log(|line| address_after(line, "http listening on "))?;
        Some((rtmp, http))
    });
    (process, rtmp, http)
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!(
                "--- log of the server on {} ---\n{}",
                self.rtmp,
                self.process.log()
            );
        }
    }
}

/// Connections to a local IPv4 port that the kernel has established, from `/proc/net/tcp`.
pub fn established(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let local = format!(":{port:04X}");
    let rows = table.lines().map(|row| row.split_whitespace());
    rows.filter(|row| {
        let fields: Vec<&str> = row.clone().take(4).collect();
        matches!(fields[..], [_, address, _, "01"] if address.ends_with(&local))
    })
    .count()
}

/// The `ADDR:PORT` that follows a sentence in a log line.
pub fn address_after(line: &str, sentence: &str) -> Option<String> {
    let (_, rest) = line.split_once(sentence)?;
    let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '[' | ']');
    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let address = rest[..end].trim_end_matches(['.', ':']);
    address.parse::<std::net::SocketAddr>().ok()?;
    Some(address.to_owned())
}
