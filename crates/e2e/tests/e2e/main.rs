//! End-to-end tests of the `sidestream` binary, one module an area.
#![allow(clippy::unwrap_used, reason = "tests")]

mod abuse;
mod api;
mod auth;
mod bench;
mod browser;
mod callbacks;
mod cli;
mod console;
mod continuity;
mod corpus;
mod demo;
mod disk_full;
mod enhanced;
mod flv_out;
mod harness;
mod hls_check;
mod hls_http;
mod hls_out;
mod lifecycle;
mod load;
mod low_latency;
mod mirror;
mod names;
mod players;
mod policy;
mod probe;
mod push;
mod record;
mod record_command;
mod remux;
mod remux_damage;
mod remux_large;
mod rtmp_out;
mod rtmps;
mod usage;
