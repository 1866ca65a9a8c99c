//! Sessions and exchanges as values: the relay, without I/O or clock.
