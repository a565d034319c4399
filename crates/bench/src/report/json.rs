//! The report for machines: one object, base units in the names.

use serde_json::{Map, Value, json};

use super::Report;
use crate::histogram::Quantiles;
use crate::plan::{Hls, Leave, Mode};
use crate::process::Memory;

impl Report {
    /// Every figure and every setting.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "settings": self.settings(),
            "window_s": self.window_s,
            "cut_short": self.was_cut_short,
            "doubts": self.doubts(),
            "failures": self.failures.iter().cloned().map(|(what, count)| (what, Value::from(count))).collect::<Map<_, _>>(),
            "publishers": {
                "count": self.plan.publishers(),
                "failed": self.publishers_failed,
                "bytes_sent": self.bytes_sent,
                "late_s": quantiles(self.late),
            },
            "viewers": {
                "count": self.plan.viewers(),
                "ready": self.viewers_ready,
                "failed": self.viewers_failed,
                "stalled": self.plan.stalled(),
                "stalled_closed": self.counts.stalled_closed,
                "bytes_received": self.bytes_received,
                "bytes_received_per_s": self.bytes_received as f64 / self.window_s.max(1e-9),
                "cached_frames": self.counts.cached,
            },
            "frames": {
                "expected": self.frames.expected,
                "received": self.frames.received,
                "lost": self.frames.lost,
                "loss": self.frames.lost as f64 / (self.frames.expected as f64).max(1.0),
                "viewers_with_loss": self.frames.viewers_with_loss,
                "worst_viewer_lost": self.frames.worst_viewer_lost,
                "skipped": self.counts.skipped,
                "repeated": self.counts.repeated,
                "unstamped": self.counts.unstamped,
                "strange": self.counts.strange,
            },
            "audio": {
                "received": self.counts.audio_received,
                "missing": self.counts.audio_missing,
            },
            "latency_s": quantiles(self.latency),
            "join_s": quantiles(self.join),
            "first_media_s": quantiles(self.first_media),
            "churn": self.churn_json(),
            "waiting": self.waiting_json(),
            "hls": self.hls_json(),
            "server": self.server_json(),
            "generator": {
                "threads": self.plan.threads,
                "cores": self.cores(self.cpu.own),
                "busiest_thread_cores": self.cores(self.cpu.busiest_thread),
                "foreign_cores": self.foreign_cores(),
            },
        })
    }

    fn settings(&self) -> Value {
        let plan = &self.plan;
        let view = plan.view.as_ref();
        json!({
            "publish": plan.publish.as_ref().map(|publish| publish.url.to_string()),
            "publish_ramp_per_s": plan.publish.as_ref().map(|publish| publish.ramp),
            "codec": plan.publish.as_ref().map(|publish| publish.source.codec_name()),
            "bitrate_bps": plan.publish.as_ref().map(|publish| publish.source.bitrate_bps()),
            "streams": plan.streams,
            "play": view.map(|view| view.url.to_string()),
            "protocol": self.protocol().map(|protocol| protocol.name()),
            "ramp_per_s": view.map(|view| view.ramp),
            "mode": match view.map(|view| view.mode) {
                Some(Mode::Churn { .. }) => Some("churn"),
                Some(Mode::Stay { .. }) => Some("stay"),
                Some(Mode::Wait) => Some("wait"),
                None => None,
            },
            "rate_per_s": match view.map(|view| view.mode) {
                Some(Mode::Churn { rate, .. }) => rate,
                _ => None,
            },
            "leave": match view.map(|view| view.mode) {
                Some(Mode::Churn { leave: Leave::Key, .. }) => Some("key"),
                Some(Mode::Churn { leave: Leave::Media, .. }) => Some("media"),
                _ => None,
            },
            "parts": view.map(|view| view.hls == Hls::Parts),
            "touch": plan.touch.as_ref().map(ToString::to_string),
            "server_pids": plan.server_pids,
            "threads": plan.threads,
            "settle_s": plan.settle.as_secs_f64(),
            "warmup_s": plan.warmup.as_secs_f64(),
            "window_s": plan.window.as_secs_f64(),
            "grace_s": plan.grace.as_secs_f64(),
            "connect_timeout_s": plan.connect_timeout.as_secs_f64(),
            "ca": plan.ca.as_ref().map(|path| path.display().to_string()),
        })
    }

    fn churn_json(&self) -> Value {
        if !self.plan.is_churn() {
            return Value::Null;
        }
        json!({
            "joins": self.counts.joins,
            "failed": self.counts.joins_failed,
            "joins_per_s": self.counts.joins as f64 / self.window_s.max(1e-9),
            "server_s_per_join": self.seconds_per_join(),
        })
    }

    fn waiting_json(&self) -> Value {
        if !self.plan.is_waiting() {
            return Value::Null;
        }
        json!({
            "held": self.held,
            "served": self.viewers_ready,
            "served_after_s": self.served_after_s,
        })
    }

    fn hls_json(&self) -> Value {
        if self.protocol() != Some(crate::Protocol::Hls) {
            return Value::Null;
        }
        json!({
            "playlists": self.counts.playlists,
            "playlist_s": quantiles(self.playlist),
            "segments": self.counts.segments,
            "segment_s": quantiles(self.segment),
            "edge_s": quantiles(self.edge),
            "segments_missed": self.counts.segments_missed,
            "http_errors": self.counts.http_errors,
        })
    }

    fn server_json(&self) -> Value {
        if !self.is_server_measured {
            return Value::Null;
        }
        json!({
            "cpu_s": self.cpu.server,
            "cpu_user_s": self.cpu.server_user,
            "cores": self.cores(self.cpu.server),
            "busiest_thread_s": self.cpu.server_busiest_thread,
            "cpu_s_per_gb": self.seconds_per_gb(),
            "memory_idle": memory(self.memory_idle),
            "memory_before_viewers": memory(self.memory_before_viewers),
            "memory_start": memory(self.memory_start),
            "memory_peak": memory(self.memory_peak),
            "memory_after": self.after.map(|(after, _)| memory(after)),
            "open_files_before_viewers": self.open_files_before_viewers,
            "open_files_after": self.after.map(|(_, files)| files),
            "bytes_per_viewer": self.bytes_per_viewer(),
            "bytes_per_publisher": self.bytes_per_publisher(),
        })
    }
}

fn quantiles(q: Quantiles) -> Value {
    json!({ "count": q.count, "mean": q.mean, "min": q.min, "p50": q.p50, "p90": q.p90, "p99": q.p99, "max": q.max })
}

fn memory(memory: Memory) -> Value {
    json!({ "pss_bytes": memory.pss, "rss_bytes": memory.rss })
}
