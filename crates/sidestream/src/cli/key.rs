//! `sidestream key`.

use std::io::Write;

use control::credential::{ApiKeyHash, new_api_key};
use serde_json::json;

use super::Exit;
use super::args::Key;
use super::report::Report;

/// Prints a new key and what of it belongs into the configuration.
pub(super) fn run(args: &Key, report: &Report) -> Exit {
    let key = match new_api_key() {
        Ok(key) => key,
        Err(error) => return report.error(format_args!("no random bytes: {error}")),
    };
    let hash = ApiKeyHash::of(key.reveal()).reveal();
    let scopes: Vec<&str> = args.scopes.iter().map(|scope| scope.as_str()).collect();
    let text = if args.json {
        let object = json!({
            "name": args.name, "key": key.reveal(), "hash": hash, "scopes": scopes,
        });
        format!("{object:#}\n")
    } else {
        format!(
            "key        {}\n[auth]     {{ name = {:?}, hash = \"{hash}\", scopes = {scopes:?} }}\n\
             keys_file  {} {hash} {}\n",
            key.reveal(),
            args.name,
            args.name,
            scopes.join(",")
        )
    };
    // A closed pipe ends quietly.
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
    Exit::Done
}
