//! The stage: real brokers, fake ends, a clock we turn by hand; and the stand on which speed is measured.

pub mod alone;
pub mod broker;
pub mod browser;
pub mod canary;
pub mod collector;
pub mod compatibility;
pub mod counterparts;
pub mod http;
pub mod http_office;
pub mod invariants;
pub mod journey;
pub mod measure;
pub mod office;
pub mod office_stage;
pub mod openid;
pub mod postgres;
pub mod power;
pub mod program;
pub mod promtool;
pub mod python;
pub mod raw_nats;
pub mod script;
pub mod simulation;
pub mod stage;
pub mod strace;
pub mod zoo;
