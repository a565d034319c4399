//! `docs/CLI.md` tells the truth: its commands are run, their output is compared.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;

/// One command of the document and what it prints.
struct Example {
    line: usize,
    command: String,
    expected: String,
}

fn examples(document: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut inside = false;
    for (index, line) in document.lines().enumerate() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match line.strip_prefix("$ sidestream") {
                Some(command) => examples.push(Example {
                    line: index + 1,
                    command: command.trim().to_owned(),
                    expected: String::new(),
                }),
                None => {
                    let example = examples.last_mut().expect("a block begins with a command");
                    example.expected += line;
                    example.expected.push('\n');
                }
            },
        }
    }
    examples
}

/// Whether `text` is `pattern` with something, or nothing, for each `…`.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    // A line of dots alone ends what was shown.
    *last == "\n" || rest.ends_with(last)
}

#[test]
fn every_block_prints_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let examples = examples(include_str!("../../../docs/CLI.md"));
    assert!(examples.len() >= 8, "{} blocks were found", examples.len());
    for Example {
        line,
        command,
        expected,
    } in examples
    {
        let args: Vec<&str> = command.split_whitespace().collect();
        let output = support::sidestream(&args)
            .current_dir(&root)
            .output()
            .unwrap();
        let mut printed = String::from_utf8(output.stdout).unwrap();
        printed += &String::from_utf8(output.stderr).unwrap();
        assert!(
            matches(&expected, &printed),
            "docs/CLI.md:{line}: sidestream {command}\nexpected\n{expected}\nprinted\n{printed}"
        );
    }
}

#[test]
fn dots_stand_for_anything() {
    assert!(matches("a … c\n", "a b c\n"));
    assert!(matches("a\n…\n", "a\nb\nc\n"));
    assert!(!matches("a … c\n", "a b d\n"));
    assert!(!matches("a\n", "a\nb\n"));
}
