//! The kernel's readiness, level-triggered: what the lean generator and its backends wait on.
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

pub struct Poll {
    fd: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Poll {
    pub fn new() -> Self {
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        assert!(fd >= 0, "epoll: {}", io::Error::last_os_error());
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Self { fd, events: Vec::with_capacity(1024) }
    }

    fn ctl(&self, op: i32, fd: RawFd, token: usize, writable: bool) {
        let wanted = libc::EPOLLIN | if writable { libc::EPOLLOUT } else { 0 };
        let mut e = libc::epoll_event { events: wanted as u32, u64: token as u64 };
        let r = unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), op, fd, &mut e) };
        assert!(r == 0, "epoll_ctl: {}", io::Error::last_os_error());
    }

    pub fn add(&self, fd: RawFd, token: usize) {
        self.ctl(libc::EPOLL_CTL_ADD, fd, token, false);
    }

    pub fn want_write(&self, fd: RawFd, token: usize, wanted: bool) {
        self.ctl(libc::EPOLL_CTL_MOD, fd, token, wanted);
    }

    pub fn remove(&self, fd: RawFd) {
        self.ctl(libc::EPOLL_CTL_DEL, fd, 0, false);
    }

    /// Waits at most this long (`None`: without end); the tokens that are ready.
    pub fn wait(&mut self, most: Option<Duration>, ready: &mut Vec<usize>) {
        ready.clear();
        let limit =
            most.map(|d| libc::timespec { tv_sec: d.as_secs() as i64, tv_nsec: i64::from(d.subsec_nanos()) });
        let limit = limit.as_ref().map_or(std::ptr::null(), |t| t as *const _);
        let n = unsafe {
            libc::epoll_pwait2(self.fd.as_raw_fd(), self.events.as_mut_ptr(), 1024, limit, std::ptr::null())
        };
        if n < 0 {
            let e = io::Error::last_os_error();
            assert!(e.kind() == io::ErrorKind::Interrupted, "epoll_wait: {e}");
            return;
        }
        unsafe { self.events.set_len(n as usize) };
        ready.extend(self.events.iter().map(|e| e.u64 as usize));
    }
}
