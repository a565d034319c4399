//! A fragment reader for tests, written from the standard: boxes, and samples with their times.

use std::fmt::Write as _;

/// A box: type, body, and where its header starts.
#[derive(Debug)]
pub(super) struct Box<'a> {
    pub(super) kind: &'a str,
    pub(super) body: &'a [u8],
    pub(super) at: usize,
}

/// The boxes that fill `bytes` exactly.
pub(super) fn boxes(bytes: &[u8]) -> Vec<Box<'_>> {
    let mut at = 0;
    let mut found = Vec::new();
    while at < bytes.len() {
        let size = word(bytes, at) as usize;
        assert!(size >= 8 && at + size <= bytes.len(), "box size at {at}");
        found.push(Box {
            kind: std::str::from_utf8(&bytes[at + 4..at + 8]).unwrap(),
            body: &bytes[at + 8..at + size],
            at,
        });
        at += size;
    }
    found
}

/// The body of the only box of this kind in `bytes`.
pub(super) fn only<'a>(bytes: &'a [u8], kind: &str) -> &'a [u8] {
    let mut all = boxes(bytes).into_iter().filter(|b| b.kind == kind);
    let found = all.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(all.next().is_none(), "one {kind}");
    found.body
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// A sample as a player gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) track: u32,
    pub(super) dts: u64,
    pub(super) offset: i64,
    pub(super) duration: u32,
    pub(super) flags: u32,
    pub(super) data: Vec<u8>,
}

/// Takes the fields of a full box's body one after the other.
struct Fields<'a> {
    body: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn next(&mut self) -> u32 {
        self.at += 4;
        word(self.body, self.at - 4)
    }

    fn next_if(&mut self, present: bool) -> Option<u32> {
        present.then(|| self.next())
    }
}

/// The samples of a fragment (`moof` and `mdat`), track after track; checks that `mdat` is filled
/// exactly, without gap or overlap.
pub(super) fn samples(fragment: &[u8]) -> Vec<Sample> {
    let top = boxes(fragment);
    assert_eq!(
        top.iter().map(|b| b.kind).collect::<Vec<_>>(),
        ["moof", "mdat"]
    );
    let mut expected = top[1].at + 8;
    let mut found = Vec::new();
    for traf in boxes(top[0].body).iter().filter(|b| b.kind == "traf") {
        let mut tfhd = Fields {
            body: only(traf.body, "tfhd"),
            at: 0,
        };
        let flags = tfhd.next();
        assert_eq!(
            flags & !0x28,
            0x02_0000,
            "default-base-is-moof, duration and flags"
        );
        let track = tfhd.next();
        let default_duration = tfhd.next_if(flags & 0x08 != 0);
        let default_flags = tfhd.next_if(flags & 0x20 != 0);
        assert_eq!(tfhd.at, tfhd.body.len());
        let tfdt = only(traf.body, "tfdt");
        assert_eq!(word(tfdt, 0), 0x0100_0000, "tfdt version 1");
        let mut dts = u64::from(word(tfdt, 4)) << 32 | u64::from(word(tfdt, 8));
        let mut trun = Fields {
            body: only(traf.body, "trun"),
            at: 0,
        };
        let version_flags = trun.next();
        assert_eq!(version_flags >> 24, 1, "signed offsets");
        let has = |bit: u32| version_flags & bit != 0;
        let count = trun.next();
        let mut offset = trun.next_if(has(1)).unwrap() as usize;
        assert_eq!(offset, expected, "data offset");
        let mut first_flags = trun.next_if(has(4));
        for _ in 0..count {
            let duration = trun.next_if(has(0x100)).or(default_duration).unwrap();
            let size = trun.next_if(has(0x200)).unwrap() as usize;
            let own_flags = trun.next_if(has(0x400));
            let flags = first_flags.take().or(own_flags).or(default_flags).unwrap();
            let cts = trun.next_if(has(0x800)).unwrap_or(0).cast_signed();
            found.push(Sample {
                track,
                dts,
                offset: cts.into(),
                duration,
                flags,
                data: fragment[offset..offset + size].to_vec(),
            });
            offset += size;
            dts += u64::from(duration);
        }
        assert_eq!(trun.at, trun.body.len());
        expected = offset;
    }
    assert_eq!(expected, fragment.len(), "mdat is used up");
    found
}

/// The box tree with the bytes of leaves, for snapshots.
pub(super) fn dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    dump_into(bytes, 0, &mut out);
    out
}

fn dump_into(bytes: &[u8], depth: usize, out: &mut String) {
    for b in boxes(bytes) {
        let _ = write!(
            out,
            "{:indent$}{} {}",
            "",
            b.kind,
            b.body.len(),
            indent = 2 * depth
        );
        // Bytes of a container's own fields, before its boxes.
        let own = match b.kind {
            "moov" | "trak" | "mdia" | "minf" | "dinf" | "stbl" | "mvex" | "moof" | "traf" => 0,
            "dref" | "stsd" => 8,
            "avc1" | "hvc1" | "av01" | "vp09" => 78,
            "mp4a" | "Opus" | "fLaC" | "ac-3" | "ec-3" => 28,
            _ => {
                let head = &b.body[..b.body.len().min(120)];
                let dots = if head.len() < b.body.len() { ".." } else { "" };
                let _ = writeln!(out, " {}{dots}", hex(head));
                continue;
            }
        };
        let (fields, children) = b.body.split_at(own);
        let _ = writeln!(out, " {}", hex(fields));
        dump_into(children, depth + 1, out);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
