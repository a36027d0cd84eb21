//! What somebody may do to uploads.

/// One thing that may be allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Making an upload, with or without its first bytes; joining parts.
    Create,
    /// Adding bytes.
    Append,
    /// Asking how far it got.
    Inspect,
    /// Getting its bytes back.
    Download,
    /// Removing it.
    Terminate,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Self; 5] =
        [Self::Create, Self::Append, Self::Inspect, Self::Download, Self::Terminate];

    /// As it is written in claims, questions and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Append => "append",
            Self::Inspect => "inspect",
            Self::Download => "download",
            Self::Terminate => "terminate",
        }
    }

    /// The verb with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }

    /// Its place in a set. Written into links: never changes.
    const fn bit(self) -> u8 {
        match self {
            Self::Create => 1,
            Self::Append => 2,
            Self::Inspect => 4,
            Self::Download => 8,
            Self::Terminate => 16,
        }
    }
}

/// A set of verbs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Verbs(u8);

impl Verbs {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(31);
    /// What an upload takes from beginning to end, and nothing else.
    pub const UPLOAD: Self = Self::NONE.and(Verb::Create).and(Verb::Append).and(Verb::Inspect);

    /// This, and one more.
    #[must_use]
    pub const fn and(self, verb: Verb) -> Self {
        Self(self.0 | verb.bit())
    }

    /// Whether a verb is among them.
    #[must_use]
    pub const fn contains(self, verb: Verb) -> bool {
        self.0 & verb.bit() != 0
    }

    /// The verbs in a list of words with blanks or commas between; other words say nothing.
    #[must_use]
    pub fn in_words(text: &str) -> Self {
        let words = text.split([' ', ',']).filter_map(Verb::named);
        words.fold(Self::NONE, Self::and)
    }

    /// The verbs, in the order of [`Verb::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Verb> {
        Verb::ALL.into_iter().filter(move |verb| self.contains(*verb))
    }

    /// One bit per verb, for links.
    #[must_use]
    pub(super) const fn bits(self) -> u8 {
        self.0
    }

    /// Reads [`Verbs::bits`]; `None` if a bit means nothing.
    #[must_use]
    pub(super) const fn from_bits(bits: u8) -> Option<Self> {
        if bits & !Self::ALL.0 == 0 { Some(Self(bits)) } else { None }
    }
}

impl std::fmt::Debug for Verbs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_name_and_a_bit_of_its_own() {
        let all = Verb::ALL.into_iter().fold(Verbs::NONE, Verbs::and);
        assert_eq!(all, Verbs::ALL);
        for verb in Verb::ALL {
            assert_eq!(Verb::named(verb.name()), Some(verb));
            assert_eq!(Verbs::NONE.and(verb).iter().collect::<Vec<_>>(), [verb]);
        }
    }

    #[test]
    fn words_that_are_no_verbs_say_nothing() {
        let some = Verbs::NONE.and(Verb::Create).and(Verb::Download);
        assert_eq!(Verbs::in_words("openid create,download  Append"), some);
        assert_eq!(Verbs::in_words(""), Verbs::NONE);
    }

    #[test]
    fn a_bit_without_a_meaning_is_no_set() {
        assert_eq!(Verbs::from_bits(Verbs::UPLOAD.bits()), Some(Verbs::UPLOAD));
        assert_eq!(Verbs::from_bits(32), None);
    }
}
