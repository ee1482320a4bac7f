//! Proof, from outside: one binary, so that it links once.

mod attacks;
mod bad_http;
mod broker;
mod http;
mod naive;
mod schemas;
mod scripts;
mod simulation;
mod tidy;
mod travel;
