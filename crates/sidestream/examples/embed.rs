//! The whole engine inside a service, with its own admission. Publishes to itself, once with a
//! wrong key and once with the right one, and ends.
//!
//! `cargo run --example embed`

use sidestream::{Action, Ask, Config, Relay, Verdict};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = "[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"127.0.0.1:0\"\n";
    let relay = Relay::builder()
        .config(Config::from_toml("embed.toml", text)?)
        .authorizer(|ask: Ask| async move {
            if ask.action == Action::Play || ask.key() == Some("s3cret") {
                Verdict::Allow
            } else {
                Verdict::deny("wrong stream key")
            }
        })
        .build()
        .await?;
    let rtmp = relay.listeners().rtmp.ok_or("no rtmp")?;
    println!("publish to rtmp://{rtmp}/live/alice?key=s3cret");

    for key in ["guess", "s3cret"] {
        let url = format!("rtmp://{rtmp}/live/alice?key={key}").parse()?;
        match publish::Publication::connect(&url, &publish::Config::default()).await {
            Ok(publication) => {
                println!("{key}: accepted, {} live", relay.streams().len());
                publication.finish().await;
            }
            Err(error) => println!("{key}: {error}"),
        }
    }
    relay.shutdown(std::time::Duration::from_secs(5)).await;
    Ok(())
}
