//! Control plane.

pub mod credential;
