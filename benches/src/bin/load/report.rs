//! What a run says.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;

use crate::process::{Cpu, Memory};
use crate::run::Run;
use crate::samples::Quantiles;

/// A generator busier than this measures itself.
const MAX_OWN_CORES: f64 = 0.9;
/// Publishers later than this at p99 do not send what they should, in milliseconds.
const MAX_LATE_MS: f64 = 100.0;
/// More than this by others makes a run doubtful.
const MAX_FOREIGN_CORES: f64 = 0.15;

/// The figures of one run.
pub(crate) struct Report {
    publishers: u32,
    viewers: u32,
    viewers_failed: u32,
    seconds: f64,
    server_cores: f64,
    server_user: f64,
    server_system: f64,
    has_server: bool,
    memory_idle: Memory,
    memory: Memory,
    own_cores: f64,
    foreign_cores: f64,
    expected: u64,
    received: u64,
    skipped: u64,
    unstamped: u64,
    bytes_received: u64,
    latency: Quantiles,
    join: Quantiles,
    late: Quantiles,
    failures: Vec<(String, u32)>,
}

impl Report {
    pub(crate) fn new(
        run: &Run,
        elapsed: Duration,
        before: Cpu,
        after: Cpu,
        memory_idle: Memory,
        memory: Memory,
    ) -> Self {
        let seconds = elapsed.as_secs_f64();
        let cores = |of: fn(&Cpu) -> f64| (of(&after) - of(&before)) / seconds;
        let server_cores = cores(|cpu| cpu.server_user + cpu.server_system);
        let own_cores = cores(|cpu| cpu.own);
        let sent = run.sent.borrow();
        let expected = (0..run.args.viewers)
            .filter_map(|viewer| sent.get(run.stream_of(viewer) as usize))
            .sum();
        Self {
            publishers: run.publishers_ready.get(),
            viewers: run.viewers_ready.get(),
            viewers_failed: run.args.viewers - run.viewers_ready.get(),
            seconds,
            server_cores,
            server_user: cores(|cpu| cpu.server_user),
            server_system: cores(|cpu| cpu.server_system),
            has_server: run.args.server_pid.is_some(),
            memory_idle,
            memory,
            own_cores,
            foreign_cores: (cores(|cpu| cpu.machine) - server_cores - own_cores).max(0.0),
            expected,
            received: run.received.borrow().iter().sum(),
            skipped: run.skipped.get(),
            unstamped: run.unstamped.get(),
            bytes_received: run.bytes_received.get(),
            latency: run.latency.quantiles(),
            join: run.join.quantiles(),
            late: run.late.quantiles(),
            failures: run.failures.borrow().clone().into_iter().collect(),
        }
    }

    /// Why the run may not have measured the server; empty when it did.
    pub(crate) fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        if self.own_cores > MAX_OWN_CORES {
            doubts.push(format!(
                "the generator itself was the bottleneck: {:.2} core",
                self.own_cores
            ));
        }
        if self.late.p99 > MAX_LATE_MS {
            doubts.push(format!(
                "publishers were {:.0} ms late at p99",
                self.late.p99
            ));
        }
        if self.has_server && self.foreign_cores > MAX_FOREIGN_CORES {
            doubts.push(format!(
                "something else was running: {:.2} cores",
                self.foreign_cores
            ));
        }
        doubts
    }

    fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// Bytes of private and shared memory that the load added, per publisher.
    fn bytes_per_publisher(&self) -> u64 {
        let added = self.memory.pss.saturating_sub(self.memory_idle.pss);
        added / u64::from(self.publishers.max(1))
    }

    pub(crate) fn table(&self) -> String {
        let mut out = String::new();
        let mut row = |name: &str, value: String| {
            let _ = writeln!(out, "{name:<22}{value}");
        };
        row("publishers", self.publishers.to_string());
        row(
            "viewers",
            format!("{} ({} failed)", self.viewers, self.viewers_failed),
        );
        row("window", format!("{:.1} s", self.seconds));
        if self.has_server {
            row(
                "server CPU",
                format!(
                    "{:.3} cores ({:.3} user, {:.3} system)",
                    self.server_cores, self.server_user, self.server_system
                ),
            );
            row(
                "server memory",
                format!(
                    "{:.1} MiB resident; {:.0} KiB a publisher",
                    mebibytes(self.memory.rss),
                    self.bytes_per_publisher() as f64 / 1024.0
                ),
            );
        }
        if self.viewers > 0 {
            row("added latency", self.latency.to_string());
            row("join", self.join.to_string());
            row(
                "frames",
                format!(
                    "{} of {}, {} lost; {} skipped and {} unstamped over the run",
                    self.received,
                    self.expected,
                    self.lost(),
                    self.skipped,
                    self.unstamped
                ),
            );
            row(
                "received",
                format!("{:.1} MB", self.bytes_received as f64 / 1e6),
            );
        }
        row("publishers late", self.late.to_string());
        row("generator", format!("{:.3} cores", self.own_cores));
        row("others", format!("{:.3} cores", self.foreign_cores));
        for (failure, count) in &self.failures {
            row("failed", format!("{count} x {failure}"));
        }
        for doubt in self.doubts() {
            row("DOUBTFUL", doubt);
        }
        out
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        json!({
            "publishers": self.publishers,
            "viewers": self.viewers,
            "viewers_failed": self.viewers_failed,
            "window_s": self.seconds,
            "server": {
                "cores": self.server_cores,
                "user_cores": self.server_user,
                "system_cores": self.server_system,
                "rss_bytes": self.memory.rss,
                "pss_bytes": self.memory.pss,
                "idle_pss_bytes": self.memory_idle.pss,
                "bytes_per_publisher": self.bytes_per_publisher(),
            },
            "latency_ms": self.latency.json(),
            "join_ms": self.join.json(),
            "late_ms": self.late.json(),
            "frames_expected": self.expected,
            "frames_received": self.received,
            "frames_lost": self.lost(),
            "frames_skipped": self.skipped,
            "frames_unstamped": self.unstamped,
            "bytes_received": self.bytes_received,
            "generator_cores": self.own_cores,
            "foreign_cores": self.foreign_cores,
            "failures": self.failures.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "doubts": self.doubts(),
        })
    }
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl std::fmt::Display for Quantiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms ({} samples)",
            self.p50, self.p99, self.max, self.count
        )
    }
}

impl Quantiles {
    fn json(self) -> serde_json::Value {
        json!({ "count": self.count, "p50": self.p50, "p99": self.p99, "max": self.max })
    }
}
