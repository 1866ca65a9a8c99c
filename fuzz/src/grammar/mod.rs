//! Makers of inputs that are mostly valid: each turns a list of choices into the bytes of a format.
//!
//! Written by hand from the RFCs, so that a fault of the code under test is not in them too (the Huffman coding alone is
//! the code's own, which the target `huffman` holds against another one). Used by the targets.

pub(crate) mod blocks;
pub(crate) mod frames;
pub(crate) mod messages;
pub(crate) mod yaml;
