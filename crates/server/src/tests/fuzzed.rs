//! `/openapi.json` as schemathesis reads it: what it sends is answered as the description says.

use std::path::Path;
use std::process::{Command, Stdio};

use super::connections::listen;
use super::control::Relay;

/// Installed by `./test`.
const TOOL: &str = "../../.tools/py/bin/schemathesis";

/// A request can be well formed and still be refused for what it means: a room 0, a key that came
/// with another request, a cursor that no page gave. Anything wrong may be 413 or 414, too.
const SETTINGS: &str = r#"
[checks]
positive_data_acceptance.enabled = false
[checks.negative_data_rejection]
expected-statuses = ["4xx"]
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_description_allows_is_answered_as_it_says() {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join(TOOL);
    if !tool.exists() {
        println!("skipped: schemathesis is not installed; ./test does that");
        return;
    }
    let relay = Relay::new().await;
    let base = format!("http://{}", listen(&relay.bench, None).await);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("schemathesis.toml"), SETTINGS).unwrap();
    let run = move || {
        let mut command = Command::new(tool);
        command
            .current_dir(folder.path())
            .arg("run")
            .arg(format!("{base}/openapi.json"))
            .args(["--seed", "1", "--max-examples", "5", "--no-shrink"])
            .args(["--phases", "examples,coverage,fuzzing"])
            // Endless by its nature; a test of its own reads it.
            .args(["--exclude-path", "/v1/events/stream"])
            .args(["--suppress-health-check", "all", "--warnings", "off"])
            .args(["--request-timeout", "20"])
            .stdin(Stdio::null());
        command.output()
    };
    let done = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
