//! The last good TLS of one listener or service.

use super::News;
use super::error::CertificateError;
use super::pem::Reader;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

/// Settings from which TLS is made: of listeners and of services.
pub(super) trait Makes: PartialEq {
    /// What is made.
    type Made: Clone;

    fn name(&self) -> &Arc<str>;

    /// The files that it is made of.
    fn files(&self) -> Vec<PathBuf>;

    /// Makes it of what the files hold.
    fn make(&self, reader: &mut Reader, now: SystemTime) -> Result<Made<Self::Made>, CertificateError>;
}

/// What was made, and until when it is good.
#[derive(Clone)]
pub(super) struct Made<T> {
    pub(super) value: T,
    pub(super) valid_until: Option<SystemTime>,
}

/// The last good of one.
pub(super) struct Kept<S: Makes> {
    settings: S,
    made: Made<S::Made>,
    fingerprint: u64,
    /// What was last told to be wrong with the files, until they are good again.
    told: Option<String>,
}

impl<S: Makes> Kept<S> {
    /// Made for the first time, or taken over from `before` if nothing is new.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub(super) fn first(settings: S, before: &[Self], now: SystemTime) -> Result<Self, CertificateError> {
        let mut reader = Reader::default();
        let mut made = settings.make(&mut reader, now)?;
        let fingerprint = reader.fingerprint();
        let same = |kept: &&Self| kept.settings == settings && kept.fingerprint == fingerprint;
        if let Some(kept) = before.iter().find(same) {
            made = kept.made.clone();
        }
        Ok(Self { settings, made, fingerprint, told: None })
    }

    /// Reads the files again; what became of it, unless nothing is new.
    pub(super) fn again(&mut self, now: SystemTime) -> Option<News> {
        let mut reader = Reader::default();
        let (of, valid_until) = (self.settings.name().clone(), self.made.valid_until);
        match self.settings.make(&mut reader, now) {
            // Files that are what they were after they were broken are good again, and nothing that runs has changed.
            Ok(_) if reader.fingerprint() == self.fingerprint => {
                self.told.take().map(|_| News::Renewed { of, valid_until })
            }
            Ok(made) => {
                let valid_until = made.valid_until;
                (self.made, self.fingerprint, self.told) = (made, reader.fingerprint(), None);
                Some(News::Renewed { of, valid_until })
            }
            Err(error) => {
                let why = error.to_string();
                let is_news = self.told.replace(why.clone()).as_ref() != Some(&why);
                is_news.then_some(News::Refused { of, why, valid_until })
            }
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        self.settings.name()
    }

    pub(super) fn settings(&self) -> &S {
        &self.settings
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.settings.files()
    }

    pub(super) fn made(&self) -> &S::Made {
        &self.made.value
    }

    pub(super) fn valid_until(&self) -> Option<SystemTime> {
        self.made.valid_until
    }
}
