//! `/metrics`: figures for Prometheus, read from the hub and the counters at each scrape.

mod callbacks;

use std::collections::BTreeMap;
use std::fmt::Error;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use hub::{Hub, Phase, Stream};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::api::{self, Recordings};
use crate::counters::Counters;
use crate::error::{Problem, Reason};
use crate::health::{Health, Worker};
use crate::hls::Hls;
use crate::mirror::HlsCopy;
use crate::state::Shared;
use callbacks::CallbackFigures;

/// What all names begin with.
const PREFIX: &str = "sidestream";

/// What `/metrics` shows.
pub(crate) struct Metrics {
    /// Sums only.
    sums: Registry,
    /// With series per stream.
    whole: Registry,
}

/// Who asks for figures. Names of streams are not for everybody: who knows one can watch it, and
/// in open mode publish it. So series per stream are for those whom the API answers too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    Everybody,
    Operators,
}

impl Metrics {
    pub(crate) fn new(
        hub: &Hub,
        counters: &Arc<Counters>,
        hls: &Hls,
        (health, recordings): (&Arc<dyn Health>, &Arc<dyn Recordings>),
        per_stream: usize,
        version: &'static str,
    ) -> Self {
        let registry = |per_stream| {
            let mut registry = Registry::with_prefix(PREFIX);
            let build = Info::new(vec![("version", version)]);
            registry.register("build", "What is running", build);
            registry.register_collector(Box::new(Figures {
                hub: hub.clone(),
                counters: Arc::clone(counters),
                hls: hls.clone(),
                health: Arc::clone(health),
                recordings: Arc::clone(recordings),
                per_stream,
            }));
            registry
        };
        Self {
            sums: registry(0),
            whole: registry(per_stream),
        }
    }

    pub(crate) fn encode(
        &self,
        audience: Audience,
        callbacks: Option<CallbackFigures>,
    ) -> Result<String, Error> {
        let registry = match audience {
            Audience::Everybody => &self.sums,
            Audience::Operators => &self.whole,
        };
        let mut text = String::new();
        encode_registry(&mut text, registry)?;
        if let Some(callbacks) = callbacks {
            let mut registry = Registry::with_prefix(PREFIX);
            registry.register_collector(Box::new(callbacks));
            encode_registry(&mut text, &registry)?;
        }
        encode_eof(&mut text)?;
        Ok(text)
    }
}

/// The figures in OpenMetrics text.
pub(crate) async fn metrics(
    State(shared): State<Arc<Shared>>,
    request: Request,
) -> Result<Response, Problem> {
    if !shared.config.metrics.enabled {
        let detail = "metrics are switched off (metrics.enabled)";
        return Err(Problem::new(Reason::RouteNotFound, detail));
    }
    let audience = if api::is_operator(&shared, &request) {
        Audience::Operators
    } else {
        Audience::Everybody
    };
    let callbacks = match &shared.callbacks {
        Some(callbacks) => Some(CallbackFigures::read(callbacks).await),
        None => None,
    };
    let text = shared
        .metrics
        .encode(audience, callbacks)
        .map_err(|_| Problem::new(Reason::OVERLOADED, "the figures cannot be written"))?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let headers = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "no-store")];
    Ok((headers, text).into_response())
}

struct Figures {
    hub: Hub,
    counters: Arc<Counters>,
    hls: Hls,
    health: Arc<dyn Health>,
    recordings: Arc<dyn Recordings>,
    per_stream: usize,
}

impl std::fmt::Debug for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Figures")
    }
}

/// Labels and values of one metric.
type Series<V> = Vec<(Vec<(&'static str, String)>, V)>;

/// Writes metrics one after the other.
struct Writer<'a> {
    encoder: DescriptorEncoder<'a>,
}

impl Writer<'_> {
    fn counter(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        series: &Series<u64>,
    ) -> Result<(), Error> {
        let mut metric = self
            .encoder
            .encode_descriptor(name, help, unit, MetricType::Counter)?;
        if let [(labels, value)] = series.as_slice()
            && labels.is_empty()
        {
            return ConstCounter::new(*value).encode(metric);
        }
        for (labels, value) in series {
            let labels = labels.as_slice();
            ConstCounter::new(*value).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauge(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        series: &Series<f64>,
    ) -> Result<(), Error> {
        let mut metric = self
            .encoder
            .encode_descriptor(name, help, unit, MetricType::Gauge)?;
        if let [(labels, value)] = series.as_slice()
            && labels.is_empty()
        {
            return ConstGauge::new(*value).encode(metric);
        }
        for (labels, value) in series {
            let labels = labels.as_slice();
            ConstGauge::new(*value).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut writer = Writer { encoder };
        let streams = self.hub.list();
        totals(&mut writer, &streams)?;
        self.shells(&mut writer)?;
        self.workers(&mut writer)?;
        self.recordings(&mut writer)?;
        self.per_stream(&mut writer, &streams)
    }
}

/// A count as a gauge's number; exact below 2^53.
#[expect(clippy::cast_precision_loss, reason = "figures for plots")]
fn float(count: u64) -> f64 {
    count as f64
}

fn by<V: Copy>(label: &'static str, values: &[(&'static str, V)]) -> Series<V> {
    let labelled =
        |(value, count): &(&'static str, V)| (vec![(label, (*value).to_owned())], *count);
    values.iter().map(labelled).collect()
}

/// The labels of one stream's series.
fn names(stream: &Stream) -> Vec<(&'static str, String)> {
    vec![
        ("app", stream.name().app().to_owned()),
        ("stream", stream.name().stream().to_owned()),
    ]
}

fn totals(writer: &mut Writer<'_>, streams: &[Arc<Stream>]) -> Result<(), Error> {
    let mut live = 0;
    let mut interrupted = 0;
    let mut publishers: BTreeMap<&'static str, u64> = BTreeMap::new();
    let mut viewers: BTreeMap<&'static str, u64> = BTreeMap::new();
    for stream in streams {
        match stream.phase() {
            Phase::Live => live += 1,
            _ => interrupted += 1,
        }
        if let Some((publisher, _)) = stream.publisher() {
            *publishers.entry(publisher.protocol).or_default() += 1;
        }
        for viewer in stream.viewers().list() {
            *viewers.entry(viewer.info.protocol).or_default() += 1;
        }
    }
    let floats = |map: BTreeMap<&'static str, u64>| {
        let list: Vec<_> = map.into_iter().map(|(k, v)| (k, float(v))).collect();
        by("protocol", &list)
    };
    let states = [("live", float(live)), ("interrupted", float(interrupted))];
    writer.gauge("streams", "Streams by state", None, &by("state", &states))?;
    writer.gauge(
        "publishers",
        "Publishers by protocol",
        None,
        &floats(publishers),
    )?;
    writer.gauge("viewers", "Viewers by protocol", None, &floats(viewers))
}

impl Figures {
    fn shells(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let now = self.counters.snapshot();
        let floats: Vec<_> = now
            .connections_open
            .iter()
            .map(|(label, value)| (*label, float(*value)))
            .collect();
        writer.gauge(
            "connections_open",
            "Connections open now, by listener",
            None,
            &by("protocol", &floats),
        )?;
        let counters: [(&str, &str, &'static str, Option<&Unit>, &[_]); 9] = [
            (
                "connections",
                "Connections accepted, by listener",
                "protocol",
                None,
                &now.connections,
            ),
            (
                "received",
                "Media bytes received, by protocol",
                "protocol",
                Some(&Unit::Bytes),
                &now.bytes_in,
            ),
            (
                "sent",
                "Bytes sent to viewers and targets, by protocol",
                "protocol",
                Some(&Unit::Bytes),
                &now.bytes_out,
            ),
            (
                "http_received",
                "Bytes read from HTTP connections, by listener",
                "protocol",
                Some(&Unit::Bytes),
                &now.wire_in,
            ),
            (
                "http_sent",
                "Bytes written to HTTP connections that are served here, by listener",
                "protocol",
                Some(&Unit::Bytes),
                &now.wire_out,
            ),
            (
                "rejected",
                "Connections and requests turned away, by reason",
                "reason",
                None,
                &now.rejected,
            ),
            (
                "viewer_skips",
                "Times that viewers lagged and were moved on, by protocol",
                "protocol",
                None,
                &now.viewer_skips,
            ),
            (
                "cut",
                "Connections cut after they were served, by reason",
                "reason",
                None,
                &now.cut,
            ),
            (
                "http_responses",
                "HTTP answers, by class of status",
                "status",
                None,
                &now.requests,
            ),
        ];
        for (name, help, label, unit, values) in counters {
            writer.counter(name, help, unit, &by(label, values))?;
        }
        Ok(())
    }

    /// A worker whose passes grow long is one that is nearly full.
    fn workers(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let workers = self.health.workers();
        let gauge = |value: &dyn Fn(&Worker) -> f64| -> Series<f64> {
            let label = |index: usize| vec![("worker", index.to_string())];
            let numbered = workers.iter().enumerate();
            numbered.map(|(i, w)| (label(i), value(w))).collect()
        };
        writer.gauge(
            "worker_viewers",
            "Viewers of each thread that serves viewers",
            None,
            &gauge(&|worker| float(worker.viewers as u64)),
        )?;
        writer.gauge(
            "worker_pass",
            "Time that one pass over all viewers of a thread takes, a moving average",
            Some(&Unit::Seconds),
            &gauge(&|worker| worker.pass.as_secs_f64()),
        )
    }

    fn recordings(&self, writer: &mut Writer<'_>) -> Result<(), Error> {
        let states = self.recordings.states().into_iter();
        let states: Vec<_> = states.map(|(word, count)| (word, float(count))).collect();
        let help = "Recordings by state";
        writer.gauge("recordings", help, None, &by("state", &states))?;
        for (name, help, count) in self.recordings.totals() {
            let (name, unit) = match name.strip_suffix("_bytes") {
                Some(name) => (name, Some(&Unit::Bytes)),
                None => (name, None),
            };
            writer.counter(name, help, unit, &vec![(Vec::new(), count)])?;
        }
        Ok(())
    }

    fn per_stream(&self, writer: &mut Writer<'_>, streams: &[Arc<Stream>]) -> Result<(), Error> {
        let shown = streams.iter().take(self.per_stream);
        let stats: Vec<_> = shown.map(|stream| (stream, stream.stats())).collect();
        let hidden = streams.len().saturating_sub(stats.len());
        writer.gauge(
            "streams_without_series",
            "Streams without series of their own: beyond metrics.per_stream, or all without access",
            None,
            &vec![(Vec::new(), float(hidden as u64))],
        )?;
        let counter = |value: &dyn Fn(&Stream, &hub::StreamStats) -> u64| -> Series<u64> {
            let one = |(stream, stats): &(&Arc<Stream>, hub::StreamStats)| {
                (names(stream), value(stream, stats))
            };
            stats.iter().map(one).collect()
        };
        let gauge = |value: &dyn Fn(&Stream, &hub::StreamStats) -> u64| -> Series<f64> {
            let exact = counter(value);
            exact.into_iter().map(|(l, v)| (l, float(v))).collect()
        };
        let bytes = Some(&Unit::Bytes);
        writer.counter(
            "stream_received",
            "Media bytes received from the publisher",
            bytes,
            &counter(&|_, stats| stats.bytes_in),
        )?;
        writer.counter(
            "stream_sent",
            "Bytes sent to viewers",
            bytes,
            &counter(&|stream, _| stream.viewers().bytes_out()),
        )?;
        writer.counter(
            "stream_units",
            "Access units received",
            None,
            &counter(&|_, stats| stats.units_in),
        )?;
        writer.counter(
            "stream_skips",
            "Times that viewers lagged and were moved on",
            None,
            &counter(&|stream, _| stream.viewers().skips()),
        )?;
        writer.counter(
            "stream_gaps",
            "Breaks of the publisher's clock, and changes of publisher",
            None,
            &counter(&|_, stats| {
                stats.timing.gaps + stats.timing.restarts + stats.sessions.saturating_sub(1)
            }),
        )?;
        writer.gauge(
            "stream_viewers",
            "Viewers of the stream",
            None,
            &gauge(&|stream, _| stream.viewers().count() as u64),
        )?;
        writer.gauge(
            "stream_bitrate_bps",
            "Bits per second received",
            None,
            &gauge(&|_, stats| stats.bitrate_bps),
        )?;
        writer.gauge(
            "stream_ring",
            "Bytes that the stream's ring keeps",
            bytes,
            &gauge(&|_, stats| stats.ring_bytes as u64),
        )?;
        self.hls(writer, streams)
    }

    /// Series of the streams whose HLS somebody has asked for.
    fn hls(&self, writer: &mut Writer<'_>, streams: &[Arc<Stream>]) -> Result<(), Error> {
        let shown = streams.iter().take(self.per_stream);
        let stats: Vec<_> = shown
            .filter_map(|stream| Some((stream, self.hls.get(stream.name())?.stats())))
            .collect();
        let series = |value: fn(&::hls::Stats) -> u64| -> Series<u64> {
            let one =
                |(stream, stats): &(&Arc<Stream>, ::hls::Stats)| (names(stream), value(stats));
            stats.iter().map(one).collect()
        };
        type Value = fn(&::hls::Stats) -> u64;
        let counters: [(&str, &str, Value); 8] = [
            ("segments", "HLS segments cut", |s| s.segments),
            (
                "forced_cuts",
                "HLS segments that ended without a random access unit",
                |s| s.forced_cuts,
            ),
            ("discontinuities", "Breaks of the timeline in HLS", |s| {
                s.discontinuities
            }),
            (
                "waiting_units",
                "Video units left out of HLS before the first random access unit",
                |s| s.waiting_units,
            ),
            ("damaged_units", "Units that HLS left out as damaged", |s| {
                s.damaged_units
            }),
            (
                "evicted_segments",
                "HLS segments dropped early to keep within the limit of bytes",
                |s| s.evicted_segments,
            ),
            (
                "locked_segments",
                "HLS segments not made because their key was missing",
                |s| s.locked_segments,
            ),
            ("renders", "Times that HLS playlists were rendered", |s| {
                s.renders
            }),
        ];
        for (name, help, value) in counters {
            let name = format!("stream_hls_{name}");
            writer.counter(&name, help, None, &series(value))?;
        }
        let held = series(|s| s.bytes as u64);
        let held = held.into_iter().map(|(l, v)| (l, float(v))).collect();
        let help = "Bytes of HLS segments held";
        writer.gauge("stream_hls_held", help, Some(&Unit::Bytes), &held)?;
        self.copies(writer, streams)?;
        self.dvr(writer, streams)
    }

    /// Series of the copies in a storage.
    fn copies(&self, writer: &mut Writer<'_>, streams: &[Arc<Stream>]) -> Result<(), Error> {
        let shown = streams.iter().take(self.per_stream);
        let copies: Vec<_> = shown
            .flat_map(|stream| {
                let copies = self.hls.copies(stream.name()).into_iter();
                copies.map(move |copy| (stream, copy))
            })
            .collect();
        let labels = |stream: &Arc<Stream>, copy: &HlsCopy| {
            let mut labels = names(stream);
            labels.push(("container", copy.container.to_owned()));
            labels
        };
        let behind: Series<f64> = copies
            .iter()
            .map(|(stream, copy)| (labels(stream, copy), copy.behind_s))
            .collect();
        let help = "For how long the copy of HLS in the storage has not shown what is newest";
        writer.gauge(
            "stream_hls_copy_behind",
            help,
            Some(&Unit::Seconds),
            &behind,
        )?;
        type Value = fn(&HlsCopy) -> u64;
        let counters: [(&str, &str, Value); 3] = [
            (
                "skipped_segments",
                "HLS segments that the storage never got",
                |copy| copy.skipped,
            ),
            ("failures", "Requests to the storage that failed", |copy| {
                copy.failures
            }),
            ("objects", "Objects written to the storage", |copy| {
                copy.objects
            }),
        ];
        for (name, help, value) in counters {
            let series: Series<u64> = copies
                .iter()
                .map(|(stream, copy)| (labels(stream, copy), value(copy)))
                .collect();
            writer.counter(&format!("stream_hls_copy_{name}"), help, None, &series)?;
        }
        Ok(())
    }

    /// Series of the streams that are kept on the disk.
    fn dvr(&self, writer: &mut Writer<'_>, streams: &[Arc<Stream>]) -> Result<(), Error> {
        let shown = streams.iter().take(self.per_stream);
        let kept: Vec<_> = shown
            .filter_map(|stream| Some((names(stream), self.hls.shelf(stream.name())?.state())))
            .collect();
        let lost: Series<u64> = kept.iter().map(|(l, s)| (l.clone(), s.lost)).collect();
        let help = "HLS segments that a slow or full disk did not take";
        writer.counter("stream_dvr_lost_segments", help, None, &lost)?;
        let bytes = kept.into_iter().map(|(l, s)| (l, float(s.bytes)));
        let help = "Bytes of HLS segments kept on the disk";
        writer.gauge(
            "stream_dvr_kept",
            help,
            Some(&Unit::Bytes),
            &bytes.collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn an_empty_server_has_its_build_and_an_end() {
        let config = crate::Config {
            version: "9.9.9",
            ..crate::Config::default()
        };
        let parts = crate::Parts::new(Hub::new(hub::Config::default()));
        let shared = Shared::new(config, parts);
        let text = shared.metrics.encode(Audience::Operators, None).unwrap();
        assert!(text.contains("sidestream_build_info{version=\"9.9.9\"} 1\n"));
        assert!(text.contains("sidestream_streams{state=\"live\"} 0"));
        assert!(text.ends_with("# EOF\n"));
    }
}
