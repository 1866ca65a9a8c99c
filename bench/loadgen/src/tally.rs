//! What a load found: delays, errors and the first one's words, octets, and the CPU time of finding it, as one line of JSON.
use crate::hist::Hist;

pub struct Tally {
    pub delays: Hist,
    pub errors: u64,
    pub bytes: u64,
    complaint: Option<String>,
}

impl Tally {
    pub fn new() -> Self {
        Self { delays: Hist::new(), errors: 0, bytes: 0, complaint: None }
    }

    /// What was counted so far; what comes next, errors apart, does not count if it is then put back.
    pub fn pause(&mut self) -> (Hist, u64) {
        (std::mem::replace(&mut self.delays, Hist::new()), std::mem::take(&mut self.bytes))
    }

    pub fn resume(&mut self, counted: (Hist, u64)) {
        (self.delays, self.bytes) = counted;
    }

    pub fn error(&mut self, n: u64, what: impl FnOnce() -> String) {
        self.errors += n;
        if n > 0 && self.complaint.is_none() {
            self.complaint = Some(what());
        }
    }

    pub fn report(&self, secs: f64, conns: usize, cpu: f64) {
        if let Some(c) = &self.complaint {
            eprintln!("lg: {} errors, the first: {c}", self.errors);
        }
        let q = |part| self.delays.quantile_us(part);
        println!(
            "{{\"count\":{},\"secs\":{secs:.3},\"rate\":{:.1},\"p50_us\":{:.1},\"p99_us\":{:.1},\"p999_us\":{:.1},\
             \"conns\":{conns},\"errors\":{},\"mib_s\":{:.1},\"cpu_s\":{cpu:.3}}}",
            self.delays.count,
            self.delays.count as f64 / secs,
            q(0.5),
            q(0.99),
            q(0.999),
            self.errors,
            self.bytes as f64 / secs / 1_048_576.0,
        );
    }
}

/// CPU time of this process, in seconds.
pub fn cpu_s() -> f64 {
    let mut u: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut u) };
    let s = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    s(u.ru_utime) + s(u.ru_stime)
}
