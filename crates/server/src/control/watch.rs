//! Noticing that a file changed, by looking at it at an interval.
//!
//! Polling instead of inotify: it works alike on network file systems, bind mounts and the symlink swaps by which
//! Kubernetes updates a mounted ConfigMap, where a watch on the name sees nothing. Knows nothing of what is in the
//! file. Called by file discovery, by the reload of the configuration and by that of certificates.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Time between two looks at a file.
pub const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// How long a file must look the same before it is read, so that one that is being written is not read half.
pub const SETTLE: Duration = Duration::from_millis(50);

/// Largest file that is read, which is the largest that is parsed; a larger one is refused with an error.
pub const MAX_FILE_BYTES: u64 = evenkeel_config::MAX_DOCUMENT_BYTES as u64;

/// What tells one state of a file from another without reading it; symlinks are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// A file that is looked at.
#[derive(Debug)]
pub struct WatchedFile {
    path: PathBuf,
    look: Option<Look>,
    content: Option<Vec<u8>>,
    failed: bool,
}

/// What a look showed.
#[derive(Debug)]
pub enum Sight {
    /// The same content as before.
    Same,
    /// This content, other than before.
    New(Vec<u8>),
    /// It cannot be read; said once until it can be read again.
    Unreadable(io::Error),
    /// It still cannot be read.
    StillUnreadable,
}

impl WatchedFile {
    /// A file that nobody has looked at: the first look that reads it shows its content as new.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), look: None, content: None, failed: false }
    }

    /// A file whose content is known already.
    #[must_use]
    pub fn with_known_content(path: impl Into<PathBuf>, content: Vec<u8>) -> Self {
        Self { path: path.into(), look: None, content: Some(content), failed: false }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at the file, and reads it if it looks other than the last time.
    pub async fn look(&mut self) -> Sight {
        match self.try_look().await {
            Ok(sight) => {
                self.failed = false;
                sight
            }
            Err(error) => {
                self.look = None;
                if std::mem::replace(&mut self.failed, true) {
                    Sight::StillUnreadable
                } else {
                    Sight::Unreadable(error)
                }
            }
        }
    }

    async fn try_look(&mut self) -> io::Result<Sight> {
        let mut look = look_at(&self.path).await?;
        if self.look == Some(look) {
            return Ok(Sight::Same);
        }
        let content = loop {
            tokio::time::sleep(SETTLE).await;
            let again = look_at(&self.path).await?;
            if again == look {
                let content = tokio::fs::read(&self.path).await?;
                // Written to while it was read: what was read may be half of each.
                let after = look_at(&self.path).await?;
                if after == look {
                    break content;
                }
                look = after;
            } else {
                look = again;
            }
        };
        self.look = Some(look);
        if self.content.as_ref() == Some(&content) {
            return Ok(Sight::Same);
        }
        self.content = Some(content.clone());
        Ok(Sight::New(content))
    }
}

/// Says each time that any of a set of files changed, for as long as somebody listens. The set may come to be another.
pub async fn watch_set(mut set: watch::Receiver<BTreeSet<PathBuf>>, changed: mpsc::Sender<()>) {
    let mut files: Vec<WatchedFile> = Vec::new();
    loop {
        let wanted = set.borrow_and_update().clone();
        // What was read before a file is watched is not known here, so its first sight counts as a change.
        files.retain(|file| wanted.contains(file.path()));
        let known: BTreeSet<_> = files.iter().map(|file| file.path().to_owned()).collect();
        files.extend(wanted.difference(&known).map(WatchedFile::new));
        let mut is_news = false;
        for file in &mut files {
            is_news |= matches!(file.look().await, Sight::New(_) | Sight::Unreadable(_));
        }
        if is_news && changed.send(()).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(POLL_INTERVAL) => {}
            is_other = set.changed() => if is_other.is_err() { return },
        }
    }
}

async fn look_at(path: &Path) -> io::Result<Look> {
    let metadata = tokio::fs::metadata(path).await?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    if metadata.size() > MAX_FILE_BYTES {
        return Err(io::Error::other(format!("larger than {MAX_FILE_BYTES} bytes")));
    }
    Ok(Look {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn on_runtime<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    fn content(sight: Sight) -> String {
        match sight {
            Sight::New(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("expected new content, got {other:?}"),
        }
    }

    #[test]
    fn a_file_is_new_once_and_the_same_afterwards() {
        on_runtime(async {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("f");
            std::fs::write(&path, "a").unwrap();
            let mut file = WatchedFile::new(&path);
            assert_eq!(content(file.look().await), "a");
            assert!(matches!(file.look().await, Sight::Same));
            std::fs::write(&path, "bb").unwrap();
            assert_eq!(content(file.look().await), "bb");
        });
    }

    #[test]
    fn a_file_written_again_with_the_same_content_is_the_same() {
        on_runtime(async {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("f");
            std::fs::write(&path, "a").unwrap();
            let mut file = WatchedFile::with_known_content(&path, b"a".to_vec());
            assert!(matches!(file.look().await, Sight::Same));
            let other = dir.path().join("g");
            std::fs::write(&other, "a").unwrap();
            std::fs::rename(&other, &path).unwrap();
            assert!(matches!(file.look().await, Sight::Same));
        });
    }

    #[test]
    fn a_swapped_symlink_shows_the_new_content_as_a_mounted_config_map_does() {
        on_runtime(async {
            let dir = tempfile::tempdir().unwrap();
            for (generation, text) in [("..1", "old"), ("..2", "new")] {
                std::fs::create_dir(dir.path().join(generation)).unwrap();
                std::fs::write(dir.path().join(generation).join("f"), text).unwrap();
            }
            symlink("..1", dir.path().join("..data")).unwrap();
            symlink("..data/f", dir.path().join("f")).unwrap();
            let mut file = WatchedFile::new(dir.path().join("f"));
            assert_eq!(content(file.look().await), "old");
            symlink("..2", dir.path().join("..data_tmp")).unwrap();
            std::fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
            assert_eq!(content(file.look().await), "new");
        });
    }

    #[test]
    fn an_unreadable_file_is_told_once_and_read_when_it_comes() {
        on_runtime(async {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("f");
            let mut file = WatchedFile::new(&path);
            assert!(matches!(file.look().await, Sight::Unreadable(_)));
            assert!(matches!(file.look().await, Sight::StillUnreadable));
            std::fs::write(&path, "a").unwrap();
            assert_eq!(content(file.look().await), "a");
        });
    }

    #[test]
    fn a_file_of_the_largest_size_is_read_and_one_byte_more_is_refused() {
        on_runtime(async {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("f");
            let file = std::fs::File::create(&path).unwrap();
            file.set_len(MAX_FILE_BYTES).unwrap();
            assert!(matches!(WatchedFile::new(&path).look().await, Sight::New(_)));
            file.set_len(MAX_FILE_BYTES + 1).unwrap();
            assert!(matches!(WatchedFile::new(&path).look().await, Sight::Unreadable(_)));
        });
    }

    #[test]
    fn any_file_of_a_set_that_changes_is_told_and_the_set_may_become_another() {
        on_runtime(async {
            let dir = tempfile::tempdir().unwrap();
            let [one, two] = ["one", "two"].map(|name| dir.path().join(name));
            std::fs::write(&one, "a").unwrap();
            let (set, wanted) = watch::channel(BTreeSet::from([one.clone()]));
            let (changed, mut seen) = mpsc::channel(1);
            let watching = tokio::spawn(watch_set(wanted, changed));
            let limit = Duration::from_secs(10);
            let mut told = async || tokio::time::timeout(limit, seen.recv()).await.unwrap();
            told().await.expect("it was never seen before");
            std::fs::write(&one, "bb").unwrap();
            told().await.expect("it changed");
            set.send(BTreeSet::from([two.clone()])).unwrap();
            told().await.expect("there is no such file");
            std::fs::write(&two, "c").unwrap();
            told().await.expect("it came");
            drop(set);
            watching.await.unwrap();
        });
    }
}
