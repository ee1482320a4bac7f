//! What the other 31 provinces notice while one joins, changes its keys, has one revoked and leaves.
//!
//! `cargo build --release --package hub --package province-adapter`, then
//! `cargo bench -p tests --bench joining [-- --rounds 5]`. It fails at the first error of anybody else.

use std::time::Instant;

use events::ids::ProvinceCode;
use tests::broker::VERSIONS;
use tests::measure;
use tests::program::joined::{Joining, under_load};

/// The province that is never still.
const RESTLESS: u8 = 22;

#[tokio::main]
async fn main() {
    let rounds = u32::try_from(measure::told("--rounds", 5)).expect("a small number");
    let all = ProvinceCode::all().map(ProvinceCode::number);
    let others: Vec<u8> = all.filter(|it| *it != RESTLESS).collect();
    for version in VERSIONS {
        let Some(stage) = Joining::start("joining", version).await else { continue };
        let began = Instant::now();
        let seen = under_load(&stage, &others, RESTLESS, rounds).await;
        println!(
            "nats-server {}: {rounds} rounds beside {} provinces: {} cases of theirs, all completed, 0 lost \
             connections, 0 refused reports; a revoked key was cut off after {:?}; {:?} in all",
            stage.broker_release(),
            others.len(),
            seen.cases,
            seen.cut_off,
            began.elapsed(),
        );
    }
}
