//! The little HTTP that is needed: one request, a head, a body that may come in chunks.

use std::io::ErrorKind;

use anyhow::{Context as _, bail, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::run::Run;
use crate::url::{Http, Target};

/// Longest head of an answer.
const HEAD_BYTES: usize = 16 << 10;

/// Asks once for the address of a stream and waits for the head of a good answer.
pub(crate) async fn touch(run: &Run, stream: u32) -> anyhow::Result<()> {
    let template = run.args.touch.as_deref().context("no address")?;
    let Target::Http(url) = Target::parse(template, stream)? else {
        bail!("{template} is not an http:// address");
    };
    let mut socket = TcpStream::connect(&url.authority).await?;
    socket.write_all(request(&url, "close").as_bytes()).await?;
    let mut head = Head::default();
    let mut buffer = [0; 4_096];
    while !head.is_read() {
        socket.readable().await?;
        match socket.try_read(&mut buffer) {
            Ok(0) => bail!("closed by the server"),
            Ok(read) => head.body(&buffer[..read], &mut |_| {})?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A GET.
pub(crate) fn request(url: &Http, connection: &str) -> String {
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: {connection}\r\n\r\n",
        url.path, url.authority
    )
}

/// Reads the head of an answer, then unwraps its body.
#[derive(Default)]
pub(crate) struct Head {
    text: Vec<u8>,
    progress: Progress,
}

#[derive(Default)]
enum Progress {
    #[default]
    Head,
    /// The body is as it comes.
    Plain,
    /// The size line of a chunk, as far as it is there.
    ChunkSize(Vec<u8>),
    /// Bytes left of a chunk, its line end included.
    Chunk(usize),
}

impl Head {
    fn is_read(&self) -> bool {
        !matches!(self.progress, Progress::Head)
    }

    /// Takes what was read, gives the bytes of the body to `body`.
    pub(crate) fn body(
        &mut self,
        mut input: &[u8],
        body: &mut dyn FnMut(&[u8]),
    ) -> anyhow::Result<()> {
        while let Some((&first, rest)) = input.split_first() {
            match &mut self.progress {
                Progress::Head => {
                    self.text.push(first);
                    input = rest;
                    if self.text.ends_with(b"\r\n\r\n") {
                        self.progress = after_head(&self.text)?;
                    }
                    ensure!(self.text.len() < HEAD_BYTES, "head too long");
                }
                Progress::Plain => {
                    body(input);
                    return Ok(());
                }
                Progress::ChunkSize(line) => {
                    input = rest;
                    if first != b'\n' {
                        line.push(first);
                        ensure!(line.len() < 32, "chunk size too long");
                        continue;
                    }
                    let digits = String::from_utf8_lossy(line);
                    let size = usize::from_str_radix(digits.trim(), 16)
                        .with_context(|| format!("{digits:?} is no chunk size"))?;
                    ensure!(size > 0, "ended by the server");
                    self.progress = Progress::Chunk(size + 2);
                }
                Progress::Chunk(left) => {
                    let (part, rest) = input.split_at(input.len().min(*left));
                    input = rest;
                    // The last two bytes are the line end.
                    let media = part.len().min(left.saturating_sub(2));
                    body(part.get(..media).unwrap_or_default());
                    *left -= part.len();
                    if *left == 0 {
                        self.progress = Progress::ChunkSize(Vec::new());
                    }
                }
            }
        }
        Ok(())
    }
}

fn after_head(text: &[u8]) -> anyhow::Result<Progress> {
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    let line = text.lines().next().unwrap_or_default();
    ensure!(
        line.split(' ').nth(1) == Some("200"),
        "the server answers {line:?}"
    );
    Ok(if text.contains("transfer-encoding: chunked") {
        Progress::ChunkSize(Vec::new())
    } else {
        Progress::Plain
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn any_split_gives_the_same_body() {
        let answer =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n";
        for at in 0..answer.len() {
            let (mut head, mut out) = (Head::default(), Vec::new());
            for part in [&answer[..at], &answer[at..]] {
                let mut body = |bytes: &[u8]| out.extend_from_slice(bytes);
                head.body(part, &mut body).unwrap();
            }
            assert_eq!(out, b"abcde", "split at {at}");
        }
    }

    #[test]
    fn an_answer_that_is_not_200_is_an_error() {
        let mut head = Head::default();
        assert!(head.body(b"HTTP/1.1 404 x\r\n\r\n", &mut |_| {}).is_err());
    }
}
