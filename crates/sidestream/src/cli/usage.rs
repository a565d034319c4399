//! Wrong usage in one line, with the nearest name; help and version as they are.

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::Exit;

/// Prints what clap has to say.
pub(super) fn explain(error: &clap::Error) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed pipe ends quietly.
            let _ = error.print();
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Exit::Usage
        }
        _ => {
            eprintln!("error: {}", line(error));
            Exit::Usage
        }
    }
}

fn line(error: &clap::Error) -> String {
    let get = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let arg = get(ContextKind::InvalidArg).unwrap_or_default();
    let arg = plain(&arg);
    let value = get(ContextKind::InvalidValue).unwrap_or_default();
    let near = |kind| get(kind).map(|near| format!("; did you mean {near}?"));
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let near = near(ContextKind::SuggestedArg);
            format!("unknown option {arg}{}", near.unwrap_or_else(|| see(error)))
        }
        ErrorKind::InvalidSubcommand => {
            let name = get(ContextKind::InvalidSubcommand).unwrap_or_default();
            // clap suggests by another measure; ours finds swapped letters.
            let commands = [
                "serve",
                "demo",
                "check",
                "remux",
                "probe",
                "push",
                "record",
                "bench",
                "hls-check",
                "completions",
                "man",
            ];
            let near = sidestream::nearest::nearest(&name, commands);
            let near = near.map(|near| format!("; did you mean {near}?"));
            let near = near.unwrap_or_else(|| format!("; there are {}", commands.join(", ")));
            format!("unknown command {name}{near}")
        }
        ErrorKind::InvalidValue if value.is_empty() => format!("{arg}: a value is missing"),
        ErrorKind::InvalidValue => {
            let valid = get(ContextKind::ValidValue).unwrap_or_default();
            let near = near(ContextKind::SuggestedValue);
            let near = near.unwrap_or_else(|| format!("; there are {valid}"));
            format!("{arg}: unknown value {value:?}{near}")
        }
        ErrorKind::ValueValidation => {
            let reason = std::error::Error::source(error).map(ToString::to_string);
            format!(
                "{arg}: {}",
                reason.unwrap_or_else(|| format!("wrong value {value:?}"))
            )
        }
        ErrorKind::MissingRequiredArgument => format!("missing {arg}{}", see(error)),
        ErrorKind::ArgumentConflict => {
            let other = get(ContextKind::PriorArg).unwrap_or_default();
            format!("{arg} cannot be used with {}; keep one", plain(&other))
        }
        _ => {
            let text = error.render().to_string();
            let first = text.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        }
    }
}

/// `--wait` of `--wait <TIME>`, `RTMP_URL` of `<RTMP_URL>`.
fn plain(arg: &str) -> String {
    let first = arg.split(' ').next().unwrap_or_default();
    first.trim_matches(['<', '>', '.']).to_owned()
}

/// Where to read on: the command's own help.
fn see(error: &clap::Error) -> String {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => String::new(),
    };
    let command: Vec<&str> = usage
        .trim_start_matches("Usage: ")
        .split_whitespace()
        .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()))
        .collect();
    match command.is_empty() {
        true => "; see sidestream --help".to_owned(),
        false => format!("; see {} --help", command.join(" ")),
    }
}
