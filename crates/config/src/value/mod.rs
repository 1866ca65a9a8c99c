//! What single values mean: text to durations, shares, sizes, addresses, names. Refuses to know keys, ranges and places.

pub(crate) mod address;
pub(crate) mod duration;
pub(crate) mod http;
pub(crate) mod name;
pub(crate) mod path;
pub(crate) mod share;
pub(crate) mod size;
