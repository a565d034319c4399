//! The cases that `docs/BENCHMARKS.md` measures, in short: what is lost, refused and left behind, and
//! never how fast. Every frame of every viewer is counted by `sidestream bench`.

use std::time::Duration;

use e2e::server::{Options, SHORT_LIFE, Server, clean_command};
use e2e::{process, wait};
use serde_json::Value;

/// Runs `sidestream bench` with a publisher of the built-in clip and `play` for its viewers.
fn bench(server: &Server, stream: &str, play: &str, arguments: &[&str]) -> Value {
    let publish = server.rtmp_url(&format!("live/{stream}{{}}"));
    let mut program = clean_command();
    program.args(["bench", "--json", "--quiet", "--publish", &publish]);
    program.args(["--play", &play.replace("STREAM", &format!("{stream}{{}}"))]);
    program.args([
        "--settle", "300ms", "--warmup", "300ms", "--window", "1500ms",
    ]);
    // Tests share two cores: what is late here is not lost.
    program.args(["--grace", "10s", "--server-pid"]);
    program.arg(server.process().id().to_string());
    program.args(arguments);
    let output = process::run("sidestream bench", program, Duration::from_secs(90));
    assert!(output.code == Some(0), "{}", output.text());
    serde_json::from_slice(&output.stdout).unwrap()
}

fn server(fanout: &str) -> Server {
    Server::with_config(&format!("{SHORT_LIFE}[fanout]\n{fanout}\n"))
}

/// Nothing failed, and every frame came to everyone once.
fn assert_whole(run: &Value, viewers: u64) {
    assert_eq!(run["viewers"]["count"], viewers, "{run:#}");
    assert_eq!(run["viewers"]["failed"], 0, "{run:#}");
    assert_eq!(run["publishers"]["failed"], 0, "{run:#}");
    let frames = &run["frames"];
    assert!(frames["expected"].as_u64().unwrap() > 0, "{run:#}");
    for wrong in ["lost", "repeated", "skipped", "strange", "unstamped"] {
        assert_eq!(frames[wrong], 0, "{wrong}: {run:#}");
    }
    assert_eq!(frames["expected"], frames["received"], "{run:#}");
    assert_eq!(run["audio"]["missing"], 0, "{run:#}");
}

#[test]
fn every_viewer_gets_every_frame_at_each_pace() {
    for batch in ["0ms", "350ms", "auto"] {
        let server = server(&format!("batch = \"{batch}\""));
        let rtmp = server.rtmp_url("live/STREAM");
        assert_whole(&bench(&server, batch, &rtmp, &["--viewers", "120"]), 120);
    }
    let server = server("batch = \"50ms\"");
    let flv = server.http_url("/live/STREAM.flv");
    assert_whole(&bench(&server, "flv", &flv, &["--viewers", "60"]), 60);
}

#[test]
fn one_stream_is_served_by_several_workers() {
    let server = server("workers = 3");
    let rtmp = server.rtmp_url("live/STREAM");
    assert_whole(&bench(&server, "cam", &rtmp, &["--viewers", "100"]), 100);
    let flv = server.http_url("/live/STREAM.flv").replace("http:", "ws:");
    assert_whole(&bench(&server, "ws", &flv, &["--viewers", "50"]), 50);
    let metrics = server.get("/metrics").text();
    let workers = metrics.matches("sidestream_worker_viewers{worker=").count();
    assert_eq!(workers, 3, "{metrics}");
}

#[test]
fn viewers_that_stop_reading_cost_the_others_nothing() {
    let server = server("max_lag = \"1s\"\nmax_lag_bytes = \"1MiB\"\nbatch = \"50ms\"");
    let rtmp = server.rtmp_url("live/STREAM");
    let run = bench(
        &server,
        "cam",
        &rtmp,
        &["--viewers", "150", "--stalled", "50"],
    );
    assert_eq!(run["viewers"]["stalled"], 50, "{run:#}");
    assert_eq!(run["viewers"]["failed"], 0, "{run:#}");
    assert_eq!(run["frames"]["lost"], 0, "{run:#}");
    assert_eq!(run["audio"]["missing"], 0, "{run:#}");
}

#[test]
fn viewers_that_come_and_go_leave_nothing_behind() {
    let mut server = Server::start();
    let rtmp = server.rtmp_url("live/STREAM");
    let churn = ["--viewers", "12", "--mode", "churn", "--rate", "400"];
    bench(&server, "first", &rtmp, &churn);
    wait::until("the first stream to end", wait::secs(20), || {
        server.stream("live/first0").is_none().then_some(())
    });
    let (files, memory) = (
        server.process().open_files(),
        server.process().resident_bytes(),
    );
    let run = bench(&server, "again", &rtmp, &churn);
    assert_eq!(run["churn"]["failed"], 0, "{run:#}");
    assert!(run["churn"]["joins"].as_u64().unwrap() > 100, "{run:#}");
    wait::until("the second stream to end", wait::secs(20), || {
        server.stream("live/again0").is_none().then_some(())
    });
    wait::until("its connections to be closed", wait::secs(10), || {
        (server.process().open_files() <= files).then_some(())
    });
    let grown = server.process().resident_bytes().saturating_sub(memory);
    assert!(
        grown < 4 << 20,
        "{grown} bytes more than after the first run"
    );
    server.assert_alive();
}

#[test]
fn viewers_that_wait_for_their_publisher_all_get_its_first_pictures() {
    let server = Server::with(&Options {
        config: SHORT_LIFE.to_owned(),
        ..Options::default()
    });
    let mut waiting = clean_command();
    waiting.args(["bench", "--json", "--quiet", "--viewers", "300"]);
    waiting.args(["--play", &server.rtmp_url("live/late{}"), "--streams", "1"]);
    waiting.args(["--connect-timeout", "25s", "--warmup", "200ms"]);
    waiting.args(["--window", "1s", "--grace", "4s"]);
    let waiting = std::thread::spawn(move || {
        process::run("waiting viewers", waiting, Duration::from_secs(90))
    });
    server.wait_for_rtmp_connections(300);
    let publish = server.rtmp_url("live/late{}");
    let mut publisher = clean_command();
    publisher.args(["bench", "--json", "--quiet", "--window", "20s"]);
    publisher.args(["--publish", &publish]);
    let mut publisher = process::Process::start("publisher", publisher);
    let output = waiting.join().unwrap();
    assert!(output.code == Some(0), "{}", output.text());
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["viewers"]["ready"], 300, "{run:#}");
    assert_eq!(run["viewers"]["failed"], 0, "{run:#}");
    assert_eq!(run["frames"]["skipped"], 0, "{run:#}");
    publisher.kill();
}
