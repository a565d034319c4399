//! Own frames in: an SFU, a camera, an encoder. Here four seconds of made-up H.264. Ends by itself.
//!
//! `cargo run --example publish_frames`

use bytes::Bytes;
use sidestream::{AccessUnit, Config, Dts, Relay, Ticks, Track};

/// What the encoder says of its stream: an avcC record (H.264 High, 320x180).
const AVCC: &[u8] =
    b"\x01\x64\x00\x0b\xff\xe1\x00\x19\x67\x64\x00\x0b\xac\xd9\x42\x8d\xf9\x30\x11\x00\
    \x00\x03\x00\x01\x00\x00\x03\x00\x1e\x0f\x14\x29\x96\x01\x00\x05\x68\xeb\xec\xb2\
    \x2c\xfd\xf8\xf8\x00";

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let text = "[rtmp]\nlisten = \"127.0.0.1:0\"\n[http]\nlisten = \"\"\n";
    let config = Config::from_toml("example.toml", text)?;
    let relay = Relay::builder().config(config).build().await?;
    let mut alice = relay.publish("live/alice").await?;
    let video = alice.add_track(Track::h264(AVCC)?)?;

    for frame in 0..60 {
        // One NAL unit with its length in front, as avcC says. Sending never waits.
        let nal = Bytes::from_static(b"\0\0\0\x02\x65\x88");
        let unit = AccessUnit::new(video, Dts(frame * 1_000 / 15), nal);
        alice.send(unit.composition_offset(Ticks(66)).random_access())?;
    }
    let sent = alice.stream().stats().units_in;
    println!("sent {sent} units of {}", alice.name());
    alice.finish();
    relay.shutdown(std::time::Duration::from_secs(5)).await;
    Ok(())
}
