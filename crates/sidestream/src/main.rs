//! The `sidestream` binary: a thin shell over the library.

mod cli;
mod heap;

use std::process::ExitCode;

fn main() -> ExitCode {
    heap::give_large_allocations_pages();
    cli::run()
}
