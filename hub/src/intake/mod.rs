//! WHAT COMES IN: national systems over HTTP, adapters over NATS.
