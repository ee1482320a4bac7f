//! Proof, from outside: one binary, so that it links once.

mod attacks;
mod bad_http;
mod broker;
mod canary;
mod http;
mod naive;
mod replay;
mod sabotage;
mod schemas;
mod scripts;
mod simulation;
mod tidy;
mod travel;
