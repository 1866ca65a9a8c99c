//! A target with three faults of our own: an error, a panic and a hang, each behind a byte pair. It stands in no smoke
//! run; a test of the machine hunts in it.

use crate::tape::Tape;

pub(super) fn make(tape: &mut Tape<'_>) -> Vec<u8> {
    tape.bytes(64).to_vec()
}

pub(super) fn run(input: &[u8]) -> Result<(), String> {
    let has = |pair: &[u8]| input.windows(pair.len()).any(|w| w == pair);
    if has(b"\x01\x23") {
        return Err("the planted error".to_owned());
    }
    if has(b"\x45\x67") {
        // An index out of bounds, as a parser would have it.
        return Err(format!("never said: {}", input[input.len()]));
    }
    while has(b"\x89\xab") {
        std::hint::spin_loop();
    }
    Ok(())
}
