//! One animal of the zoo as a process of its own, for the kit to start, kill and start again.
//!
//! `zoo good FOLDER`, or `zoo DEFECT FOLDER`.

use std::path::Path;
use std::process::ExitCode;

use tests::zoo::{Defect, animal};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(name), Some(folder)) = (arguments.next(), arguments.next()) else {
        return ExitCode::from(2);
    };
    let defect = Defect::of(&name);
    if defect.is_none() && name != "good" {
        return ExitCode::from(2);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return ExitCode::FAILURE };
    runtime.block_on(animal::live(Path::new(&folder), defect));
    ExitCode::SUCCESS
}
