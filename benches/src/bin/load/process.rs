//! CPU and memory of processes, and what else the machine did, from `/proc`.

use std::fs;

/// Clock ticks per second in `/proc`: 100 on every Linux.
const TICKS: f64 = 100.0;

/// A moment's totals, in seconds of CPU.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    pub(crate) server_user: f64,
    pub(crate) server_system: f64,
    pub(crate) own: f64,
    /// All that any core did.
    pub(crate) machine: f64,
}

/// Bytes of memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// Resident, shared pages counted in each process.
    pub(crate) rss: u64,
    /// Resident, shared pages divided.
    pub(crate) pss: u64,
}

/// The server's processes.
pub(crate) struct Server {
    pids: Vec<u32>,
}

impl Server {
    /// A process and all that descend from it now.
    pub(crate) fn new(pid: Option<u32>) -> Self {
        let mut pids: Vec<u32> = pid.into_iter().collect();
        let parents: Vec<(u32, u32)> = all_parents();
        let mut next = 0;
        while let Some(&parent) = pids.get(next) {
            let children = parents.iter().filter(|(_, p)| *p == parent);
            pids.extend(children.map(|(pid, _)| *pid));
            next += 1;
        }
        Self { pids }
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.pids.iter().all(|pid| stat(&pid.to_string()).is_some())
    }

    pub(crate) fn cpu(&self) -> Cpu {
        let mut cpu = Cpu {
            machine: machine(),
            ..Cpu::default()
        };
        for (user, system) in self.pids.iter().filter_map(|pid| stat(&pid.to_string())) {
            cpu.server_user += user;
            cpu.server_system += system;
        }
        cpu.own = stat("self").map_or(0.0, |(user, system)| user + system);
        cpu
    }

    pub(crate) fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for pid in &self.pids {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            memory.rss += kilobytes(&text, "Rss:") << 10;
            memory.pss += kilobytes(&text, "Pss:") << 10;
        }
        memory
    }
}

/// User and system seconds of a process.
fn stat(pid: &str) -> Option<(f64, f64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces; fields are counted from behind its parenthesis (proc(5)).
    let fields = text.rsplit_once(')')?.1;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut seconds = || Some(fields.next()?.parse::<f64>().ok()? / TICKS);
    Some((seconds()?, seconds()?))
}

fn all_parents() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parent = |entry: fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(entry.path().join("stat")).ok()?;
        let fields = text.rsplit_once(')')?.1;
        let parent = fields.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some((pid, parent))
    };
    entries.filter_map(parent).collect()
}

/// All busy time of all cores; waiting for disks and stolen time are not work.
fn machine() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let fields: Vec<f64> = line
        .split_ascii_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    // user nice system idle iowait irq softirq
    let busy = [0, 1, 2, 5, 6].iter().filter_map(|&i| fields.get(i));
    busy.sum::<f64>() / TICKS
}

fn kilobytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}
