//! docs/API.md: every example of it is executed, in order, against a fresh server.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::connections::listen;
use super::control::Relay;

const SHOWN: &str = "http://localhost:8080";

/// A command and what it should print; `…` is anything.
struct Example {
    line: usize,
    command: String,
    output: String,
}

fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut is_inside = false;
    for (index, line) in page.lines().enumerate() {
        match line {
            "```sh run" => is_inside = true,
            "```" => is_inside = false,
            _ if !is_inside => {}
            _ => match line.strip_prefix("$ ") {
                Some(command) => examples.push(Example {
                    line: index + 1,
                    command: command.to_owned(),
                    output: String::new(),
                }),
                None => {
                    let output = &mut examples.last_mut().unwrap().output;
                    output.push_str(line);
                    output.push('\n');
                }
            },
        }
    }
    examples
}

/// Whether the pieces between `…` come in this order, the first at the beginning.
fn is_like(text: &str, pattern: &str) -> bool {
    let mut rest = text;
    for (index, piece) in pattern.split('…').map(str::trim).enumerate() {
        match rest.find(piece) {
            Some(at) if index > 0 || at == 0 => rest = &rest[at + piece.len()..],
            _ => return false,
        }
    }
    pattern.trim_end().ends_with('…') || rest.trim().is_empty()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_of_the_page_prints_what_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/API.md");
    let examples = examples(&std::fs::read_to_string(page).unwrap());
    assert!(examples.len() >= 8, "{}", examples.len());
    let relay = Relay::new().await;
    let base = format!("http://{}", listen(&relay.bench, None).await);
    for example in examples {
        let command = example.command.replace(SHOWN, &base);
        let run = move || {
            let mut shell = Command::new("sh");
            shell
                .args(["-c", &command])
                .stdin(Stdio::null())
                .env("CURL_HOME", "/nowhere");
            shell.output()
        };
        let running = tokio::task::spawn_blocking(run);
        let done = tokio::time::timeout(Duration::from_secs(30), running)
            .await
            .unwrap();
        let done = done.unwrap().unwrap();
        let output = String::from_utf8(done.stdout)
            .unwrap()
            .replace(&base, SHOWN);
        assert!(
            is_like(&output, &example.output),
            "docs/API.md:{}: {}\nprints\n{output}\nthe page says\n{}",
            example.line,
            example.command,
            example.output
        );
    }
}
