//! What can be wrong with what an owner may have.

use std::time::Duration;

use super::{Doubts, Settings};
use crate::config::quota::{Count, QuotaSettings, WhenFull};
use crate::config::size::Size;
use crate::config::tenant::TenantSettings;

/// What `per_day` counts over.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn check(settings: &Settings, doubts: &mut Doubts) {
    let keys = [("quota", "running"), ("quota", "total"), ("quota", "delete_down_to")];
    let keys = [&keys[..], &[("quota", "when_full")]].concat();
    for complaint in complaints(&settings.quota, "quota.") {
        doubts.add(&keys, complaint);
    }
    if settings.quota.per_day == Some(Size::bytes(0)) {
        doubts.add(&[("quota", "per_day")], nobody("quota.per_day"));
    }
    if settings.quota.per_day.is_some() {
        remembered(settings, "quota.per_day", &[("quota", "per_day")], doubts);
    }
}

/// The quota of one tenant.
pub(super) fn of_tenant(settings: &Settings, tenant: &TenantSettings, doubts: &mut Doubts) {
    let Some(quota) = &tenant.quota else { return };
    let keys = [("xep0363", "tenants")];
    let named = format!("the tenant {:?} in xep0363.tenants: ", tenant.base_path);
    if quota.is_bounded() && !tenant.scheme.names_uploaders() {
        doubts.add(
            &keys,
            format!(
                "{named}a quota needs tokens that say who uploads; those of own, http_file_share \
                 and ejabberd do, others do not: leave quota out, or bound max_size"
            ),
        );
    }
    for complaint in complaints(quota, "quota.") {
        doubts.add(&keys, format!("{named}{complaint}"));
    }
    if quota.per_day == Some(Size::bytes(0)) {
        doubts.add(&keys, format!("{named}{}", nobody("quota.per_day")));
    }
    if quota.per_day.is_some() {
        remembered(settings, &format!("{named}quota.per_day"), &keys, doubts);
    }
}

/// What is wrong with a quota by itself.
fn complaints(quota: &QuotaSettings, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    if quota.running == Some(Count(0)) {
        found.push(nobody(&format!("{prefix}running")));
    }
    if quota.total == Some(Size::bytes(0)) {
        found.push(nobody(&format!("{prefix}total")));
    }
    let deletes = quota.when_full == WhenFull::DeleteOldest;
    if deletes && quota.total.is_none() {
        found.push(format!(
            "{prefix}when_full = \"delete_oldest\" needs to know when it is full; set {prefix}total"
        ));
    }
    match (quota.delete_down_to, quota.total) {
        (Some(_), _) if !deletes => found.push(format!(
            "{prefix}delete_down_to is for {prefix}when_full = \"delete_oldest\"; set both or \
             neither"
        )),
        (Some(least), Some(most)) if least > most => found.push(format!(
            "{prefix}delete_down_to = {least} is more than {prefix}total = {most}; write at most \
             as much"
        )),
        (Some(_) | None, _) => {}
    }
    found
}

fn nobody(key: &str) -> String {
    format!("{key} = 0 lets nobody upload; write more, or \"none\" for no bound")
}

fn remembered(
    settings: &Settings,
    key: &str,
    keys: &[(&'static str, &'static str)],
    doubts: &mut Doubts,
) {
    let memory = settings.uploads.tombstone_retention;
    if memory.get() < DAY {
        let keys = [keys, &[("uploads", "tombstone_retention")]].concat();
        doubts.add(
            &keys,
            format!(
                "{key} counts what was uploaded within 24h, but what was deleted is remembered \
                 only for uploads.tombstone_retention = {memory}; write at least 24h there"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Span;
    use crate::config::tenant::SlotScheme;

    fn quota(text: &str) -> QuotaSettings {
        toml::from_str(text).unwrap()
    }

    fn found(settings: &Settings) -> Vec<String> {
        let mut doubts = Doubts::default();
        check(settings, &mut doubts);
        doubts.0.into_iter().map(|doubt| doubt.text).collect()
    }

    #[test]
    fn a_quota_that_contradicts_itself_is_named_with_what_would_be_right() {
        for (text, expected) in [
            ("running = 0", "quota.running = 0"),
            ("total = 0", "quota.total = 0"),
            ("per_day = 0", "quota.per_day = 0"),
            ("when_full = \"delete_oldest\"", "set quota.total"),
            ("total = 5\ndelete_down_to = 4", "set both or neither"),
            ("total = 5\ndelete_down_to = 6\nwhen_full = \"delete_oldest\"", "at most as much"),
        ] {
            let found = found(&Settings { quota: quota(text), ..Settings::default() });
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert!(found[0].contains(expected), "{text}: {found:?}");
        }
        let sound = "running = 1\nper_day = 9\ntotal = 5\ndelete_down_to = 5\n\
                     when_full = \"delete_oldest\"";
        let settings = Settings { quota: quota(sound), ..Settings::default() };
        assert_eq!(found(&settings), Vec::<String>::new());
    }

    #[test]
    fn a_day_is_counted_only_if_it_is_remembered() {
        let mut settings = Settings { quota: quota("per_day = 9"), ..Settings::default() };
        settings.uploads.tombstone_retention = Span::hours(23);
        assert!(found(&settings)[0].contains("uploads.tombstone_retention"));
        settings.uploads.tombstone_retention = Span::hours(24);
        assert_eq!(found(&settings), Vec::<String>::new());
    }

    #[test]
    fn a_tenant_whose_tokens_name_nobody_has_no_quota() {
        for (scheme, complaints) in [
            (SlotScheme::Own, 0),
            (SlotScheme::HttpFileShare, 0),
            (SlotScheme::Ejabberd, 0),
            (SlotScheme::Prosody, 1),
            (SlotScheme::Metronome, 1),
            (SlotScheme::HmacFileServer, 1),
        ] {
            let tenant =
                TenantSettings { quota: Some(quota("running = 1")), ..TenantSettings::of(scheme) };
            let mut doubts = Doubts::default();
            of_tenant(&Settings::default(), &tenant, &mut doubts);
            assert_eq!(doubts.0.len(), complaints, "{scheme:?}");
        }
    }
}
