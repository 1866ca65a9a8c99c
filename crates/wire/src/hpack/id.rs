//! The id of a field: what tables, lists and the store pass to each other.

/// Entries of the static table (RFC 7541 Appendix A).
pub const STATIC_LEN: usize = 61;

/// A field in the store. Ids up to 61 are the static table's indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeaderId(u32);

impl HeaderId {
    pub(super) const fn of_static(index: usize) -> Self {
        Self(index as u32)
    }

    pub(super) const fn of_slot(slot: u32) -> Self {
        Self(slot)
    }

    /// Its place in the store.
    pub(super) const fn slot(self) -> usize {
        self.0 as usize
    }

    /// Whether it is one of the static table's, which nobody owns.
    #[must_use]
    pub const fn is_static(self) -> bool {
        self.0 as usize <= STATIC_LEN
    }

    /// The index in the static table.
    pub(super) const fn static_index(self) -> Option<usize> {
        if self.is_static() { Some(self.0 as usize) } else { None }
    }
}
