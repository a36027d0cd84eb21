//! Names of owners, as credentials carry them.

use crate::upload::Owner;

/// Longest name of an owner.
pub const MAX_OWNER_BYTES: usize = 256;

/// The owner with this name; `None` unless it is 1 to [`MAX_OWNER_BYTES`] bytes of text that can be
/// printed, without blanks at its ends.
#[must_use]
pub fn owner(name: &str) -> Option<Owner> {
    let printable = !name.chars().any(char::is_control);
    let bounded = (1..=MAX_OWNER_BYTES).contains(&name.len());
    let taken = bounded && printable && name.trim() == name;
    taken.then(|| Owner::named(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_bounded_and_can_be_printed() {
        for name in ["a", "ann@example.org", "Zoë", "two words", &"x".repeat(256)] {
            assert_eq!(
                owner(name).and_then(|owner| owner.name().map(str::to_owned)).unwrap(),
                name
            );
        }
        for name in ["", " ", " ann", "ann\t", "a\nb", "a\0b", &"x".repeat(257)] {
            assert_eq!(owner(name), None, "{name:?}");
        }
    }
}
