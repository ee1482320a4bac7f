//! Proof, from outside: one binary, so that it links once.

mod attacks;
mod bad_http;
mod bad_nats;
mod broker;
mod canary;
mod command_line;
mod compatibility;
mod conformance;
mod console;
mod contract;
mod crash;
mod http;
mod naive;
mod odd_callers;
mod office_pull;
mod python_adapter;
mod replay;
mod running_hub;
mod sabotage;
mod schemas;
mod scripts;
mod simulation;
mod tidy;
mod travel;
mod vectors;
mod zoo;
