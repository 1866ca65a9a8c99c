//! What peers say: requests, answers, bodies within their windows, control frames; now and then something that they
//! should not say.

use super::link::{Fields, Link, Saying, body_byte};
use crate::grammar::frames::{put_any, put_block, put_frame, settings_payload};
use crate::tape::Tape;

/// What all peers of a scene share.
#[derive(Debug)]
pub(super) struct Manners {
    /// Window of the engine's streams.
    pub(super) stream_window: i64,
    /// Frames that break rules are among what they say.
    pub(super) is_wild: bool,
    /// Numbers of exchanges that were given.
    pub(super) exchanges: u64,
}

impl Manners {
    /// A client says something.
    pub(super) fn client_speaks(&mut self, link: &mut Link, tape: &mut Tape<'_>) {
        match tape.below(16) {
            0..=4 => self.request(link, tape),
            5..=9 => self.body(link, tape),
            10 => self.trailers(link, tape),
            _ => self.control(link, tape),
        }
    }

    /// An endpoint says something.
    pub(super) fn endpoint_speaks(&mut self, link: &mut Link, tape: &mut Tape<'_>) {
        match tape.below(16) {
            0..=4 => self.answer(link, tape),
            5..=9 => self.body(link, tape),
            10 => self.trailers(link, tape),
            11 => self.interim(link, tape),
            _ => self.control(link, tape),
        }
    }

    fn request(&mut self, link: &mut Link, tape: &mut Tape<'_>) {
        if link.sayings.len() > 60 {
            return;
        }
        self.exchanges += 1;
        let stream = link.next_stream;
        link.next_stream += 2 * (1 + u32::from(tape.is_one_in(16)));
        let plan = tape.pick(&[0, 0, 1, 100, 3_000, 20_000, 100_000]);
        let is_head = tape.is_one_in(16);
        let method: &[u8] = if is_head { b"HEAD" } else { tape.pick(&[b"POST", b"GET"]) };
        let path: &[u8] = tape.pick(&[&b"/s"[..], b"/s/a", b"/s?q", b"/t", b"/t/a", b"/nowhere"]);
        let mut fields = pairs(&[(b":method", method), (b":scheme", b"http"), (b":path", path)]);
        fields.extend(pairs(&[(b":authority", b"h")]));
        fields.push((b"x-id".to_vec(), self.exchanges.to_string().into_bytes()));
        self.extra_fields(&mut fields, plan, tape);
        let is_end = plan == 0 && !tape.is_one_in(4);
        let saying = Saying { number: self.exchanges, plan, is_head, ..Saying::default() };
        link.sayings.insert(stream, saying);
        say_headers(link, stream, fields, is_end, tape);
    }

    fn answer(&mut self, link: &mut Link, tape: &mut Tape<'_>) {
        let open = link.streams(|s| !s.has_begun);
        let Some(&stream) = open.get(tape.below(open.len())) else { return };
        let Some(saying) = link.sayings.get_mut(&stream) else { return };
        let status: &[u8] = tape.pick(&[&b"200"[..], b"200", b"200", b"503", b"404", b"204", b"304"]);
        let has_no_body = saying.is_head || status == b"204" || status == b"304";
        let plan = if has_no_body { 0 } else { tape.pick(&[0, 1, 100, 3_000, 20_000, 100_000]) };
        saying.plan = plan;
        let mut fields = pairs(&[(b":status", status)]);
        fields.push((b"x-attempt".to_vec(), saying.number.to_string().into_bytes()));
        self.extra_fields(&mut fields, plan, tape);
        let is_end = plan == 0 && (has_no_body || !tape.is_one_in(3));
        say_headers(link, stream, fields, is_end, tape);
    }

    fn extra_fields(&self, fields: &mut Fields, plan: usize, tape: &mut Tape<'_>) {
        if tape.is_one_in(3) {
            fields.push((b"content-length".to_vec(), plan.to_string().into_bytes()));
        }
        if tape.is_one_in(3) {
            fields.extend(pairs(&[(b"content-type", b"application/grpc")]));
        }
        if tape.is_one_in(8) {
            let time = tape.pick(&[&b"1S"[..], b"50m", b"9H", b"0n"]);
            fields.extend(pairs(&[(b"grpc-timeout", time)]));
        }
        for _ in 0..tape.below(4) {
            let name = tape.pick(&[&b"cookie"[..], b"x-a", b"user-agent", b"authorization", b"x-b"]);
            let length = tape.pick(&[0, 1, 8, 40, 40, 900, 4_000]);
            fields.push((name.to_vec(), vec![b'a' + tape.byte() % 8; length]));
        }
        if self.is_wild && tape.is_one_in(8) {
            let name = tape.pick(&[&b"X-A"[..], b":late", b"te", b"connection", b"content-length", b""]);
            fields.push((name.to_vec(), tape.pick(&[&b" 1"[..], b"a\0", b"7"]).to_vec()));
        }
    }

    fn interim(&mut self, link: &mut Link, tape: &mut Tape<'_>) {
        let open = link.streams(|s| !s.has_begun);
        let Some(&stream) = open.get(tape.below(open.len())) else { return };
        let fields = [
            (b":status".to_vec(), tape.pick(&[b"100", b"103"]).to_vec()),
            (b"link".to_vec(), vec![b'l'; tape.pick(&[1, 100, 4_000, 15_000])]),
        ];
        for _ in 0..=tape.pick(&[0, 0, 3, 40]) {
            let mut block = Vec::new();
            for (name, value) in &fields {
                link.blocks.put_field(tape, name, value, &mut block);
            }
            put_block(&mut link.queue, stream, false, &block, 0);
        }
    }

    /// More of a body, mostly within the windows.
    fn body(&mut self, link: &mut Link, tape: &mut Tape<'_>) {
        let open = link.streams(|s| s.has_begun && !s.has_queued_end);
        let Some(&stream) = open.get(tape.below(open.len())) else { return };
        let mut room = link.room(stream, self.stream_window);
        if self.is_wild && tape.is_one_in(16) {
            room = 16_384;
        }
        let Some(saying) = link.sayings.get_mut(&stream) else { return };
        let left = saying.plan - saying.queued;
        let length = left.min(tape.pick(&[16_384, 1, 500, 9_000])).min(room as usize);
        let is_end = length == left && (left > 0 || !tape.is_one_in(8)) && !tape.is_one_in(4);
        let is_end = is_end || (self.is_wild && tape.is_one_in(32));
        if length == 0 && !is_end {
            return;
        }
        let from = saying.queued;
        let body = (from..from + length).map(|at| body_byte(saying.number, at));
        let padding = if tape.is_one_in(6) { tape.byte() } else { 0 };
        let mut flow = length as i64;
        let flags = u8::from(is_end);
        if padding > 0 && flow + 1 + i64::from(padding) <= room.min(16_384) {
            flow += 1 + i64::from(padding);
            let mut payload = vec![padding];
            payload.extend(body);
            payload.resize(flow as usize, 0);
            put_frame(&mut link.queue, 0, flags | 8, stream, &payload);
        } else {
            put_frame(&mut link.queue, 0, flags, stream, &body.collect::<Vec<_>>());
        }
        saying.queued += length;
        saying.queued_flow += flow;
        saying.has_queued_end |= is_end;
        link.queued_flow += flow;
    }

    fn trailers(&mut self, link: &mut Link, tape: &mut Tape<'_>) {
        let open = link.streams(|s| s.has_begun && !s.has_queued_end && s.queued == s.plan && !s.is_head);
        let Some(&stream) = open.get(tape.below(open.len())) else { return };
        let fields = pairs(&[(b"grpc-status", tape.pick(&[b"0", b"4"])), (b"x-a", b"1")]);
        let mut block = Vec::new();
        for (name, value) in &fields {
            link.blocks.put_field(tape, name, value, &mut block);
        }
        put_block(&mut link.queue, stream, true, &block, 0);
        if let Some(saying) = link.sayings.get_mut(&stream) {
            saying.has_queued_end = true;
        }
    }

    fn control(&mut self, link: &mut Link, tape: &mut Tape<'_>) {
        let all: Vec<u32> = link.watch.streams.keys().copied().collect();
        let any = all.get(tape.below(all.len())).copied();
        let queue = &mut link.queue;
        match tape.below(16) {
            0..=3 => {
                let increment = tape.pick(&[1u32, 1_000, 65_535, 1 << 20]);
                put_frame(queue, 8, 0, 0, &increment.to_be_bytes());
            }
            4..=8 => {
                let Some(stream) = any else { return };
                let increment = tape.pick(&[1u32, 1_000, 65_535, 1 << 20]);
                put_frame(queue, 8, 0, stream, &increment.to_be_bytes());
            }
            9 | 10 => {
                let Some(stream) = any else { return };
                let code = tape.pick(&[8u32, 7, 0, 2]);
                put_frame(queue, 3, 0, stream, &code.to_be_bytes());
                if let Some(saying) = link.sayings.get_mut(&stream) {
                    saying.is_over = true;
                    saying.is_refused |= code == 7;
                }
            }
            11 => put_frame(queue, 4, 0, 0, &valid_settings(tape)),
            12 => put_frame(queue, 4, 1, 0, b""),
            13 => put_frame(queue, 6, u8::from(tape.is_one_in(2)), 0, b"evenkeel"),
            14 if tape.is_one_in(4) => {
                let last = tape.pick(&[0u32, 1, 3, 0x7fff_ffff, any.unwrap_or(0), any.unwrap_or(2) - 1]);
                put_frame(queue, 7, 0, 0, &[last.to_be_bytes(), [0; 4]].concat());
                link.sayings.range_mut(last + 1..).for_each(|(_, saying)| saying.is_refused = true);
                // Streams that cross it on their way are not processed either.
                link.goaway = Some(link.goaway.map_or(last, |before| before.min(last)));
            }
            15 if self.is_wild => put_any(queue, &mut link.blocks, tape),
            _ => {}
        }
    }

    /// What a connection begins with, after the preface.
    pub(super) fn greeting(&self, tape: &mut Tape<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        let payload = if self.is_wild && tape.is_one_in(8) {
            settings_payload(tape)
        } else if tape.is_one_in(2) {
            valid_settings(tape)
        } else {
            Vec::new()
        };
        put_frame(&mut out, 4, 0, 0, &payload);
        out
    }
}

/// SETTINGS whose values are in their ranges.
fn valid_settings(tape: &mut Tape<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    for _ in 0..=tape.below(2) {
        let (id, value): (u16, u32) = match tape.below(4) {
            0 => (4, tape.pick(&[65_535, 0, 1, 100, 30_000, 1 << 20])),
            1 => (1, tape.pick(&[0, 64, 4_096, 100_000])),
            2 => (3, tape.pick(&[0, 1, 2, 100])),
            _ => (5, tape.pick(&[16_384, 16_384, 20_000])),
        };
        payload.extend_from_slice(&id.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    payload
}

fn say_headers(link: &mut Link, stream: u32, fields: Fields, is_end: bool, tape: &mut Tape<'_>) {
    let mut block = Vec::new();
    for (name, value) in &fields {
        link.blocks.put_field(tape, name, value, &mut block);
    }
    let cut = if tape.is_one_in(6) || block.len() > 16_384 { 1 + tape.below(10_000) } else { 0 };
    // Not so many frames that it counts as a flood.
    let cut = if cut > 0 { cut.max(block.len().div_ceil(4)).min(16_384) } else { 0 };
    put_block(&mut link.queue, stream, is_end, &block, cut);
    if let Some(saying) = link.sayings.get_mut(&stream) {
        saying.has_begun = true;
        saying.has_queued_end = is_end;
        saying.fields = fields;
    }
}

fn pairs(fields: &[(&[u8], &[u8])]) -> Fields {
    fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}
