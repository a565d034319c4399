//! File descriptors and local ports: raised as far as they go, and looked at before a run.

use std::fs;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::Error;

/// Descriptors for what is no connection to the server: runtimes, standard streams, `/proc`.
const BESIDES: u64 = 32;
/// Ports of a source address left to others.
const SPARE_PORTS: u32 = 1_000;

/// Raises the limit of open files to the hard one and returns it.
#[must_use]
pub fn raise_open_files() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return u64::MAX;
    };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

/// Refuses more connections than there may be open files.
pub(crate) fn check_open_files(connections: u64, threads: u64, limit: u64) -> Result<(), Error> {
    // A runtime has an epoll, an event and a pair of sockets.
    let needed = connections + BESIDES + 8 * threads;
    if needed <= limit {
        return Ok(());
    }
    Err(Error::Limits(format!(
        "{connections} connections need {needed} open files, the limit is {limit}; raise it (ulimit -Hn) or run several generators"
    )))
}

/// Connections that one source address may have to one listener.
pub(crate) fn ports_per_source() -> u32 {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut bounds = text
        .split_whitespace()
        .filter_map(|bound| bound.parse::<u32>().ok());
    match (bounds.next(), bounds.next()) {
        (Some(low), Some(high)) if low < high => (high - low).saturating_sub(SPARE_PORTS).max(1),
        _ => 27_000,
    }
}

/// Refuses more connections to one listener than this machine has ports for. Towards a loopback
/// address there are more source addresses.
pub(crate) fn check_ports(
    connections: u64,
    is_loopback: bool,
    per_source: u32,
) -> Result<(), Error> {
    if is_loopback || connections <= per_source.into() {
        return Ok(());
    }
    Err(Error::Limits(format!(
        "{connections} connections to one listener need as many local ports, about {per_source} are usable (net.ipv4.ip_local_port_range); run generators on several machines"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn too_many_connections_are_refused_with_the_numbers() {
        assert!(check_open_files(900, 1, 1_024).is_ok());
        let error = check_open_files(1_000, 1, 1_024).unwrap_err().to_string();
        assert!(
            error.contains("1000 connections need 1040 open files, the limit is 1024"),
            "{error}"
        );
        assert!(check_ports(30_000, true, 27_000).is_ok());
        assert!(check_ports(27_000, false, 27_000).is_ok());
        let error = check_ports(30_000, false, 27_000).unwrap_err().to_string();
        assert!(error.contains("30000 connections"), "{error}");
    }
}
