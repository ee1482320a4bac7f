//! Proof, from outside: one binary, so that it links once.

mod attacks;
mod broker;
mod naive;
mod tidy;
mod travel;
