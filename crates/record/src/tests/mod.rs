//! Recordings of real clips on a storage that fails.
#![allow(clippy::unwrap_used)]

mod clip;
mod faults;
mod files;
mod live;
mod splits;
