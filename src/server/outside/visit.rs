//! [`Visit`]: what the questions share.

use super::address::Address;
use super::answer::Answer;
use super::proxy::{Proxy, Trouble};
use super::site::{Request, Site, Unasked};
use super::{Finding, Grade, Options};

/// Bytes of the uploads that are created.
pub(super) const UPLOAD_BYTES: u64 = 128 * 1024;
/// What they are called, so that an operator who meets one knows: `filename doctor`.
pub(super) const METADATA: &str = "filename ZG9jdG9y";

/// One look at a deployment.
pub(super) struct Visit<'a> {
    pub(super) site: &'a Site,
    pub(super) options: &'a Options,
    /// Who stands in front.
    pub(super) proxy: Proxy,
    /// The path that it takes away.
    pub(super) prefix: String,
    /// What is to be deleted in the end.
    created: Vec<Address>,
    worst: Grade,
    tell: &'a mut dyn FnMut(&Finding),
}

/// An upload that was begun.
pub(super) struct Created {
    /// `Location` as it was given, without a signed link.
    pub(super) location: String,
    /// The address that it means, if it means one.
    pub(super) meant: Option<Address>,
    /// Where the upload is, if the endpoint is where it was asked for.
    pub(super) address: Address,
}

impl<'a> Visit<'a> {
    pub(super) fn new(
        site: &'a Site,
        options: &'a Options,
        tell: &'a mut dyn FnMut(&Finding),
    ) -> Self {
        let proxy = options.proxy.unwrap_or(Proxy::Unknown);
        let prefix = parent(&site.endpoint.path).to_owned();
        Self { site, options, proxy, prefix, created: Vec::new(), worst: Grade::Sound, tell }
    }

    /// The worst finding so far.
    pub(super) const fn worst(&self) -> Grade {
        self.worst
    }

    /// Something is as it should be.
    pub(super) fn sound(&mut self, text: impl Into<String>) {
        self.found(Grade::Sound, text.into(), Vec::new());
    }

    /// Something is odd, or could not be seen.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.found(Grade::Note, text.into(), Vec::new());
    }

    /// Something makes uploads slower than they could be.
    pub(super) fn slows(&mut self, trouble: Trouble, text: impl Into<String>) {
        let change = self.proxy.remedy(trouble, &self.prefix);
        self.found(Grade::Note, text.into(), change);
    }

    /// Something breaks uploads.
    pub(super) fn wrong(&mut self, trouble: Trouble, text: impl Into<String>) {
        let change = self.proxy.remedy(trouble, &self.prefix);
        self.found(Grade::Wrong, text.into(), change);
    }

    fn found(&mut self, grade: Grade, text: String, change: Vec<String>) {
        self.worst = self.worst.max(grade);
        (self.tell)(&Finding { grade, text, proxy: self.proxy, change });
    }

    /// Asks, and takes what cannot be asked for no answer.
    pub(super) fn ask(&self, request: &Request<'_>) -> Result<Answer, Unasked> {
        self.site.ask(request)
    }

    /// Asks for an upload of so many bytes.
    pub(super) fn creation(&self, bytes: u64) -> Request<'a> {
        Request::tus("POST", &self.site.endpoint)
            .with("Upload-Length", bytes.to_string())
            .with("Upload-Metadata", METADATA)
    }

    /// The upload that an answer to a creation gives; it is deleted in the end.
    pub(super) fn taken(&mut self, answer: &Answer) -> Option<Created> {
        let location = answer.field("Location").filter(|_| answer.status == 201)?;
        let endpoint = &self.site.endpoint;
        let meant = endpoint.joined(location);
        let address = meant.as_ref().and_then(|meant| {
            let below = meant.path.strip_prefix(&endpoint.path).is_some();
            let id =
                meant.path.trim_end_matches('/').rsplit('/').next().filter(|id| !id.is_empty())?;
            let path = format!("{}/{id}", endpoint.path.trim_end_matches('/'));
            let path = if below { meant.path.clone() } else { path };
            Some(endpoint.at(path, meant.query.clone()))
        })?;
        self.created.push(address.clone());
        let location = location.split('?').next().unwrap_or_default().to_owned();
        Some(Created { location: shown(&location, 200), meant, address })
    }

    /// An upload of so many bytes, if one begins.
    pub(super) fn upload(&mut self, bytes: u64) -> Option<Address> {
        let answer = self.ask(&self.creation(bytes)).ok()?;
        self.taken(&answer).map(|created| created.address)
    }

    /// Deletes what was created, and says so if it cannot.
    pub(super) fn clean_up(&mut self) {
        let mut left = 0_u64;
        for address in std::mem::take(&mut self.created) {
            let answer = self.ask(&Request::tus("DELETE", &address));
            let gone = answer
                .is_ok_and(|answer| answer.status < 300 || [404, 410].contains(&answer.status));
            left += u64::from(!gone);
        }
        if left > 0 {
            self.note(format!(
                "{left} small uploads could not be deleted; they stay until they expire"
            ));
        }
    }
}

/// What lies above the last segment of a path; nothing if it is the root.
pub(super) fn parent(path: &str) -> &str {
    path.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// What somebody else wrote, fit to be printed: one line, no control characters, so many at most.
pub(super) fn shown(text: &str, most: usize) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.trim().chars().filter(|character| !character.is_control()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_shown_in_one_short_line() {
        assert_eq!(shown("\r\n a\u{1b}[31mb\nc", 100), "a[31mb");
        assert_eq!(shown("abc", 2), "ab");
        assert_eq!(shown("", 2), "");
    }

    #[test]
    fn the_parent_of_a_path_is_what_a_proxy_may_take_away() {
        for (path, above) in
            [("/up/files", "/up"), ("/up/files/", "/up"), ("/files", ""), ("/", "")]
        {
            assert_eq!(parent(path), above, "{path}");
        }
    }
}
