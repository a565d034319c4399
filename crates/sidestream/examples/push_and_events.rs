//! Act, and listen to what happened: one relay pushes a stream to another. Ends by itself.
//!
//! `cargo run --example push_and_events`

use sidestream::{AccessUnit, Config, Dts, Event, Relay, Track};

async fn relay() -> Result<Relay, Box<dyn std::error::Error>> {
    let text = "[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"\"\n";
    let config = Config::from_toml("example.toml", text)?;
    Ok(Relay::builder().config(config).build().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (near, far) = (relay().await?, relay().await?);
    let mut events = far.events();

    let mut alice = near.publish("live/alice").await?;
    let audio = alice.add_track(Track::aac([0x11, 0x90])?)?;
    let rtmp = far.listeners().rtmp.ok_or("no rtmp")?;
    let target = near
        .push("live/alice", &format!("rtmp://{rtmp}/live/copy"))
        .await?;
    let unit = AccessUnit::new(audio, Dts(0), b"frame".as_slice().into());
    alice.send(unit.random_access())?;

    while let Some(event) = events.next().await {
        if let Event::Tracks { name, tracks, .. } = event {
            println!(
                "{name}: {} track, {} bytes",
                tracks.len(),
                target.status().bytes_out
            );
            break;
        }
    }
    near.shutdown(std::time::Duration::from_secs(5)).await;
    far.shutdown(std::time::Duration::from_secs(5)).await;
    Ok(())
}
