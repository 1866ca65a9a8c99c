//! What Evenkeel wrote on a connection, frame by frame, against RFC 9113, RFC 7541 and the settings in force.

use super::super::frames::{self, RawFrame, names};
use super::{Happening, Role, Session};
use crate::simulation::ledger::Fields;
use evenkeel_wire::detect::PREFACE;
use evenkeel_wire::hpack::{HeaderLimits, HeaderList};

/// Most that Evenkeel ever lets a peer send ahead on a connection.
const MOST_WINDOW: i64 = 8 << 20;
/// Most that Evenkeel ever lets a peer send ahead on a stream.
pub(in super::super) const MOST_STREAM_WINDOW: i64 = 1 << 20;

impl Session {
    /// Takes what Evenkeel wrote.
    ///
    /// # Errors
    /// What Evenkeel did wrong.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<Happening>, String> {
        self.input.extend_from_slice(bytes);
        let mut happened = Vec::new();
        let mut at = 0;
        if !self.has_preface {
            if self.input.len() < PREFACE.len() {
                return Ok(happened);
            }
            if !self.input.starts_with(PREFACE) {
                return Err("the connection does not begin with the preface".to_owned());
            }
            (self.has_preface, at) = (true, PREFACE.len());
        }
        while let Some(frame) = frames::take(&self.input, &mut at, self.own.frame as usize)? {
            if std::mem::take(&mut self.is_first) && (frame.kind != names::SETTINGS || frame.has(names::ACK))
            {
                return Err(format!("the first frame is of type {}, not SETTINGS", frame.kind));
            }
            if self.block.is_some() != (frame.kind == names::CONTINUATION) {
                return Err(format!("a frame of type {} in or out of a header block", frame.kind));
            }
            self.frame(frame, &mut happened)?;
        }
        self.input.drain(..at);
        Ok(happened)
    }

    fn frame(&mut self, frame: RawFrame, happened: &mut Vec<Happening>) -> Result<(), String> {
        let stream = frame.stream;
        let is_of_connection =
            matches!(frame.kind, names::SETTINGS | names::PING | names::GOAWAY) || frame.kind > 9;
        if is_of_connection != (stream == 0) && frame.kind != names::WINDOW_UPDATE {
            return Err(format!("a frame of type {} on stream {stream}", frame.kind));
        }
        match frame.kind {
            names::DATA => {
                if frame.has(names::PADDED) {
                    return Err("padding, which Evenkeel never writes".to_owned());
                }
                self.receive_window -= frame.payload.len() as i64;
                if self.receive_window < 0 && !frame.payload.is_empty() {
                    return Err(format!("the connection's window is overrun by {}", -self.receive_window));
                }
                let is_end = frame.has(names::END_STREAM);
                happened.push(Happening::Data { stream, bytes: frame.payload, is_end });
            }
            names::HEADERS => {
                if frame.has(names::PADDED) || frame.has(names::WITH_PRIORITY) {
                    return Err("padding or priority, which Evenkeel never writes".to_owned());
                }
                let (is_end, is_whole) = (frame.has(names::END_STREAM), frame.has(names::END_HEADERS));
                self.block = Some((stream, is_end, frame.payload));
                self.end_block(is_whole, happened)?;
            }
            names::CONTINUATION => {
                let is_whole = frame.has(names::END_HEADERS);
                match &mut self.block {
                    Some((of, _, bytes)) if *of == stream => bytes.extend_from_slice(&frame.payload),
                    _ => return Err("CONTINUATION of another stream".to_owned()),
                }
                self.end_block(is_whole, happened)?;
            }
            names::RST_STREAM => happened.push(Happening::Reset { stream, code: frame.word(0)? }),
            names::SETTINGS if frame.has(names::ACK) => {
                let now = self.unacked.pop_front().ok_or("an acknowledgement of no SETTINGS")?;
                let delta = i64::from(now.window) - i64::from(self.own.window);
                let size = now.table.min(4096);
                let smallest = self.table_asked.map_or(size, |(smallest, _)| smallest.min(size));
                self.table_asked = Some((smallest, size));
                self.own = now;
                happened.push(Happening::OwnInForce { settings: now, delta });
            }
            names::SETTINGS => {
                for pair in frame.payload.chunks(6) {
                    let &[a, b, c, d, e, f] = pair else { return Err("half a setting".to_owned()) };
                    if u16::from_be_bytes([a, b]) == 4 {
                        let window = u32::from_be_bytes([c, d, e, f]);
                        let delta = i64::from(window) - i64::from(self.their_window);
                        self.their_window = window;
                        happened.push(Happening::TheirWindow { delta });
                    }
                }
                if !self.never_acks {
                    frames::put(&mut self.out, names::SETTINGS, names::ACK, 0, &[]);
                }
            }
            names::PING if frame.has(names::ACK) => {
                if self.pings.pop_front().is_none_or(|sent| sent[..] != frame.payload) {
                    return Err("PING is answered with other octets, or twice".to_owned());
                }
                if self.pings.is_empty() {
                    happened.push(Happening::Pong);
                }
            }
            names::PING => frames::put(&mut self.out, names::PING, names::ACK, 0, &frame.payload),
            names::GOAWAY => {
                let (last, code) = (frame.word(0)?, frame.word(4)?);
                if self.goaway.is_some_and(|before| last > before) {
                    return Err("a later GOAWAY with a higher last stream".to_owned());
                }
                self.goaway = Some(last);
                happened.push(Happening::GoAway { last, code });
            }
            names::WINDOW_UPDATE => {
                let increment = frame.word(0)?;
                if increment == 0 || increment >> 31 != 0 {
                    return Err(format!("a window update of {increment}"));
                }
                if stream > 0 {
                    happened.push(Happening::StreamWindow { stream, increment });
                } else {
                    self.send_window += i64::from(increment);
                    if self.send_window > MOST_WINDOW {
                        return Err(format!("the connection's credit of {} is too much", self.send_window));
                    }
                }
            }
            other => return Err(format!("a frame of type {other}, which Evenkeel never writes")),
        }
        Ok(())
    }

    fn end_block(&mut self, is_whole: bool, happened: &mut Vec<Happening>) -> Result<(), String> {
        if !is_whole {
            return Ok(());
        }
        let Some((stream, is_end, block)) = self.block.take() else { return Ok(()) };
        self.check_table_size(&block)?;
        let mut list = HeaderList::default();
        self.decoder
            .decode(&block, &HeaderLimits::default(), &mut self.store, &mut list)
            .map_err(|e| format!("a header block that does not decode: {e}"))?;
        let mut fields = Fields::new();
        for field in list.fields() {
            let name = list.name_bytes(field, &self.store).to_vec();
            let is_private = name.starts_with(b"x-") || field.name.is_secret();
            if field.is_indexed && self.role == Role::Server && is_private {
                let name = String::from_utf8_lossy(&name);
                return Err(format!("{name} entered a table that clients share"));
            }
            if field.is_indexed && self.table_now == 0 {
                return Err("an entry in a table of size 0".to_owned());
            }
            fields.push((name, list.value(field, &self.store).to_vec()));
        }
        list.clear(&mut self.store);
        happened.push(Happening::Headers { stream, fields, is_end });
        Ok(())
    }

    /// A table that was made smaller is announced at the next block's start (RFC 7541 §4.2).
    fn check_table_size(&mut self, block: &[u8]) -> Result<(), String> {
        let mut rest = block;
        let mut announced = Vec::new();
        while let Some(first) = rest.first().filter(|b| **b & 0xe0 == 0x20) {
            let mut size = u32::from(first & 0x1f);
            rest = &rest[1..];
            if size == 31 {
                for shift in [0, 7, 14, 21] {
                    let (&b, after) = rest.split_first().ok_or("a size update that ends early")?;
                    rest = after;
                    size += u32::from(b & 0x7f) << shift;
                    if b & 0x80 == 0 {
                        break;
                    }
                }
            }
            announced.push(size);
        }
        if let Some((smallest, last)) = self.table_asked.take() {
            let lowest = announced.iter().min().copied().unwrap_or(self.table_now);
            if smallest < self.table_now && lowest > smallest {
                return Err(format!("the table was to shrink to {smallest}, and is {lowest}"));
            }
            if announced.last().copied().unwrap_or(self.table_now) > last {
                return Err(format!("a table larger than the {last} that were allowed"));
            }
        }
        self.table_now = announced.last().copied().unwrap_or(self.table_now);
        Ok(())
    }
}
