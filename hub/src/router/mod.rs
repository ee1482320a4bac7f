//! WHAT GOES OUT. It remembers nothing: it looks at the outbox, plans, sends, and looks again.
