//! What came out of a run.

mod json;
mod table;

use std::time::Duration;

use crate::address::Protocol;
use crate::histogram::Quantiles;
use crate::plan::Plan;
use crate::process::{Cpu, CpuUsed, Memory};
use crate::tally::{Frames, Tally};

/// A generator's thread that used more of a core was the bottleneck.
const BUSY_CORES: f64 = 0.9;
/// Publishers that were later (p99), in seconds, were not publishers.
const LATE_S: f64 = 0.1;
/// What others may use of all cores before figures suffer.
const FOREIGN_CORES: f64 = 0.15;

/// Raw results, as the run gathers them.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) tally: Tally,
    pub(crate) cpu_before: Cpu,
    pub(crate) cpu_after: Cpu,
    /// When the two were read; equal when there was no window.
    pub(crate) read_ns: (u64, u64),
    pub(crate) memory_idle: Memory,
    pub(crate) memory_before_viewers: Memory,
    pub(crate) memory_start: Memory,
    pub(crate) memory_peak: Memory,
    pub(crate) open_files_before_viewers: u64,
    /// Memory and open files when churning viewers have left.
    pub(crate) after: Option<(Memory, u64)>,
    /// Waiting viewers that were still there at the end of the window.
    pub(crate) held: u32,
    /// From the start of the publishers until every waiting viewer had a picture, or had failed.
    pub(crate) served_after: Option<Duration>,
    pub(crate) publishers_failed: u32,
    pub(crate) viewers_ready: u32,
    pub(crate) viewers_failed: u32,
    pub(crate) is_server_measured: bool,
    pub(crate) was_cut_short: bool,
}

/// What came out of a run. Times are in seconds, sizes in bytes.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// What was asked for.
    pub plan: Plan,
    /// Seconds that were measured; less than asked for when it was cut short, 0 when it was before the window.
    pub window_s: f64,
    /// It was ended before its time.
    pub was_cut_short: bool,
    /// Publishers that failed, or were lost.
    pub publishers_failed: u32,
    /// Viewers that had media (churn: joins of the whole run).
    pub viewers_ready: u32,
    /// Viewers that failed, or were lost (churn: joins).
    pub viewers_failed: u32,
    /// Frames of the window.
    pub frames: Frames,
    /// From the publisher's write to the viewer's read.
    pub latency: Quantiles,
    /// From the start of a connection to the first key frame; HLS: to the first segment.
    pub join: Quantiles,
    /// From the start of a connection to the first media of any kind.
    pub first_media: Quantiles,
    /// How late messages were sent.
    pub late: Quantiles,
    /// Fetches of playlists.
    pub playlist: Quantiles,
    /// Fetches of segments, or parts.
    pub segment: Quantiles,
    /// From the publisher's write of the newest picture in a segment or part to the end of its fetch.
    pub edge: Quantiles,
    /// Bytes that viewers received in the window.
    pub bytes_received: u64,
    /// Bytes that publishers sent in the window.
    pub bytes_sent: u64,
    /// CPU seconds of the window.
    pub cpu: CpuUsed,
    /// Of the server, before anything began.
    pub memory_idle: Memory,
    /// With all publishers and no viewer.
    pub memory_before_viewers: Memory,
    /// When the window began.
    pub memory_start: Memory,
    /// Peak in the window.
    pub memory_peak: Memory,
    /// Open files of the server with all publishers and no viewer.
    pub open_files_before_viewers: u64,
    /// Memory and open files of the server when churning viewers had left.
    pub after: Option<(Memory, u64)>,
    /// Waiting viewers that were still there at the end of the window.
    pub held: u32,
    /// Seconds from the start of the publishers until every waiting viewer had a picture, or had failed.
    pub served_after_s: Option<f64>,
    /// What went wrong, and how often.
    pub failures: Vec<(String, u64)>,
    is_server_measured: bool,
    counts: Counts,
}

/// Smaller counts; see [`Tally`].
#[derive(Debug, Default)]
struct Counts {
    skipped: u64,
    repeated: u64,
    unstamped: u64,
    strange: u64,
    cached: u64,
    audio_received: u64,
    audio_missing: u64,
    playlists: u64,
    segments: u64,
    segments_missed: u64,
    http_errors: u64,
    joins: u64,
    joins_failed: u64,
    stalled_closed: u64,
}

impl Report {
    pub(crate) fn new(plan: &Plan, outcome: Outcome) -> Self {
        let tally = outcome.tally;
        let (before_ns, after_ns) = outcome.read_ns;
        Self {
            plan: plan.clone(),
            window_s: (after_ns - before_ns) as f64 / 1e9,
            was_cut_short: outcome.was_cut_short,
            publishers_failed: outcome.publishers_failed,
            viewers_ready: outcome.viewers_ready,
            viewers_failed: outcome.viewers_failed,
            frames: tally.frames(),
            latency: tally.latency.quantiles(),
            join: tally.join.quantiles(),
            first_media: tally.first_media.quantiles(),
            late: tally.late.quantiles(),
            playlist: tally.playlist.quantiles(),
            segment: tally.segment.quantiles(),
            edge: tally.edge.quantiles(),
            bytes_received: tally.bytes_received,
            bytes_sent: tally.bytes_sent,
            cpu: outcome.cpu_after.since(&outcome.cpu_before),
            memory_idle: outcome.memory_idle,
            memory_before_viewers: outcome.memory_before_viewers,
            memory_start: outcome.memory_start,
            memory_peak: outcome.memory_peak,
            open_files_before_viewers: outcome.open_files_before_viewers,
            after: outcome.after,
            held: outcome.held,
            served_after_s: outcome.served_after.map(|time| time.as_secs_f64()),
            is_server_measured: outcome.is_server_measured,
            counts: Counts {
                skipped: tally.skipped,
                repeated: tally.repeated,
                unstamped: tally.unstamped,
                strange: tally.strange,
                cached: tally.cached,
                audio_received: tally.audio_received,
                audio_missing: tally.audio_missing,
                playlists: tally.playlists,
                segments: tally.segments,
                segments_missed: tally.segments_missed,
                http_errors: tally.http_errors,
                joins: tally.joins,
                joins_failed: tally.joins_failed,
                stalled_closed: tally.stalled_closed,
            },
            failures: tally.failures.into_iter().collect(),
        }
    }

    /// Seconds of CPU per second of the window.
    fn cores(&self, seconds: f64) -> f64 {
        seconds / self.window_s.max(1e-9)
    }

    /// CPU of neither the server nor the generator; only known when the server is measured.
    fn foreign_cores(&self) -> Option<f64> {
        let foreign = self.cpu.machine - self.cpu.server - self.cpu.own;
        self.is_server_measured
            .then(|| self.cores(foreign.max(0.0)))
    }

    /// CPU seconds of the server per 10^9 bytes that viewers received.
    fn seconds_per_gb(&self) -> Option<f64> {
        let received = self.is_server_measured && self.bytes_received > 0;
        received.then(|| self.cpu.server / (self.bytes_received as f64 / 1e9))
    }

    /// CPU seconds of the server per join.
    fn seconds_per_join(&self) -> Option<f64> {
        let joined = self.is_server_measured && self.counts.joins > 0;
        joined.then(|| self.cpu.server / self.counts.joins as f64)
    }

    /// Growth of the server's memory (PSS) over the viewers, for each.
    fn bytes_per_viewer(&self) -> Option<f64> {
        let viewers = f64::from(self.plan.viewers());
        let is_known = self.is_server_measured && viewers > 0.0 && !self.plan.is_churn();
        is_known.then(|| growth(self.memory_before_viewers, self.memory_peak) / viewers)
    }

    /// Growth of the server's memory (PSS) over the publishers, for each; without viewers only.
    fn bytes_per_publisher(&self) -> Option<f64> {
        let publishers = f64::from(self.plan.publishers());
        let is_known = self.is_server_measured && publishers > 0.0 && self.plan.view.is_none();
        is_known.then(|| growth(self.memory_idle, self.memory_peak) / publishers)
    }

    fn protocol(&self) -> Option<Protocol> {
        self.plan.view.as_ref().map(|view| view.url.protocol())
    }

    /// Why this run does not measure the server: the generator, or the machine, was at its limit.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        let busiest = self.cores(self.cpu.busiest_thread);
        if self.window_s > 0.0 && busiest > BUSY_CORES {
            doubts.push(format!(
                "the generator was full: a thread used {busiest:.2} core; pass more --threads, or lower the load"
            ));
        }
        if self.late.p99 > LATE_S {
            doubts.push(format!(
                "publishers were {:.0} ms late (p99): the generator, or the server's reading, did not keep up",
                self.late.p99 * 1e3
            ));
        }
        if let Some(foreign) = self.foreign_cores()
            && foreign >= FOREIGN_CORES
        {
            doubts.push(format!("other processes used {foreign:.2} core"));
        }
        if self.counts.unstamped > 0 {
            doubts.push(format!(
                "{} pictures had no stamp, and are in no figure: the server changed them, or something other than this bench publishes",
                self.counts.unstamped
            ));
        }
        if self.counts.strange > 0 {
            doubts.push(format!(
                "{} pictures were of another stream than was asked for",
                self.counts.strange
            ));
        }
        if self.was_cut_short {
            doubts.push("it was cut short".to_owned());
        }
        doubts
    }
}

fn growth(before: Memory, after: Memory) -> f64 {
    after.pss.saturating_sub(before.pss) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Mode;
    use crate::plan::tests::plan;

    #[test]
    fn a_run_says_when_it_did_not_measure_the_server() {
        let plan = plan(1, 1, Mode::Stay { stalled: 0 });
        let outcome = Outcome {
            is_server_measured: true,
            ..Outcome::default()
        };
        let mut report = Report::new(&plan, outcome);
        report.window_s = 10.0;
        report.cpu.own = 8.9;
        report.cpu.server = 3.0;
        report.cpu.machine = 13.0;
        report.cpu.busiest_thread = 8.9;
        assert_eq!(report.doubts(), Vec::<String>::new());
        report.cpu.busiest_thread = 9.1;
        let full = "the generator was full: a thread used 0.91 core; pass more --threads, or lower the load";
        assert_eq!(report.doubts(), [full]);
        report.cpu.busiest_thread = 1.0;
        report.cpu.machine = 14.0;
        assert_eq!(report.doubts(), ["other processes used 0.21 core"]);
        report.cpu.machine = 13.0;
        report.late.p99 = 0.2;
        let late = "publishers were 200 ms late (p99): the generator, or the server's reading, did not keep up";
        assert_eq!(report.doubts(), [late]);
    }
}
