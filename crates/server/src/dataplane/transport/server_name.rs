//! The name that a client asked for, from where certificates are chosen to the connection that asked.
//!
//! The unbuffered API names it to the chooser of certificates only, which has no connection at hand. Both run within one
//! call on one thread, so a cell of the thread carries it: noted by the chooser, taken when the call has returned.

use std::cell::RefCell;

thread_local! {
    static NAME: RefCell<Option<Box<str>>> = const { RefCell::new(None) };
}

/// A client hello is being answered that asks for this name.
pub(crate) fn note(name: Option<&str>) {
    NAME.set(name.map(|name| name.to_ascii_lowercase().into()));
}

/// The name that was noted since the last time.
pub(crate) fn take() -> Option<Box<str>> {
    NAME.take()
}
