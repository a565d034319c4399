//! `sidestream hls-check`: makes the checker's requests, and prints what it finds.

mod client;
mod folder;
mod show;

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::hls_check::{Checker, Options, Outcome, RequestId, Severity, Step, Url};
use tokio::task::JoinSet;

use super::args::{Global, HlsCheck, Target};
use super::report::Report;
use super::signals::Signals;
use super::{Exit, logging, runtime};

use client::Client;
use folder::Folder;

/// Where requests go.
enum Source {
    Http(Arc<Client>),
    Files(Arc<Folder>),
}

/// Checks, and prints.
pub(super) fn run(args: HlsCheck, global: &Global, report: &Report) -> Exit {
    logging::start(global, "warn", sidestream::config::LogFormat::Text);
    let name = match &args.target {
        Target::Url(url) => show::redacted(url.as_str()),
        Target::File(path) => path.display().to_string(),
    };
    let (source, url) = match source(&args) {
        Ok(found) => found,
        Err(why) => return report.error(format_args!("{name}: {why}")),
    };
    let mut options = Options::default();
    options.time = args.time;
    options.wait = args.wait;
    options.media = !args.no_media;
    options.rules.clone_from(&args.rules);
    let runtime = match runtime(report) {
        Ok(runtime) => runtime,
        Err(exit) => return exit,
    };
    let began = jiff::Timestamp::now();
    let start = Instant::now();
    let is_shown =
        std::io::stderr().is_terminal() && !(args.json || global.quiet || global.no_progress);
    let watched = runtime.block_on(async {
        let signals = Signals::new()?;
        Ok::<_, std::io::Error>(
            watch(
                Checker::new(url, options),
                &source,
                start,
                signals,
                is_shown,
            )
            .await,
        )
    });
    let (checker, was_cut_short) = match watched {
        Ok(watched) => watched,
        Err(error) => return report.error(format_args!("signals: {error}")),
    };
    let took = start.elapsed();
    let done = match checker.finish() {
        Ok(done) => done,
        Err(_) if was_cut_short => return Exit::Interrupted,
        Err(why) => {
            return report.error(format_args!(
                "{name}: {why}; check the address, or add --wait 30s"
            ));
        }
    };
    let report = show::Shown {
        name: &name,
        began,
        took,
        done: &done,
    };
    let text = match args.json {
        true => format!("{:#}\n", report.json()),
        false => report.text(),
    };
    // A closed pipe ends quietly.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    let fails = |severity| severity == Severity::Must || args.strict;
    if done
        .findings
        .iter()
        .any(|finding| fails(finding.check.severity))
    {
        Exit::Failed
    } else if was_cut_short {
        Exit::Interrupted
    } else {
        Exit::Done
    }
}

fn source(args: &HlsCheck) -> Result<(Source, Url), String> {
    match &args.target {
        Target::Url(url) => {
            let client = Client::new(url, &args.headers, args.insecure, args.http2)?;
            Ok((Source::Http(Arc::new(client)), url.clone()))
        }
        Target::File(path) => {
            let (folder, url) = Folder::new(path)?;
            Ok((Source::Files(Arc::new(folder)), url))
        }
    }
}

/// Makes the checker's requests until it ends, or Ctrl-C.
async fn watch(
    mut checker: Checker,
    source: &Source,
    start: Instant,
    mut signals: Signals,
    is_shown: bool,
) -> (Checker, bool) {
    let mut answers: JoinSet<(RequestId, Duration, Outcome)> = JoinSet::new();
    let mut shown = Duration::ZERO;
    let was_cut_short = loop {
        let until = match checker.poll(start.elapsed()) {
            Step::Ask(request) => {
                match source {
                    Source::Http(client) => {
                        let client = Arc::clone(client);
                        answers.spawn(async move {
                            let (id, outcome) = (request.id, client.ask(request).await);
                            (id, start.elapsed(), outcome)
                        });
                    }
                    Source::Files(folder) => {
                        let folder = Arc::clone(folder);
                        answers.spawn_blocking(move || {
                            (request.id, start.elapsed(), folder.ask(&request))
                        });
                    }
                }
                continue;
            }
            Step::Wait(until) => until,
            Step::End => break false,
        };
        if is_shown && start.elapsed() >= shown {
            shown = start.elapsed() + Duration::from_secs(1);
            eprint!(
                "\r\x1b[K{}   Ctrl-C ends",
                show::progress(&checker, start.elapsed())
            );
            let _ = std::io::stderr().flush();
        }
        // All are cancel safe: what is not taken now is there the next time.
        tokio::select! {
            biased;
            _ = signals.stop() => break true,
            Some(answer) = answers.join_next() => {
                // A request that panicked stays unanswered; there is none.
                if let Ok((id, at, outcome)) = answer {
                    checker.answer(id, at, outcome);
                }
            }
            () = tokio::time::sleep_until((start + until).into()) => {}
        }
    };
    if is_shown {
        eprint!("\r\x1b[K");
    }
    answers.abort_all();
    (checker, was_cut_short)
}
