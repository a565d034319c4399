//! Where a recording goes: folder, name and container from what the command line says.

use std::path::{Path, PathBuf};

use record::{Disk, Format, MANIFEST, MARKER, Media, Spec, Storage, Template};

use crate::cli::args::Record;

/// A file, or a folder of HLS, that is to be written.
#[derive(Debug)]
pub(super) struct Target {
    /// The folder that it is made in.
    pub(super) root: PathBuf,
    pub(super) spec: Spec,
    /// As it was asked for.
    path: PathBuf,
    /// Its name in the folder.
    name: String,
}

impl Target {
    /// What is asked for.
    ///
    /// # Errors
    /// One sentence: what is wrong with the name, and what to do.
    pub(super) fn of(args: &Record) -> Result<Self, String> {
        let path = playlist_folder(&args.output);
        let shown = path.display();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some(name) = name.filter(|name| *name != "-") else {
            return Err(format!(
                "{shown}: is no name of a file; write one like cam1.mp4"
            ));
        };
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let format = match (args.to, extension) {
            (Some(format), _) => format,
            (None, "") => {
                return Err(format!(
                    "{shown}: its name does not say the container; add an extension or --to mp4"
                ));
            }
            (None, "mov") => Format::Mp4,
            (None, "m3u8") => {
                return Err(format!(
                    "{shown}: a recording in HLS is a folder; write {stem}.hls, its playlist is {stem}.hls/index.m3u8"
                ));
            }
            (None, word) => Format::from_extension(word).ok_or_else(|| {
                format!("{shown}: unknown extension .{word}; write .flv .mp4 .m4a .ts .hls or .aac, or add --to")
            })?,
        };
        let sound_only = format == Format::Aac || extension.eq_ignore_ascii_case("m4a");
        let media = match (args.tracks, sound_only) {
            (Some(Media::Video), true) => {
                return Err(format!(
                    "{shown}: holds sound only; leave out --tracks video"
                ));
            }
            (_, true) => Media::Audio,
            (tracks, false) => tracks.unwrap_or_default(),
        };
        let mut spec = Spec::default();
        spec.formats = vec![format];
        spec.media = media;
        spec.split.every = args.split.unwrap_or_default();
        spec.extension = Some(extension.to_owned());
        let template = Template::literal(stem).map_err(|error| error.to_string())?;
        spec.name = Some(template);
        spec.check().map_err(|error| error.to_string())?;
        let root = match path.parent() {
            Some(parent) if parent != Path::new("") => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Self {
            root,
            spec,
            name: name.to_owned(),
            path,
        })
    }

    /// Whether it may be written: its folder is there, nothing has its name, or may be replaced.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn check(&self, overwrite: bool) -> Result<(), String> {
        let shown = self.path.display();
        if !self.root.is_dir() {
            return Err(format!(
                "{}: no such folder; create it",
                self.root.display()
            ));
        }
        for (ending, path) in self.all() {
            match std::fs::symlink_metadata(self.root.join(&path)) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("{shown}{ending}: {error}")),
                Ok(found) if found.is_dir() => {
                    return Err(format!(
                        "{shown}: is a folder; remove it, or write to another name"
                    ));
                }
                Ok(_) if !overwrite => {
                    return Err(format!("{shown}{ending}: exists; pass -y to replace it"));
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Removes what had the name, unless somebody writes it.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn clear(&self) -> Result<(), String> {
        let disk = Disk::new(&self.root);
        let marker = format!("{}{MARKER}", self.name);
        if let Ok(marker) = disk.open(&marker)
            && !marker.lock().unwrap_or(true)
        {
            return Err(format!(
                "{}: another process is recording it; write to another name",
                self.path.display()
            ));
        }
        for (ending, path) in self.all() {
            match disk.remove(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(format!("{}{ending}: {error}", self.path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The file, and what stands beside it: what its name ends with, its name.
    fn all(&self) -> [(&'static str, String); 3] {
        ["", MANIFEST, MARKER].map(|ending| (ending, format!("{}{ending}", self.name)))
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.path.display().fmt(f)
    }
}

/// The playlist of a folder of ours stands for the folder.
fn playlist_folder(output: &Path) -> PathBuf {
    match (output.file_name(), output.parent()) {
        (Some(name), Some(parent)) if name == "index.m3u8" && parent != Path::new("") => {
            parent.to_owned()
        }
        _ => output.to_owned(),
    }
}
