//! Header blocks of RFC 7541, field by field as the attacker wants them: nothing here keeps a table or asks whether a block may
//! be.

/// A block that grows.
#[derive(Clone, Debug, Default)]
pub struct Block(Vec<u8>);

impl Block {
    /// One without a field.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A gRPC request for this path, without an index into the dynamic table.
    #[must_use]
    pub fn request(path: &str) -> Self {
        let pseudo = Self::new().indexed(3).indexed(6).named(4, path).named(1, "attacked");
        pseudo.literal("content-type", b"application/grpc").literal("te", b"trailers")
    }

    /// The pseudo-headers of a GET, in good order.
    #[must_use]
    pub fn get(path: &str) -> Self {
        Self::new().indexed(2).indexed(6).named(4, path).named(1, "attacked")
    }

    /// An answer with status 200.
    #[must_use]
    pub fn ok() -> Self {
        Self::new().indexed(8)
    }

    /// An entry of the tables (§6.1).
    #[must_use]
    pub fn indexed(mut self, index: usize) -> Self {
        integer(index, 7, 0x80, &mut self.0);
        self
    }

    /// A literal that enters no table (§6.2.2).
    #[must_use]
    pub fn literal(mut self, name: &str, value: &[u8]) -> Self {
        self.0.push(0);
        string(name.as_bytes(), &mut self.0);
        string(value, &mut self.0);
        self
    }

    /// The same, its name from the tables.
    #[must_use]
    pub fn named(mut self, index: usize, value: &str) -> Self {
        integer(index, 4, 0, &mut self.0);
        string(value.as_bytes(), &mut self.0);
        self
    }

    /// A literal that enters the dynamic table (§6.2.1).
    #[must_use]
    pub fn entered(mut self, name: &str, value: &[u8]) -> Self {
        self.0.push(0x40);
        string(name.as_bytes(), &mut self.0);
        string(value, &mut self.0);
        self
    }

    /// A change of the dynamic table's size (§6.3).
    #[must_use]
    pub fn size(mut self, size: usize) -> Self {
        integer(size, 5, 0x20, &mut self.0);
        self
    }

    /// Any bytes.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// An integer behind a prefix (§5.1).
fn integer(n: usize, prefix_bits: u32, flags: u8, out: &mut Vec<u8>) {
    let most = (1 << prefix_bits) - 1;
    if n < most {
        out.push(flags | n as u8);
        return;
    }
    out.push(flags | most as u8);
    let mut rest = n - most;
    while rest >= 128 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn string(bytes: &[u8], out: &mut Vec<u8>) {
    integer(bytes.len(), 7, 0, out);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_are_written_so() {
        // RFC 7541 C.1.2 and C.2.1.
        let mut bytes = Vec::new();
        integer(1337, 5, 0, &mut bytes);
        assert_eq!(bytes, [31, 154, 10]);
        let block = Block::new().entered("custom-key", b"custom-header");
        assert_eq!(&block.bytes()[..3], [0x40, 0x0a, b'c']);
        assert_eq!(block.bytes().len(), 26);
    }
}
