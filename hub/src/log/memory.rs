//! A log in memory: for tests and simulation. Durable until the process ends.
