//! Ways to spoil what a server says.

use super::Reply;

/// Replaces a text in a playlist.
pub fn replace(reply: &mut Reply, from: &str, to: &str) {
    let text = reply.text().replace(from, to);
    reply.set_text(&text);
}

/// Leaves out all lines that begin so.
pub fn without(reply: &mut Reply, begin: &str) {
    let text: String = reply
        .text()
        .lines()
        .filter(|line| !line.starts_with(begin))
        .map(|line| format!("{line}\n"))
        .collect();
    reply.set_text(&text);
}

/// Replaces the value of an attribute wherever it stands.
pub fn attribute(reply: &mut Reply, name: &str, value: &str) {
    let text: String = reply
        .text()
        .lines()
        .map(|line| set_attribute(line, name, value) + "\n")
        .collect();
    reply.set_text(&text);
}

fn set_attribute(line: &str, name: &str, value: &str) -> String {
    let Some((begin, rest)) = [format!(":{name}="), format!(",{name}=")]
        .iter()
        .find_map(|key| {
            let at = line.find(key.as_str())? + key.len();
            Some(line.split_at(at))
        })
    else {
        return line.to_owned();
    };
    let end = match rest.strip_prefix('"') {
        Some(quoted) => quoted.find('"').unwrap() + 2,
        None => rest.find(',').unwrap_or(rest.len()),
    };
    format!("{begin}{value}{}", &rest[end..])
}

/// A playlist in its pieces: the head, and what belongs to each segment, with its number.
pub fn segments(reply: &mut Reply, mut change: impl FnMut(u64, &mut Vec<String>)) {
    let text = reply.text();
    let mut number: u64 = 0;
    let (mut out, mut block): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut in_head = true;
    for line in text.lines() {
        if let Some(first) = line.strip_prefix("#EXT-X-MEDIA-SEQUENCE:") {
            number = first.parse().unwrap();
        }
        let of_segment = [
            "#EXTINF",
            "#EXT-X-PROGRAM",
            "#EXT-X-DISCONTINUITY",
            "#EXT-X-MAP",
            "#EXT-X-PART:",
        ];
        let begins = of_segment.iter().any(|tag| line.starts_with(tag))
            && !line.starts_with("#EXT-X-DISCONTINUITY-S");
        in_head &= !begins;
        if in_head {
            out.push(line.to_owned());
            continue;
        }
        block.push(line.to_owned());
        if !line.starts_with('#') {
            change(number, &mut block);
            out.append(&mut block);
            number += 1;
        }
    }
    out.append(&mut block);
    reply.set_text(&(out.join("\n") + "\n"));
}

/// Leaves all but the last `count` segments out, as if they had been removed.
pub fn last(reply: &mut Reply, count: u64) {
    let (mut first, mut end) = (u64::MAX, 0);
    segments(reply, |number, _| {
        first = first.min(number);
        end = number + 1;
    });
    let keep = end.saturating_sub(count).max(first);
    segments(reply, |number, block| {
        if number < keep {
            block.clear();
        }
    });
    replace(
        reply,
        &format!("#EXT-X-MEDIA-SEQUENCE:{first}\n"),
        &format!("#EXT-X-MEDIA-SEQUENCE:{keep}\n"),
    );
}

/// The number in `EPOCH-NUMBER.ts`.
pub fn number(path: &str) -> Option<u64> {
    let name = path.rsplit('/').next()?;
    name.split_once('-')?.1.split('.').next()?.parse().ok()
}

pub fn bytes(reply: &mut Reply, change: impl FnOnce(&mut Vec<u8>)) {
    let mut body = reply.body.to_vec();
    change(&mut body);
    reply.body = body.into();
}

/// Each TS packet with its PID.
pub fn packets(reply: &mut Reply, mut change: impl FnMut(usize, u16, &mut [u8])) {
    bytes(reply, |body| {
        for (index, packet) in body.chunks_mut(188).enumerate() {
            let pid = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]);
            change(index, pid, packet);
        }
    });
}

/// PTS and DTS of a packet that begins a PES packet with both.
pub fn times(packet: &mut [u8]) -> Option<(&mut [u8], u64, u64)> {
    let start = if packet[3] & 0x20 != 0 {
        5 + usize::from(packet[4])
    } else {
        4
    };
    let pes = packet.get_mut(start..)?;
    if packet_starts(pes) && pes.get(7)? >> 6 == 3 {
        let (pts, dts) = (stamp(&pes[9..14]), stamp(&pes[14..19]));
        return Some((&mut pes[9..19], pts, dts));
    }
    None
}

fn packet_starts(pes: &[u8]) -> bool {
    pes.starts_with(&[0, 0, 1])
}

pub fn set_times(times: &mut [u8], pts: u64, dts: u64) {
    write(&mut times[..5], 3, pts);
    write(&mut times[5..10], 1, dts);
}

fn stamp(b: &[u8]) -> u64 {
    (u64::from(b[0] >> 1 & 7) << 30)
        | (u64::from(b[1]) << 22)
        | (u64::from(b[2] >> 1) << 15)
        | (u64::from(b[3]) << 7)
        | u64::from(b[4] >> 1)
}

fn write(b: &mut [u8], head: u8, stamp: u64) {
    let stamp = stamp & 0x1_ffff_ffff;
    b[0] = head << 4 | u8::try_from(stamp >> 30).unwrap() << 1 | 1;
    b[1] = u8::try_from(stamp >> 22 & 0xff).unwrap();
    b[2] = u8::try_from(stamp >> 15 & 0x7f).unwrap() << 1 | 1;
    b[3] = u8::try_from(stamp >> 7 & 0xff).unwrap();
    b[4] = u8::try_from(stamp & 0x7f).unwrap() << 1 | 1;
}

/// Where a box of this type begins, by its name alone.
pub fn find(body: &[u8], kind: &[u8; 4]) -> Vec<usize> {
    (4..body.len().saturating_sub(3))
        .filter(|&at| &body[at..at + 4] == kind)
        .map(|at| at - 4)
        .collect()
}
