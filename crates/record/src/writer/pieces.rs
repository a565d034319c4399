//! The files of one stretch: their names, their beginning, their end.

use super::{Piece, Writer};
use crate::error::Error;
use crate::event::What;
use crate::filing::Filing;
use crate::finisher::Job;
use crate::manifest::{Cause, Gap, Marker, TrackInfo};
use crate::name::{Fill, Template};
use crate::output::Output;
use crate::session::Opening;
use crate::status::State;

/// Names that are tried when one is taken.
const NAMES: u32 = 10_000;

impl Writer {
    /// Begins the files of the next piece, under the first name that is free in all formats.
    pub(super) fn open(&mut self, opening: &Opening) -> Result<(), Error> {
        self.check_space()?;
        let start = jiff::Timestamp::from_millisecond(opening.wall_ms).unwrap_or_default();
        let start = start.to_zoned(jiff::tz::TimeZone::system());
        let template = self.spec.name.clone();
        let template = template.unwrap_or_else(|| self.config.name.clone());
        for _ in 0..NAMES {
            let stem = self.stem(&template, &start);
            match self.open_all(&stem, opening) {
                Err(Error::Io { source, .. })
                    if source.kind() == std::io::ErrorKind::AlreadyExists =>
                {
                    self.next_index += 1;
                }
                opened => {
                    self.piece = Some(opened?);
                    return self.begun();
                }
            }
        }
        Err(Error::NoName(self.stem(&template, &start)))
    }

    /// The path of the next piece, without extension.
    fn stem(&self, template: &Template, start: &jiff::Zoned) -> String {
        let path = |index| {
            template.path(&Fill {
                stream: &self.stream,
                start,
                index,
                id: &self.id,
            })
        };
        let own = path(self.next_index);
        // A template without number: the first file has none, the others one behind.
        match self.next_index {
            0 => own,
            index if own == path(index + 1) => format!("{own}-{index}"),
            _ => own,
        }
    }

    fn open_all(&self, stem: &str, opening: &Opening) -> Result<Piece, Error> {
        let tracks: Vec<TrackInfo> = opening
            .headers
            .tracks
            .iter()
            .map(|t| TrackInfo::of(t))
            .collect();
        let mut piece = Piece {
            outputs: Vec::new(),
            markers: Vec::new(),
        };
        let mut refused = None;
        for format in &self.spec.formats {
            let path = format!("{stem}{}", self.spec.ending(*format));
            let marker = Marker::new(
                &self.id,
                self.stream.as_str(),
                (*format, self.spec.media),
                self.next_index,
                opening.wall_ms,
                tracks.clone(),
            );
            // Before its marker is there: the look for unfinished files must not take it for one.
            self.own.add(&path);
            match Output::create(&self.storage, path, &marker, *format, &opening.headers) {
                Ok(output) => {
                    piece.outputs.push(output);
                    piece.markers.push(marker);
                }
                // The other formats may carry them.
                Err(error @ Error::Tracks { .. }) => {
                    tracing::warn!(rec = %self.id, stream = %self.stream, "{error}");
                    refused = Some(error);
                }
                Err(error) => {
                    for output in &mut piece.outputs {
                        output.discard();
                    }
                    return Err(error);
                }
            }
        }
        match refused {
            Some(error) if piece.outputs.is_empty() => Err(error),
            _ => Ok(piece),
        }
    }

    fn begun(&mut self) -> Result<(), Error> {
        let paths: Vec<String> = self
            .piece
            .iter()
            .flat_map(|p| &p.outputs)
            .map(|o| o.path.clone())
            .collect();
        tracing::info!(event = "recording.started", rec = %self.id, stream = %self.stream, files = paths.join(" "), "recording");
        let is_first = self.status.get().state == State::Pending;
        self.status.update(|status| {
            status.state = State::Recording;
            status.open = paths;
        });
        if is_first {
            self.events.push(&self.id, &self.stream, What::Started);
        }
        self.next_index += 1;
        let lost = std::mem::take(&mut self.lost);
        for output in self.piece.iter_mut().flat_map(|piece| &mut piece.outputs) {
            let own = lost.iter().find(|(format, _)| *format == output.format);
            if let Some((_, missing_ms)) = own {
                output.gap(&Gap {
                    at_ms: 0,
                    missing_ms: *missing_ms,
                    in_time: false,
                    cause: Cause::Disk,
                });
            }
        }
        if !lost.is_empty() {
            self.status.gap();
        }
        Ok(())
    }

    /// Finishes the files of the piece and hands them on.
    pub(super) fn finish_piece(&mut self) {
        let Some(piece) = self.piece.take() else {
            return;
        };
        let mut longest = 0;
        for (output, marker) in piece.outputs.into_iter().zip(piece.markers) {
            let format = output.format;
            let unfiled = output.finish();
            if unfiled.lost_ms > 0 {
                self.lost.push((format, unfiled.lost_ms));
            }
            let status = Some(self.status.clone());
            longest = longest.max(unfiled.progress.duration_ms);
            let job = match unfiled.is_sound {
                true => Job::File(Box::new(Filing {
                    path: unfiled.path,
                    marker,
                    progress: unfiled.progress,
                    recovered: false,
                    status,
                    lock: unfiled.lock,
                })),
                false => {
                    // The repair takes its lock.
                    drop(unfiled.lock);
                    Job::Repair(unfiled.path, status)
                }
            };
            // A finisher that is gone leaves it to the next start.
            let _ = self.finisher.send(job);
        }
        self.done_ms += longest;
        self.status.update(|status| status.open.clear());
    }
}
