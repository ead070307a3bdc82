use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use lockage_core::{Event, Observer};

/// An observer that detects two runs that hold the lock at the same time, in tasks and in processes. The holder creates a file and removes
/// it before it releases the lock. If the file exists already, the observer writes a second file.
#[derive(Debug)]
pub struct ExclusivityProbe {
    file: PathBuf,
    created: AtomicBool,
}

impl ExclusivityProbe {
    /// Creates a probe with the path of the file. All runs that must exclude each other use the same path.
    pub fn new(file: PathBuf) -> Self {
        Self {
            file,
            created: AtomicBool::new(false),
        }
    }

    /// Returns whether two runs held the lock at the same time.
    pub fn detected_overlap(file: &Path) -> bool {
        overlap_file(file).exists()
    }
}

impl Observer for ExclusivityProbe {
    fn on_event(&self, event: &Event<'_>) {
        match event {
            Event::Locked { steps, .. } if *steps > 0 => {
                self.created.store(true, Ordering::SeqCst);
                if let Err(error) = fs::File::create_new(&self.file)
                    && error.kind() == ErrorKind::AlreadyExists
                {
                    let _ = fs::write(overlap_file(&self.file), "two runs held the lock");
                }
            }
            Event::Releasing { .. } if self.created.swap(false, Ordering::SeqCst) => {
                let _ = fs::remove_file(&self.file);
            }
            _ => {}
        }
    }
}

fn overlap_file(file: &Path) -> PathBuf {
    file.with_extension("overlap")
}
