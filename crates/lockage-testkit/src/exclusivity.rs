use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use lockage_core::{Event, Observer};

/// Watches that no two runs are under the lock at once, in tasks and in processes alike: the holder makes a file that must not exist yet,
/// and removes it before it gives the lock back. A second holder finds the file and leaves a note.
#[derive(Debug)]
pub struct ExclusivityProbe {
    file: PathBuf,
    working: AtomicBool,
}

impl ExclusivityProbe {
    /// One that makes this file; every run that must not overlap names the same.
    pub fn new(file: PathBuf) -> Self {
        Self {
            file,
            working: AtomicBool::new(false),
        }
    }

    /// Whether two runs ever held the lock at once.
    pub fn detected_overlap(file: &Path) -> bool {
        note(file).exists()
    }
}

impl Observer for ExclusivityProbe {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Locked { steps, .. } if *steps > 0 => {
                self.working.store(true, Ordering::SeqCst);
                if let Err(error) = fs::File::create_new(&self.file)
                    && error.kind() == ErrorKind::AlreadyExists
                {
                    let _ = fs::write(note(&self.file), "two held the lock at once");
                }
            }
            Event::Releasing { .. } if self.working.swap(false, Ordering::SeqCst) => {
                let _ = fs::remove_file(&self.file);
            }
            _ => {}
        }
    }
}

fn note(file: &Path) -> PathBuf {
    file.with_extension("two")
}
