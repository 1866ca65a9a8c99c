//! The body of an answer: the frames of messages as they are or in base64, and at the end the trailers as a frame.

use super::Mode;
use crate::base64;

/// The first octet of the frame of trailers, which are never compressed here.
const TRAILERS: u8 = 0x80;

/// Writes one answer.
#[derive(Clone, Copy, Debug)]
pub struct AnswerWriter {
    mode: Mode,
    /// Octets that do not make a group of base64 yet.
    left: [u8; 2],
    left_length: u8,
}

impl AnswerWriter {
    /// An answer to a request of this mode.
    #[must_use]
    pub const fn new(mode: Mode) -> Self {
        Self { mode, left: [0; 2], left_length: 0 }
    }

    /// Appends a part of the endpoint's body. In text mode up to two octets wait for [`Self::flush`].
    pub fn put(&mut self, out: &mut Vec<u8>, mut part: &[u8]) {
        if self.mode == Mode::Binary {
            out.extend_from_slice(part);
            return;
        }
        out.reserve(part.len().div_ceil(3) * 4 + 4);
        if self.left_length > 0 {
            let length = usize::from(self.left_length);
            let mut group = [self.left[0], self.left[1], 0];
            let n = part.len().min(3 - length);
            group[length..length + n].copy_from_slice(&part[..n]);
            part = &part[n..];
            if length + n < 3 {
                self.keep(&group[..length + n]);
                return;
            }
            out.extend_from_slice(&base64::encode_group(group));
        }
        let (groups, rest) = part.as_chunks::<3>();
        for group in groups {
            out.extend_from_slice(&base64::encode_group(*group));
        }
        self.keep(rest);
    }

    /// Appends what waits, padded, so that the client can read all that was put.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        let last = base64::encode_last(&self.left[..usize::from(self.left_length)]);
        out.extend_from_slice(last.as_ref().map_or(&[], |group| group.as_slice()));
        self.left_length = 0;
    }

    /// Appends the end: the trailers as a frame, names in lower case, and what waits. Names and values are those of header
    /// fields, without pseudo-headers.
    pub fn end<'a>(
        &mut self,
        out: &mut Vec<u8>,
        trailers: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) {
        // Header lists are limited far below 4 GiB.
        let length = trailers.clone().map(|(name, value)| name.len() + value.len() + 4).sum::<usize>() as u32;
        self.put(out, &[TRAILERS]);
        self.put(out, &length.to_be_bytes());
        for (name, value) in trailers {
            for &letter in name {
                self.put(out, &[letter.to_ascii_lowercase()]);
            }
            self.put(out, b": ");
            self.put(out, value);
            self.put(out, b"\r\n");
        }
        self.flush(out);
    }

    fn keep(&mut self, octets: &[u8]) {
        self.left[..octets.len()].copy_from_slice(octets);
        self.left_length = octets.len() as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::super::TextDecoder;
    use super::*;
    use proptest::prelude::*;

    const TRAILERS_OF_AN_ANSWER: [(&[u8], &[u8]); 2] = [(b"grpc-status", b"0"), (b"Grpc-Message", b"OK")];

    #[test]
    fn a_binary_answer_is_its_frames_and_the_trailers() {
        let (mut writer, mut out) = (AnswerWriter::new(Mode::Binary), Vec::new());
        writer.put(&mut out, b"\0\0\0\0\x02hi");
        writer.flush(&mut out);
        writer.end(&mut out, TRAILERS_OF_AN_ANSWER.into_iter());
        assert_eq!(out, b"\0\0\0\0\x02hi\x80\0\0\0\x22grpc-status: 0\r\ngrpc-message: OK\r\n");
    }

    #[test]
    fn a_text_answer_is_padded_where_it_is_flushed() {
        let (mut writer, mut out) = (AnswerWriter::new(Mode::Text), Vec::new());
        writer.put(&mut out, b"\0\0\0\0\x05");
        writer.put(&mut out, b"h");
        assert_eq!(out, b"AAAAAAVo", "nothing waits after six octets");
        writer.put(&mut out, b"e");
        assert_eq!(out, b"AAAAAAVo");
        writer.flush(&mut out);
        assert_eq!(out, b"AAAAAAVoZQ==");
        writer.flush(&mut out);
        writer.put(&mut out, b"llo");
        writer.end(&mut out, [(&b"grpc-status"[..], &b"0"[..])].into_iter());
        assert_eq!(out, b"AAAAAAVoZQ==bGxvgAAAABBncnBjLXN0YXR1czogMA0K");
    }

    #[test]
    fn an_answer_without_trailers_ends_with_an_empty_frame_of_them() {
        for (mode, end) in [(Mode::Binary, &b"\x80\0\0\0\0"[..]), (Mode::Text, b"gAAAAAA=")] {
            let mut out = Vec::new();
            AnswerWriter::new(mode).end(&mut out, std::iter::empty());
            assert_eq!(out, end);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn text_in_any_parts_and_flushes_decodes_to_the_binary_answer(
            parts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), any::<bool>()), 0..20),
        ) {
            let (mut binary, mut text) = (Vec::new(), Vec::new());
            let (mut to_binary, mut to_text) = (AnswerWriter::new(Mode::Binary), AnswerWriter::new(Mode::Text));
            for (part, is_flushed) in &parts {
                to_binary.put(&mut binary, part);
                to_text.put(&mut text, part);
                if *is_flushed {
                    to_text.flush(&mut text);
                }
            }
            to_binary.end(&mut binary, TRAILERS_OF_AN_ANSWER.into_iter());
            to_text.end(&mut text, TRAILERS_OF_AN_ANSWER.into_iter());
            let (mut decoder, mut decoded) = (TextDecoder::default(), Vec::new());
            prop_assert_eq!(decoder.decode(&text, &mut decoded), Ok(()));
            prop_assert_eq!(decoder.finish(), Ok(()));
            prop_assert_eq!(decoded, binary);
        }
    }
}
