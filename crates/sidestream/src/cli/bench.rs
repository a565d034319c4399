//! `sidestream bench`: loads a server, and says what it did.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use ::bench::{Hls, Leave, LimitServer, Mode, Plan, Publish, Source, Stage, View, usual_grace};
use bytes::Bytes;

use super::args::{Bench, Global, LeaveName, Limit, ModeName, Reference};
use super::demo::CLIP;
use super::report::Report;
use super::signals::Signals;
use super::{Exit, logging};

/// Runs what was asked for.
pub(super) fn run(args: Bench, global: &Global, report: &Report) -> Exit {
    logging::start(global, "warn", sidestream::config::LogFormat::Text);
    // The generator has threads of its own; this one only waits.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return report.error(format_args!("threads: {error}")),
    };
    runtime.block_on(async {
        let signals = match Signals::new() {
            Ok(signals) => signals,
            Err(error) => return report.error(format_args!("signals: {error}")),
        };
        match args.reference {
            Some(Reference::Limit(ref limit)) => serve_limit(limit, signals, report).await,
            None => measure(args, global, signals, report).await,
        }
    })
}

async fn measure(args: Bench, global: &Global, mut signals: Signals, report: &Report) -> Exit {
    let json = args.json;
    let plan = match plan(args) {
        Ok(plan) => plan,
        Err(error) => return report.error(error),
    };
    if let Err(error) = plan.check() {
        report.error(error);
        return Exit::Usage;
    }
    let mut progress = Progress {
        is_shown: std::io::stderr().is_terminal() && !(json || global.quiet || global.no_progress),
        window_s: plan.window.as_secs_f64(),
        shown: String::new(),
    };
    let stop = async {
        signals.stop().await;
    };
    let done = ::bench::run(plan, stop, |stage| progress.show(stage)).await;
    progress.clear();
    let done = match done {
        Ok(done) => done,
        Err(error) => return report.error(format_args!("bench: {error}")),
    };
    let text = match json {
        true => format!("{:#}\n", done.json()),
        false => done.table(),
    };
    // A closed pipe ends quietly.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    match done.was_cut_short {
        true => Exit::Interrupted,
        false => Exit::Done,
    }
}

fn plan(args: Bench) -> Result<Plan, String> {
    let protocol = args.play.as_ref().map(::bench::Template::protocol);
    let publish = match args.publish {
        None => None,
        Some(url) => Some(Publish {
            url,
            source: Arc::new(source(args.file.as_deref())?),
            ramp: args.publish_ramp,
        }),
    };
    let view = args.play.map(|url| View {
        url,
        viewers: args.viewers.unwrap_or(1),
        ramp: args.ramp,
        hls: if args.parts {
            Hls::Parts
        } else {
            Hls::Segments
        },
        mode: match args.mode {
            ModeName::Stay => Mode::Stay {
                stalled: args.stalled,
            },
            ModeName::Wait => Mode::Wait,
            ModeName::Churn => Mode::Churn {
                rate: args.rate,
                leave: match args.leave {
                    LeaveName::Key => Leave::Key,
                    LeaveName::Media => Leave::Media,
                },
            },
        },
    });
    Ok(Plan {
        publish,
        streams: args.streams.unwrap_or(args.publishers),
        view,
        touch: args.touch,
        server_pids: args.server_pid,
        threads: args.threads,
        settle: args.settle,
        warmup: args.warmup,
        window: args.window,
        grace: args.grace.unwrap_or_else(|| usual_grace(protocol)),
        connect_timeout: args.connect_timeout,
        ca: args.ca,
    })
}

/// The file that was named, or the built-in clip.
fn source(file: Option<&Path>) -> Result<Source, String> {
    let Some(path) = file else {
        return Source::parse(Bytes::from_static(CLIP)).map_err(|error| error.to_string());
    };
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{}: no such file", path.display()),
        _ => format!("{}: {error}", path.display()),
    })?;
    Source::parse(bytes.into()).map_err(|error| format!("{}: {error}", path.display()))
}

async fn serve_limit(args: &Limit, mut signals: Signals, report: &Report) -> Exit {
    let source = match source(args.file.as_deref()) {
        Ok(source) => source,
        Err(error) => return report.error(error),
    };
    let server = match LimitServer::bind(args.listen, source, args.batch).await {
        Ok(server) => server,
        Err(error) => return report.error(format_args!("--listen {error}")),
    };
    match server.local_addr() {
        Ok(addr) => eprintln!("reference server on raw://{addr}; Ctrl-C ends it"),
        Err(error) => return report.error(error),
    }
    // Dropping the server closes its connections; it keeps nothing.
    tokio::select! {
        served = server.serve() => match served {
            Ok(()) => Exit::Done,
            Err(error) => report.error(error),
        },
        _ = signals.stop() => Exit::Done,
    }
}

/// One line on a terminal, drawn again when it changes.
struct Progress {
    is_shown: bool,
    window_s: f64,
    shown: String,
}

impl Progress {
    fn show(&mut self, stage: Stage) {
        if !self.is_shown {
            return;
        }
        let text = match stage {
            Stage::Publishers(ready, of) => format!("publishers {ready}/{of}"),
            Stage::Viewers(ready, of) => format!("viewers {ready}/{of}"),
            Stage::WarmUp => "warm-up".to_owned(),
            Stage::Window(open) => {
                format!(
                    "window {:.0}/{:.0} s",
                    open.as_secs_f64().floor(),
                    self.window_s
                )
            }
            _ => "waiting for the last frames".to_owned(),
        };
        if text != self.shown {
            eprint!("\r\x1b[K{text}   Ctrl-C ends");
            let _ = std::io::stderr().flush();
            self.shown = text;
        }
    }

    fn clear(&self) {
        if !self.shown.is_empty() {
            eprint!("\r\x1b[K");
        }
    }
}
