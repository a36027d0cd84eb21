//! Which start of the kernel this is.

use std::fs;

use uuid::Uuid;

use crate::upload::BootId;

/// Where Linux tells; it stays the same until the machine starts again.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The current boot.
///
/// Where the system does not tell, every start of the gateway counts as a boot of its own: recovery
/// then believes checkpoints only.
#[must_use]
pub fn current() -> BootId {
    match fs::read_to_string(BOOT_ID) {
        Ok(text) if !text.trim().is_empty() => BootId::new(text.trim().to_owned()),
        Ok(_) | Err(_) => {
            tracing::warn!(
                "this system does not tell when it was started; after a crash only what was \
                 checkpointed is kept"
            );
            BootId::new(Uuid::new_v4().to_string())
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_boot_stays_the_same_within_a_boot() {
        assert_eq!(super::current(), super::current());
    }
}
