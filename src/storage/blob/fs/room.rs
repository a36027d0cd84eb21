//! How much may still be written.

use std::fs::File;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::storage::{Room, StorageError};

/// The device is asked at most this often.
const FRESH: Duration = Duration::from_millis(200);

/// Measures free room, and keeps the reserve free.
#[derive(Debug)]
pub(super) struct RoomGauge {
    directory: File,
    reserve_bytes: u64,
    measured: Mutex<Measured>,
}

#[derive(Clone, Copy, Debug)]
struct Measured {
    /// `None` once it is known to have changed.
    at: Option<Instant>,
    /// Free at that moment, less what was admitted since.
    usable_bytes: u64,
}

impl RoomGauge {
    pub(super) fn new(root: &Path, reserve_bytes: u64) -> Result<Self, StorageError> {
        let directory = File::open(root).map_err(StorageError::io("opening the data directory"))?;
        let measured = Mutex::new(measure(&directory, reserve_bytes)?);
        Ok(Self { directory, reserve_bytes, measured })
    }

    /// What may be written without touching the reserve.
    pub(super) fn room(&self) -> Result<Room, StorageError> {
        let usable_bytes = self.fresh()?.usable_bytes;
        Ok(Room { usable_bytes, reserve_bytes: self.reserve_bytes })
    }

    /// Takes `bytes` out of the room.
    ///
    /// # Errors
    ///
    /// [`StorageError::NoRoom`] if only the reserve would be left.
    pub(super) fn admit(&self, bytes: u64) -> Result<(), StorageError> {
        let mut measured = self.fresh()?;
        if measured.usable_bytes < bytes {
            // Something may have been deleted since, and refusing is rare enough to make sure.
            *measured = measure(&self.directory, self.reserve_bytes)?;
        }
        let left = measured.usable_bytes.checked_sub(bytes);
        measured.usable_bytes = left.ok_or(StorageError::NoRoom)?;
        Ok(())
    }

    /// Something was deleted: whoever asks next gets what is free now.
    pub(super) fn forget(&self) {
        self.measured.lock().unwrap_or_else(PoisonError::into_inner).at = None;
    }

    fn fresh(&self) -> Result<MutexGuard<'_, Measured>, StorageError> {
        let mut measured = self.measured.lock().unwrap_or_else(PoisonError::into_inner);
        if measured.at.is_none_or(|at| at.elapsed() >= FRESH) {
            *measured = measure(&self.directory, self.reserve_bytes)?;
        }
        Ok(measured)
    }
}

fn measure(directory: &File, reserve_bytes: u64) -> Result<Measured, StorageError> {
    let device = rustix::fs::fstatvfs(directory)
        .map_err(|error| StorageError::io("asking how much room is left")(error.into()))?;
    // `f_bavail`, not `f_bfree`: what the system keeps for its administrator is not ours.
    let free_bytes = device.f_bavail.saturating_mul(device.f_frsize);
    let usable_bytes = free_bytes.saturating_sub(reserve_bytes);
    Ok(Measured { at: Some(Instant::now()), usable_bytes })
}
