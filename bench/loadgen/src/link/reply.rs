//! What a backend answers: the header blocks, and how a stream ends. Called by `origin`.
use super::Link;
use crate::frame::{END_HEADERS, END_STREAM, HEADERS, head};
use crate::hpack::int;

impl Link {
    /// `:status: 200`, behind a size update if the peer wants no table.
    fn begin_answer(&mut self) {
        self.block.clear();
        if !self.has_answered && self.table < 4096 {
            self.block.push(0x20);
        }
        self.has_answered = true;
        self.block.push(0x88);
    }

    /// `:status: 200` and `content-type: application/grpc`.
    pub fn answer(&mut self, id: u32) {
        self.begin_answer();
        self.field(0, 31, b"", b"application/grpc");
        head(&mut self.out, self.block.len(), HEADERS, END_HEADERS, id);
        self.out.extend_from_slice(&self.block);
    }

    /// Answers a request that had no body, as a service of small JSON documents: `size` octets and no trailers.
    pub fn answer_plain(&mut self, id: u32, size: u32) {
        self.begin_answer();
        for (name, value) in [(31, "application/json"), (28, &*size.to_string())] {
            int(&mut self.block, 0, 4, name);
            int(&mut self.block, 0, 7, value.len());
            self.block.extend_from_slice(value.as_bytes());
        }
        head(&mut self.out, self.block.len(), HEADERS, END_HEADERS, id);
        self.out.extend_from_slice(&self.block);
        if let Some(s) = self.streams.get_mut(&id) {
            s.is_plain = true;
        }
        if self.send(id, size) {
            self.end(id);
        }
    }

    /// Forgets a backend's stream whose body is sent; its trailers end it if it has any.
    pub fn end(&mut self, id: u32) {
        if let Some(s) = self.streams.remove(&id)
            && !s.is_plain
        {
            self.trailers(id);
        }
    }

    /// `grpc-status: 0`, and the stream's end.
    fn trailers(&mut self, id: u32) {
        self.block.clear();
        self.field(1, 0, b"grpc-status", b"0");
        head(&mut self.out, self.block.len(), HEADERS, END_STREAM | END_HEADERS, id);
        self.out.extend_from_slice(&self.block);
    }

    /// One of a backend's two fields: one octet once it stands in the peer's table, where the peer has a table of the
    /// usual size.
    fn field(&mut self, which: usize, known: u8, name: &[u8], value: &[u8]) {
        if self.inserted[which] > 0 {
            return self.block.push(0x80 | (62 + self.insertions - self.inserted[which]));
        }
        let mut indexed = 0;
        if self.table >= 4096 {
            self.insertions += 1;
            self.inserted[which] = self.insertions;
            indexed = 0x40;
        }
        int(&mut self.block, indexed, if indexed > 0 { 6 } else { 4 }, usize::from(known));
        if known == 0 {
            int(&mut self.block, 0, 7, name.len());
            self.block.extend_from_slice(name);
        }
        int(&mut self.block, 0, 7, value.len());
        self.block.extend_from_slice(value);
    }
}
