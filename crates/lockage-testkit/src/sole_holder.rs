use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use lockage_core::{Event, Observer};

/// Watches that no two runs are under the lock at once, in tasks and in processes alike: the holder makes a file that must not exist yet,
/// and removes it when its last step is done. A second holder finds the file and leaves a note.
#[derive(Debug)]
pub(crate) struct SoleHolder {
    file: PathBuf,
    steps_left: AtomicUsize,
}

impl SoleHolder {
    pub(crate) fn new(file: PathBuf) -> Self {
        Self {
            file,
            steps_left: AtomicUsize::new(0),
        }
    }

    /// Whether two runs ever held the lock at once.
    pub(crate) fn saw_two(file: &Path) -> bool {
        note(file).exists()
    }
}

impl Observer for SoleHolder {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Locked { steps, .. } if *steps > 0 => {
                self.steps_left.store(*steps, Ordering::SeqCst);
                if let Err(error) = fs::File::create_new(&self.file)
                    && error.kind() == ErrorKind::AlreadyExists
                {
                    let _ = fs::write(note(&self.file), "two held the lock at once");
                }
            }
            Event::StepFinished { .. } if self.steps_left.fetch_sub(1, Ordering::SeqCst) == 1 => {
                let _ = fs::remove_file(&self.file);
            }
            _ => {}
        }
    }
}

fn note(file: &Path) -> PathBuf {
    file.with_extension("two")
}
