//! CPU and memory of processes, and what else the machine did, from the kernel's books.

use std::collections::BTreeMap;
use std::fs;

use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

use crate::Error;
use crate::clock::nanoseconds;

/// Clock ticks per second in `/proc`: 100 on every Linux.
const TICKS: f64 = 100.0;

/// The server's processes.
#[derive(Debug)]
pub(crate) struct Server {
    roots: Vec<u32>,
}

/// CPU seconds at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpu {
    /// By process: all (to the nanosecond), and user time (in ticks of 10 ms).
    server: BTreeMap<u32, (f64, f64)>,
    /// By thread of the server's processes.
    server_threads: BTreeMap<i32, f64>,
    own: f64,
    /// By thread of the generator.
    threads: Vec<f64>,
    /// All that any core did.
    machine: f64,
}

/// CPU seconds between two moments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CpuUsed {
    /// The server's processes.
    pub server: f64,
    /// Of it in user space, to 10 ms.
    pub server_user: f64,
    /// The server's busiest thread: what bounds it when there are cores enough.
    pub server_busiest_thread: f64,
    /// The generator's process.
    pub own: f64,
    /// The generator's busiest thread.
    pub busiest_thread: f64,
    /// All that any core did.
    pub machine: f64,
}

/// Bytes of memory of the server's processes together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident, shared pages counted in each process.
    pub rss: u64,
    /// Resident, shared pages divided.
    pub pss: u64,
}

impl Memory {
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            rss: self.rss.max(other.rss),
            pss: self.pss.max(other.pss),
        }
    }
}

impl Server {
    /// # Errors
    /// When one of them is not there.
    pub(crate) fn new(roots: &[u32]) -> Result<Self, Error> {
        let server = Self {
            roots: roots.to_vec(),
        };
        server.check("there is no such process")?;
        Ok(server)
    }

    pub(crate) fn is_measured(&self) -> bool {
        !self.roots.is_empty()
    }

    /// # Errors
    /// When one of the processes is gone.
    pub(crate) fn check(&self, what: &'static str) -> Result<(), Error> {
        match self.roots.iter().find(|pid| !is_alive(**pid)) {
            Some(&pid) => Err(Error::Process { pid, what }),
            None => Ok(()),
        }
    }

    /// The processes and all that descend from them now.
    fn pids(&self) -> Vec<u32> {
        let mut pids = self.roots.clone();
        if pids.is_empty() {
            return pids;
        }
        let parents = all_parents();
        let mut next = 0;
        while let Some(&parent) = pids.get(next) {
            let children = parents.iter().filter(|(_, of)| *of == parent);
            let new: Vec<u32> = children
                .map(|(pid, _)| *pid)
                .filter(|pid| !pids.contains(pid))
                .collect();
            pids.extend(new);
            next += 1;
        }
        pids
    }

    /// A reading; `tids` are the generator's threads.
    pub(crate) fn cpu(&self, tids: &[i32]) -> Cpu {
        let pids = self.pids();
        Cpu {
            server_threads: pids.iter().flat_map(|pid| threads(*pid)).collect(),
            server: pids
                .into_iter()
                .filter_map(|pid| Some((pid, (cpu_of(pid)?, user_of(pid)?))))
                .collect(),
            own: cpu_of(std::process::id()).unwrap_or(0.0),
            threads: tids
                .iter()
                .map(|tid| cpu_of_thread(std::process::id(), *tid))
                .collect(),
            machine: machine(),
        }
    }

    /// Open file descriptors of all processes together.
    pub(crate) fn open_files(&self) -> u64 {
        let count = |pid| fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        self.pids().into_iter().map(count).sum::<usize>() as u64
    }

    pub(crate) fn memory(&self) -> Memory {
        let mut memory = Memory::default();
        for pid in self.pids() {
            let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
            memory.rss += kilobytes(&text, "Rss:") << 10;
            memory.pss += kilobytes(&text, "Pss:") << 10;
        }
        memory
    }
}

impl Cpu {
    /// What was used since an earlier reading. A process that began since counts whole.
    pub(crate) fn since(&self, earlier: &Self) -> CpuUsed {
        let mut used = CpuUsed {
            own: self.own - earlier.own,
            machine: self.machine - earlier.machine,
            ..CpuUsed::default()
        };
        for (pid, (all, user)) in &self.server {
            let (all_before, user_before) = earlier.server.get(pid).copied().unwrap_or_default();
            used.server += all - all_before;
            used.server_user += user - user_before;
        }
        for (tid, now) in &self.server_threads {
            let before = earlier.server_threads.get(tid).copied().unwrap_or(0.0);
            used.server_busiest_thread = used.server_busiest_thread.max(now - before);
        }
        for (now, before) in self.threads.iter().zip(&earlier.threads) {
            used.busiest_thread = used.busiest_thread.max(now - before);
        }
        used
    }
}

fn is_alive(pid: u32) -> bool {
    // A process that has ended and was not waited for is a zombie.
    stat(pid).is_some_and(|fields| fields.first().is_some_and(|state| state != "Z"))
}

/// All CPU time of a process, its ended threads included.
fn cpu_of(pid: u32) -> Option<f64> {
    let clock = clock_getcpuclockid(Pid::from_raw(i32::try_from(pid).ok()?)).ok()?;
    Some(nanoseconds(clock_gettime(clock).ok()?) as f64 / 1e9)
}

/// The threads of a process with their CPU time.
fn threads(pid: u32) -> Vec<(i32, f64)> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter();
    let tids = entries
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    tids.map(|tid| (tid, cpu_of_thread(pid, tid))).collect()
}

fn cpu_of_thread(pid: u32, tid: i32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/schedstat")).unwrap_or_default();
    let first = text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
    first.unwrap_or(0.0) / 1e9
}

fn user_of(pid: u32) -> Option<f64> {
    Some(stat(pid)?.get(11)?.parse::<f64>().ok()? / TICKS)
}

/// The fields behind the name (proc(5)): state, parent, …
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold spaces and parentheses.
    let fields = text.rsplit_once(')')?.1;
    Some(fields.split_ascii_whitespace().map(str::to_owned).collect())
}

fn all_parents() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parent = |entry: fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, stat(pid)?.get(1)?.parse().ok()?))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_child_is_counted_with_its_parent() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let server = Server::new(&[std::process::id()]).unwrap();
        assert!(server.pids().contains(&child.id()));
        let before = server.cpu(&[]);
        let mut sum = 0u64;
        while cpu_of(std::process::id()).unwrap() - before.own < 0.02 {
            sum = std::hint::black_box(sum + 1);
        }
        let used = server.cpu(&[]).since(&before);
        assert!(used.server_busiest_thread >= 0.01, "{used:?}");
        assert!(
            used.server >= 0.02 && used.server >= used.own * 0.9,
            "{used:?}"
        );
        let memory = server.memory();
        assert!(
            memory.rss >= memory.pss && memory.pss > 100 << 10,
            "{memory:?}"
        );
        child.kill().unwrap();
        let pid = child.id();
        assert!(Server::new(&[pid]).is_ok() || !is_alive(pid));
        child.wait().unwrap();
        let gone = Server::new(&[pid]).unwrap_err().to_string();
        assert_eq!(gone, format!("process {pid}: there is no such process"));
    }
}
