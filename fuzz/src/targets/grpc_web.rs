//! gRPC-Web: base64 decodes the same in whatever cuts, and an answer in text says what the binary one does.

use super::pieces;
use crate::prng::Prng;
use crate::tape::Tape;
use evenkeel_wire::grpc_web::{AnswerWriter, Fault, Mode, TextDecoder};

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut out = vec![tape.byte()];
    let mut writer = AnswerWriter::new(Mode::Text);
    while !tape.is_over() && out.len() < 5_000 {
        let length = tape.below(40);
        writer.put(&mut out, tape.bytes(length));
        if tape.is_one_in(3) {
            writer.flush(&mut out);
        }
    }
    writer.flush(&mut out);
    out
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let mut tape = Tape::new(input);
    let mut prng = Prng::new(&[u64::from(tape.byte())]);
    let body = tape.rest();
    let whole = decode(&[body]);
    for most in [1, 3, 4, 50] {
        let cut = decode(&pieces::of(body, most, &mut prng));
        if cut != whole {
            return Err(format!("in pieces of up to {most}: {cut:02x?}, whole: {whole:02x?}"));
        }
    }
    let (mut text, mut binary) = (Vec::new(), Vec::new());
    let (mut to_text, mut to_binary) = (AnswerWriter::new(Mode::Text), AnswerWriter::new(Mode::Binary));
    for piece in pieces::of(body, 30, &mut prng) {
        to_text.put(&mut text, piece);
        to_binary.put(&mut binary, piece);
        if prng.is_one_in(3) {
            to_text.flush(&mut text);
        }
    }
    let value = &body[..body.len().min(20)];
    let trailers = [(&b"grpc-status"[..], &b"0"[..]), (b"Grpc-Message", value)];
    to_text.end(&mut text, trailers.into_iter());
    to_binary.end(&mut binary, trailers.into_iter());
    if !binary.starts_with(body) || binary[body.len()] != 0x80 {
        return Err(format!("the binary answer {binary:02x?}"));
    }
    match decode(&[&text]) {
        Ok(decoded) if decoded == binary => Ok(()),
        other => Err(format!("in text {other:02x?}, binary {binary:02x?}")),
    }
}

fn decode(pieces: &[&[u8]]) -> Result<Vec<u8>, Fault> {
    let (mut decoder, mut out) = (TextDecoder::default(), Vec::new());
    pieces.iter().try_for_each(|piece| decoder.decode(piece, &mut out))?;
    decoder.finish().map(|()| out)
}
