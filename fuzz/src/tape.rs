//! An input read as a list of choices, so that cutting or changing its bytes changes the choices.
//!
//! Knows nothing of what is chosen. Grammars and the targets that act in steps read their inputs through it. Past its
//! end every choice is the first one.

/// A reader of choices.
#[derive(Debug)]
pub(crate) struct Tape<'a> {
    rest: &'a [u8],
}

impl<'a> Tape<'a> {
    /// A reader at the start of an input.
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// Whether all choices were made.
    pub(crate) fn is_over(&self) -> bool {
        self.rest.is_empty()
    }

    /// One byte.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        first
    }

    /// Two bytes as a number.
    pub(crate) fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// Four bytes as a number.
    pub(crate) fn word(&mut self) -> u32 {
        u32::from(self.short()) << 16 | u32::from(self.short())
    }

    /// A number below `most`, which is at most 256 to be fair; 0 if there is none.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        match most {
            0 | 1 => 0,
            2..=256 => usize::from(self.byte()) % most,
            _ => self.word() as usize % most,
        }
    }

    /// True once in `n` times; never past the end.
    pub(crate) fn is_one_in(&mut self, n: usize) -> bool {
        !self.is_over() && self.below(n) == n - 1
    }

    /// One of these.
    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Up to `length` bytes as they are.
    pub(crate) fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    /// All that is left, as it is.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        self.bytes(usize::MAX)
    }

    /// The parts that [`put_part`] made of a list.
    pub(crate) fn part(&mut self) -> Option<&'a [u8]> {
        if self.is_over() {
            return None;
        }
        let length = usize::from(self.short());
        Some(self.bytes(length))
    }
}

/// Appends a part that [`Tape::part`] finds again; beyond 65,535 bytes it is cut off.
pub(crate) fn put_part(out: &mut Vec<u8>, part: &[u8]) {
    let length = part.len().min(usize::from(u16::MAX));
    out.extend_from_slice(&(length as u16).to_be_bytes());
    out.extend_from_slice(&part[..length]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_as_they_were_put() {
        let mut out = Vec::new();
        for part in [&b"abc"[..], b"", b"de"] {
            put_part(&mut out, part);
        }
        let mut tape = Tape::new(&out);
        assert_eq!(tape.part(), Some(&b"abc"[..]));
        assert_eq!(tape.part(), Some(&b""[..]));
        assert_eq!(tape.part(), Some(&b"de"[..]));
        assert_eq!(tape.part(), None);
    }

    #[test]
    fn past_the_end_every_choice_is_the_first() {
        let mut tape = Tape::new(&[7]);
        assert_eq!((tape.below(5), tape.below(5), tape.is_one_in(1), tape.word()), (2, 0, false, 0));
    }
}
