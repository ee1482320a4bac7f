//! What every store must do. One suite; each store's tests run it.
