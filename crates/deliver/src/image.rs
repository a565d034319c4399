//! What is new, laid out once for all viewers that stand at the same place.

use crate::entry::Framing;
use crate::place::MAX_WRITE;
use crate::window::Window;

/// From so many viewers on one copy, shared by all, costs less than the list of slices that the
/// kernel else walks for each: it saves 7 % of a write of one frame and a quarter of one of 350 ms
/// (`docs/design/fan-out.md`).
const WORTH_A_COPY: usize = 4;

/// The wire from one place of the window on, in one piece.
pub(crate) struct Image {
    framing: Framing,
    pub(crate) bytes: Vec<u8>,
    /// The place behind it.
    pub(crate) to: u64,
}

/// The images of one pass over the viewers, one for each framing that they use.
pub(crate) struct Images<'a> {
    window: &'a Window,
    from: u64,
    is_worth_it: bool,
    images: Vec<Image>,
    /// Of earlier passes, to be used again.
    buffers: Vec<Vec<u8>>,
}

impl<'a> Images<'a> {
    /// Of what `window` holds from `from` on, for so many viewers.
    pub(crate) fn new(
        window: &'a Window,
        from: u64,
        viewers: usize,
        buffers: Vec<Vec<u8>>,
    ) -> Self {
        Self {
            window,
            from,
            is_worth_it: viewers >= WORTH_A_COPY,
            images: Vec::new(),
            buffers,
        }
    }

    /// The image in this framing; `None` where each viewer is better written to by slices.
    pub(crate) fn of(&mut self, framing: Framing) -> Option<&Image> {
        if !self.is_worth_it {
            return None;
        }
        let known = |image: &Image| image.framing == framing;
        if !self.images.iter().any(known) {
            let image = self.lay_out(framing);
            self.images.push(image);
        }
        self.images
            .iter()
            .find(|image| known(image))
            .filter(|image| !image.bytes.is_empty())
    }

    /// Gives the buffers back.
    pub(crate) fn into_buffers(self) -> Vec<Vec<u8>> {
        let mut buffers = self.buffers;
        buffers.extend(self.images.into_iter().map(|image| image.bytes));
        buffers
    }

    fn lay_out(&mut self, framing: Framing) -> Image {
        let mut bytes = self.buffers.pop().unwrap_or_default();
        bytes.clear();
        let mut to = self.from;
        let mut slices = Vec::new();
        for entry in self.window.from(self.from) {
            let len = entry.wire_len(framing);
            if bytes.len() + len > MAX_WRITE {
                break;
            }
            bytes.reserve(len);
            // All of them: the kernel's limit on slices is none of a copy's.
            entry.slices(framing, 0, &mut slices);
            for slice in slices.drain(..) {
                bytes.extend_from_slice(&slice);
            }
            to += 1;
        }
        Image { framing, bytes, to }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use remux::flv::{TagBody, TagKind};

    use super::*;
    use crate::entry::{Entry, Envelope, Message};

    #[test]
    fn message_of_more_chunks_than_a_write_takes_slices_is_whole() {
        let mut window = Window::new(1 << 20, 1_000);
        let body = TagBody {
            kind: TagKind::Video,
            body: Bytes::from(vec![7; 100_000]),
        };
        window.push(Entry::Message(Message::new(body, 40)), 40, None);
        window.release();
        let framing = Framing::Rtmp {
            chunk_size: 128,
            message_stream_id: 1,
        };
        let mut images = Images::new(&window, 0, WORTH_A_COPY, Vec::new());
        let image = images.of(framing).expect("worth it");
        // A header, and one byte before each chunk but the first.
        assert_eq!(image.bytes.len(), 12 + 100_000 + 781);
        assert_eq!(image.to, 1);
    }

    #[test]
    fn every_byte_is_copied_once_for_all_viewers_of_a_framing() {
        let mut window = Window::new(1 << 20, 1_000);
        for ms in 0..20 {
            let body = TagBody {
                kind: TagKind::Video,
                body: Bytes::from(vec![7; 1_000]),
            };
            window.push(Entry::Message(Message::new(body, ms)), ms.into(), None);
        }
        window.release();
        let framings = [
            Framing::Flv(Envelope::Chunked),
            Framing::Flv(Envelope::WebSocket),
        ];
        let mut images = Images::new(&window, 0, 1_000, Vec::new());
        let mut places = Vec::new();
        for framing in framings.into_iter().cycle().take(1_000) {
            places.push(images.of(framing).expect("worth it").bytes.as_ptr());
        }
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 2, "laid out once each");
        let copied: usize = images.into_buffers().iter().map(Vec::len).sum();
        // 15 bytes of a tag; "3f7\r\n" before and "\r\n" behind; a header of 4.
        assert_eq!(copied, 20 * (1_015 + 7) + 20 * (1_015 + 4));
    }

    #[test]
    fn few_viewers_are_given_slices_and_nothing_is_copied() {
        let window = Window::new(1 << 20, 1_000);
        let mut images = Images::new(&window, 0, WORTH_A_COPY - 1, Vec::new());
        assert!(images.of(Framing::Flv(Envelope::None)).is_none());
        assert!(images.into_buffers().is_empty());
    }
}
