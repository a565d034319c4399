//! The report for people.

use std::fmt::Write as _;

use super::Report;
use crate::address::Protocol;
use crate::histogram::Quantiles;

impl Report {
    /// A table, a line a subject, ending in what makes the run doubtful.
    #[must_use]
    pub fn table(&self) -> String {
        let mut rows: Vec<(&str, String)> = Vec::new();
        let plan = &self.plan;
        if let Some(publish) = &plan.publish {
            let ready = plan.streams.saturating_sub(self.publishers_failed);
            rows.push((
                "publishers",
                format!(
                    "{ready} of {}   {} {}   late {}",
                    plan.streams,
                    publish.source.codec_name(),
                    bitrate(publish.source.bitrate_bps() as f64),
                    short(self.late),
                ),
            ));
        }
        if self.plan.view.is_some() {
            self.viewer_rows(&mut rows);
        }
        if self.is_server_measured {
            rows.push(("server", self.server_row()));
            rows.push(("memory", self.memory_row()));
        }
        let foreign = self
            .foreign_cores()
            .map_or_else(String::new, |cores| format!("   others {cores:.2}"));
        let threads = plan.threads;
        rows.push((
            "generator",
            format!(
                "{:.2} core in {threads} thread{}{foreign}",
                self.cores(self.cpu.own),
                if threads == 1 { "" } else { "s" },
            ),
        ));
        rows.push(("window", format!("{:.1} s", self.window_s)));
        let mut text = String::new();
        for (name, value) in rows {
            let _ = writeln!(text, "{name:<12}{value}");
        }
        for (what, count) in &self.failures {
            let _ = writeln!(text, "{:<12}{count} x {what}", "failed");
        }
        for doubt in self.doubts() {
            let _ = writeln!(text, "{:<12}{doubt}", "doubtful");
        }
        text
    }

    fn viewer_rows(&self, rows: &mut Vec<(&str, String)>) {
        let (plan, counts, frames) = (&self.plan, &self.counts, &self.frames);
        let protocol = self.protocol().map_or("", Protocol::name);
        if self.plan.is_churn() {
            let per_join = self
                .seconds_per_join()
                .map_or_else(String::new, |s| format!("   server {:.0} us each", s * 1e6));
            rows.push((
                "joins",
                format!(
                    "{} over {protocol} by {} at once, {:.0} a second, {} failed{per_join}",
                    counts.joins,
                    plan.viewers(),
                    counts.joins as f64 / self.window_s.max(1e-9),
                    counts.joins_failed,
                ),
            ));
            rows.push(("join", long(self.join)));
        } else if self.plan.is_waiting() {
            rows.push((
                "viewers",
                format!(
                    "{} of {} held over {protocol}, {} failed{}",
                    self.held,
                    plan.viewers(),
                    self.viewers_failed,
                    self.served_after_s.map_or_else(String::new, |s| format!(
                        "; {} had a picture {} after the publishers began",
                        self.viewers_ready,
                        ms(s)
                    )),
                ),
            ));
        } else {
            let stalled = match plan.stalled() {
                0 => String::new(),
                n => format!(
                    ", {n} stalled ({} closed by the server)",
                    counts.stalled_closed
                ),
            };
            rows.push((
                "viewers",
                format!(
                    "{} of {} over {protocol}, {} failed{stalled}",
                    self.viewers_ready,
                    plan.viewers(),
                    self.viewers_failed,
                ),
            ));
            let loss = 100.0 * frames.lost as f64 / (frames.expected as f64).max(1.0);
            rows.push((
                "frames",
                format!(
                    "{} of {}   lost {} ({loss:.3} %) by {} viewers   audio missing {}",
                    frames.received,
                    frames.expected,
                    frames.lost,
                    frames.viewers_with_loss,
                    counts.audio_missing,
                ),
            ));
            rows.push(("latency", long(self.latency)));
            rows.push(("join", long(self.join)));
        }
        if self.protocol() == Some(Protocol::Hls) {
            rows.push((
                "segments",
                format!(
                    "{}   {}   missed {}, HTTP errors {}",
                    counts.segments,
                    long(self.segment),
                    counts.segments_missed,
                    counts.http_errors,
                ),
            ));
            rows.push(("edge", long(self.edge)));
            rows.push((
                "playlists",
                format!("{}   {}", counts.playlists, long(self.playlist)),
            ));
        }
        let rate = self.bytes_received as f64 / self.window_s.max(1e-9);
        rows.push((
            "received",
            format!("{:.1} MB/s   {}", rate / 1e6, bitrate(rate * 8.0)),
        ));
    }

    fn server_row(&self) -> String {
        let per_gb = self
            .seconds_per_gb()
            .map_or_else(String::new, |s| format!("   {s:.3} CPU s/GB"));
        format!(
            "{:.3} core (user {:.2}){per_gb}",
            self.cores(self.cpu.server),
            self.cores(self.cpu.server_user),
        )
    }

    fn memory_row(&self) -> String {
        let each = match (self.bytes_per_viewer(), self.bytes_per_publisher()) {
            (Some(bytes), _) => format!("   {:.1} KiB a viewer", bytes / 1024.0),
            (None, Some(bytes)) => format!("   {:.1} KiB a publisher", bytes / 1024.0),
            (None, None) => String::new(),
        };
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        if let Some((after, files)) = self.after {
            return format!(
                "PSS {:.1} MiB before viewers, {:.1} when the window began, {:.1} peak, {:.1} after; open files {} before, {files} after",
                mib(self.memory_before_viewers.pss),
                mib(self.memory_start.pss),
                mib(self.memory_peak.pss),
                mib(after.pss),
                self.open_files_before_viewers,
            );
        }
        format!(
            "PSS {:.1} MiB idle, {:.1} peak; RSS peak {:.1}{each}",
            mib(self.memory_idle.pss),
            mib(self.memory_peak.pss),
            mib(self.memory_peak.rss),
        )
    }
}

fn long(q: Quantiles) -> String {
    format!(
        "p50 {}   p90 {}   p99 {}   max {}",
        ms(q.p50),
        ms(q.p90),
        ms(q.p99),
        ms(q.max)
    )
}

fn short(q: Quantiles) -> String {
    format!("p99 {}", ms(q.p99))
}

fn ms(seconds: f64) -> String {
    let ms = seconds * 1e3;
    match ms {
        ..10.0 => format!("{ms:.2} ms"),
        ..100.0 => format!("{ms:.1} ms"),
        _ => format!("{ms:.0} ms"),
    }
}

fn bitrate(bps: f64) -> String {
    match bps {
        ..1e6 => format!("{:.0} kbit/s", bps / 1e3),
        ..1e9 => format!("{:.1} Mbit/s", bps / 1e6),
        _ => format!("{:.2} Gbit/s", bps / 1e9),
    }
}
