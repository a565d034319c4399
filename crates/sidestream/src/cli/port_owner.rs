//! Which process holds a port, as far as `/proc` tells this user.

use std::net::SocketAddr;
use std::path::Path;

/// A process.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) pid: u32,
}

/// The process that listens on the port of `addr`; `None` when it cannot be read.
pub(super) fn owner(addr: SocketAddr) -> Option<Owner> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .flat_map(|table| listening(&table, addr.port()))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let mut processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes.find_map(|process| {
        let pid: u32 = process.file_name().to_str()?.parse().ok()?;
        holds(&process.path().join("fd"), &inodes).then_some(())?;
        let name = std::fs::read_to_string(process.path().join("comm")).ok()?;
        let name: String = name.trim().chars().filter(|c| !c.is_control()).collect();
        Some(Owner { name, pid })
    })
}

/// Inodes of the sockets that listen on a port, from the text of `/proc/net/tcp`.
fn listening(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let wanted = format!("{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
            let is_it = local_port == wanted && *fields.get(3)? == LISTEN;
            is_it.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
        })
        .collect()
}

fn holds(fds: &Path, sockets: &[String]) -> bool {
    let Ok(entries) = std::fs::read_dir(fds) else {
        return false;
    };
    entries
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .any(|link| {
            sockets
                .iter()
                .any(|socket| link.as_os_str() == socket.as_str())
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn this_process_owns_what_it_listens_on() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = owner(listener.local_addr().unwrap()).unwrap();
        assert_eq!(found.pid, std::process::id());
        assert!(!found.name.is_empty());
    }

    #[test]
    fn only_listening_sockets_count() {
        let table = "  sl  local_address rem_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode\n\
            0: 00000000:078F 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 41 1\n\
            1: 0100007F:078F 0100007F:C350 01 00000000:00000000 00:00000000 00000000 0 0 42 1\n\
            2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 43 1\n";
        assert_eq!(listening(table, 1935), ["41"]);
        assert_eq!(listening(table, 8080), ["43"]);
        assert_eq!(listening(table, 80), Vec::<String>::new());
    }
}
