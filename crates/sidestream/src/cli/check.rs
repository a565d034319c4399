//! `sidestream check`.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};

use serde_json::json;
use sidestream::config::{Loaded, Origin, Problem, in_reading_order};

use super::args::Check;
use super::report::Report;
use super::{Exit, port_owner, settings};

/// The reference: every key with its default, commented out.
const REFERENCE: &str = include_str!("../../../../docs/sidestream.toml");

/// Prints every problem, or that there is none.
pub(super) fn run(args: &Check, report: &Report) -> Exit {
    if args.print_default {
        return print(REFERENCE);
    }
    let (loaded, mut problems) = settings::read(&args.settings);
    problems.extend(ports(&loaded));
    if args.storage {
        problems.extend(storage(&loaded));
    }
    in_reading_order(&mut problems);
    if args.json {
        let exit = if problems.is_empty() {
            Exit::Done
        } else {
            Exit::Failed
        };
        print(&format!("{:#}\n", result(&loaded, &problems)));
        return exit;
    }
    if !problems.is_empty() {
        return settings::print(&problems, report);
    }
    if args.print {
        print(&values(&loaded));
    }
    let mode = loaded.config.mode_explained();
    let notes = loaded.config.encryption_notes();
    let notes: String = notes.iter().map(|note| format!("{note}\n")).collect();
    let dvr = loaded.config.dvr_explained();
    print(&format!("{mode}\n{notes}{dvr}{}\n", summary(&loaded)))
}

/// Listeners that cannot be had.
fn ports(loaded: &Loaded) -> Vec<Problem> {
    listeners(loaded)
        .filter_map(|(section, addr)| {
            let what = not_free(section, addr)?;
            Some(loaded.problem(&format!("{section}.listen"), what))
        })
        .collect()
}

/// What keeps the storage from being written, asked there.
fn storage(loaded: &Loaded) -> Option<Problem> {
    let store = loaded.config.mirror.store();
    // What is wrong with the settings themselves has been told.
    let store = store.ok().flatten()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let what = match runtime {
        Ok(runtime) => runtime.block_on(store.try_writing()).err()?.to_string(),
        Err(error) => error.to_string(),
    };
    Some(loaded.problem("mirror.to", format!("mirror.to: {store}: {what}")))
}

fn listeners(loaded: &Loaded) -> impl Iterator<Item = (&'static str, SocketAddr)> {
    let config = &loaded.config;
    let all = [
        ("rtmp", config.rtmp.listen),
        ("rtmps", config.rtmps.listen),
        ("http", config.http.listen),
        ("https", config.https.listen),
    ];
    all.into_iter()
        .filter_map(|(section, addr)| addr.map(|addr| (section, addr)))
}

/// Why an address cannot be listened on.
fn not_free(section: &str, addr: SocketAddr) -> Option<String> {
    let error = TcpListener::bind(addr).err()?;
    let what = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            let owner = port_owner::owner(addr);
            let by = owner.map(|owner| format!(" by {} (pid {})", owner.name, owner.pid));
            format!(
                "address in use{}; stop it or choose another port",
                by.unwrap_or_default()
            )
        }
        std::io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        _ => error.to_string(),
    };
    Some(format!("{section}.listen: {addr}: {what}"))
}

/// `ok: 14 keys set, mode keyed, listens rtmp 1935, http 8080`.
fn summary(loaded: &Loaded) -> String {
    let count = loaded.keys_set();
    let keys = if count == 1 { "key" } else { "keys" };
    let listens: Vec<String> = listeners(loaded)
        .map(|(section, addr)| format!("{section} {}", addr.port()))
        .collect();
    format!(
        "ok: {count} {keys} set, mode {}, listens {}",
        loaded.config.mode(),
        listens.join(", ")
    )
}

/// Every value in force as TOML, and where it comes from behind it.
fn values(loaded: &Loaded) -> String {
    let mut text = String::new();
    let mut last = "";
    for (section, key, value, origin) in loaded.settings() {
        if section != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            text.push_str(&format!("{gap}[{section}]\n"));
            last = section;
        }
        let line = format!("{key} = {value}");
        match origin {
            Origin::Set(place) => text.push_str(&format!("{line:<40}  # {place}\n")),
            _ => text.push_str(&format!("{line:<40}  # default\n")),
        }
    }
    for push in &loaded.config.push {
        let url = push.target_url("app", "stream", push.key_file.as_ref().map(|_| "key"));
        let url = url.map(|url| url.to_string()).unwrap_or_default();
        let (name, pattern) = match push.stream.is_empty() {
            true => ("match", &push.matches),
            false => ("stream", &push.stream),
        };
        text.push_str(&format!(
            "\n[[push]]\n{name} = {pattern:?}\nurl = {url:?}\n"
        ));
    }
    for rule in &loaded.config.hls.encryption {
        let (name, pattern) = match rule.stream.is_empty() {
            true => ("match", &rule.matches),
            false => ("stream", &rule.stream),
        };
        let method = rule.method.map_or("none", hls::Method::as_str);
        text.push_str(&format!(
            "\n[[hls.encryption]]\n{name} = {pattern:?}\nmethod = {method:?}\n"
        ));
    }
    for rule in &loaded.config.record.rule {
        let (name, pattern) = match rule.stream.is_empty() {
            true => ("match", &rule.matches),
            false => ("stream", &rule.stream),
        };
        let formats: Vec<&str> = rule.formats.iter().map(|format| format.as_str()).collect();
        text.push_str(&format!(
            "\n[[record.rule]]\n{name} = {pattern:?}\nformats = {formats:?}\nmedia = {:?}\n",
            rule.media.as_str()
        ));
    }
    for rule in &loaded.config.hls.dvr_rule {
        let (name, pattern) = match rule.stream.is_empty() {
            true => ("match", &rule.matches),
            false => ("stream", &rule.stream),
        };
        let window = sidestream::config::quantity::show_duration(rule.window);
        text.push_str(&format!(
            "\n[[hls.dvr_rule]]\n{name} = {pattern:?}\nwindow = \"{window}\"\n"
        ));
    }
    text + "\n"
}

fn result(loaded: &Loaded, problems: &[Problem]) -> serde_json::Value {
    let problems: Vec<serde_json::Value> = problems
        .iter()
        .map(|problem| json!({ "place": problem.place.to_string(), "detail": problem.what }))
        .collect();
    json!({
        "ok": problems.is_empty(),
        "problems": problems,
        "file": loaded.file.as_ref().map(|file| file.display().to_string()),
        "keys_set": loaded.keys_set(),
        "mode": loaded.config.mode(),
        "mode_explained": loaded.config.mode_explained(),
        "dvr_explained": loaded.config.dvr_explained().lines().collect::<Vec<_>>(),
        "notes": loaded.config.encryption_notes(),
        "listeners": listeners(loaded)
            .map(|(section, addr)| (section.to_owned(), addr.to_string().into()))
            .collect::<serde_json::Map<String, serde_json::Value>>(),
    })
}

fn print(text: &str) -> Exit {
    // A closed pipe ends quietly.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Exit::Done
}
