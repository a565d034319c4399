//! Frames out, to anything: a recorder, a transcriber, another protocol. Ends with the stream.
//!
//! `cargo run --example subscribe`

use media::config::aac;
use sidestream::{AccessUnit, Config, Dts, Item, Relay, Track};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = "[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"\"\n[streams]\nviewer_end_grace = \"0s\"\n";
    let relay = Relay::builder()
        .config(Config::from_toml("", text)?)
        .build()
        .await?;

    // Somebody publishes: two seconds of AAC-LC, 48 kHz, stereo.
    let mut alice = relay.publish("live/alice").await?;
    let audio = alice.add_track(Track::from(media::CodecConfig::Aac(aac::Config::parse(
        &[0x11, 0x90],
    )?)))?;
    let mut units = relay.subscribe("live/alice").await?;
    for frame in 0..94 {
        let unit = AccessUnit::new(audio, Dts(frame * 1_024 / 48), b"frame".as_slice().into());
        alice.send(unit.random_access())?;
    }
    alice.finish();

    let (mut count, mut last) = (0, Dts(0));
    while let Some(item) = units.next().await {
        match item {
            Item::Tracks(tracks) => println!("tracks: {}", tracks.len()),
            Item::Unit(unit) => (count, last) = (count + 1, unit.dts),
            Item::Lagged { missed } => println!("missed {missed}; next: a random access point"),
            _ => {}
        }
    }
    println!("{count} units, the last at {} ms", last.0);
    Ok(())
}
