//! What `key` is asked.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use sidestream::config::{ApiKey, ApiScope};

/// Make an API key, and the line of the configuration for it
///
/// The key is shown this once: nothing keeps it. The configuration gets its hash, from which it
/// cannot be found again. Scopes: read; publish asks for credentials to publish with; control has
/// both and starts, stops, changes and removes; admin has all, and changes what concerns everybody.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sidestream key shop --scopes read,publish
  sidestream key ops --json")]
pub(in crate::cli) struct Key {
    /// What the log calls it
    #[arg(value_name = "NAME", value_parser = parse_name)]
    pub(in crate::cli) name: String,
    /// What it is good for, with commas
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', default_value = "admin", value_parser = scope())]
    pub(in crate::cli) scopes: Vec<ApiScope>,
    /// Print one JSON object
    #[arg(short, long)]
    pub(in crate::cli) json: bool,
}

fn parse_name(text: &str) -> Result<String, String> {
    ApiKey::check_name(text).map(|()| text.to_owned())
}

fn scope() -> impl TypedValueParser<Value = ApiScope> {
    PossibleValuesParser::new(["publish", "control", "read", "admin"])
        .map(|word| ApiScope::parse(&word).unwrap_or(ApiScope::Read))
}
