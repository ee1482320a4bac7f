//! WHO IS TOLD. People hear of alerts that stand, in groups and seldom.

pub mod config;
