//! Whether it pays to look for more input before writing.
//!
//! With many peers that are at work, more has come by the time that a turn's input is read, and one write does for all
//! of it. A peer that waits for each answer has said nothing more, and to look for it costs a system call a message.

/// Looks in vain, one after the other, after which only some turns look.
const PATIENCE: u32 = 8;
/// One turn in so many looks then.
const TRIAL: u32 = 64;

/// What a worker has learnt of looking.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Since something was found.
    in_vain: u32,
    /// Turns that went by without a look since the last one.
    without: u32,
}

impl Looks {
    /// Whether to look now.
    pub(super) fn are_worth_it(&mut self) -> bool {
        if self.in_vain < PATIENCE {
            return true;
        }
        self.without = (self.without + 1) % TRIAL;
        self.without == 0
    }

    /// What the look that was taken came to.
    pub(super) fn found(&mut self, something: bool) {
        self.in_vain = if something { 0 } else { (self.in_vain + 1).min(PATIENCE) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_that_find_something_go_on() {
        let mut looks = Looks::default();
        for n in 0..1_000 {
            assert!(looks.are_worth_it());
            looks.found(n % PATIENCE == 0);
        }
    }

    #[test]
    fn looks_in_vain_become_rare_and_one_that_finds_something_brings_them_back() {
        let mut looks = Looks::default();
        let taken = (0..PATIENCE + TRIAL * 10).filter(|_| {
            let is_taken = looks.are_worth_it();
            if is_taken {
                looks.found(false);
            }
            is_taken
        });
        assert_eq!(taken.count() as u32, PATIENCE + 10);
        while !looks.are_worth_it() {}
        looks.found(true);
        assert!(looks.are_worth_it());
    }
}
