//! What can be wrong with `[xep0363]`.

use super::{Doubts, Settings, doors, path, quota};
use crate::config::tenant::TenantSettings;

/// All addresses that nothing else has: what hmac-file-server serves.
pub(super) const ROOT: &str = "/";

pub(super) fn check(settings: &Settings, doubts: &mut Doubts) {
    let tenants = &settings.xep0363.tenants;
    for (index, tenant) in tenants.iter().enumerate() {
        let base = &tenant.base_path;
        if base != ROOT && !path("xep0363", "tenants", base, "/upload", doubts) {
            continue;
        }
        secrets(tenant, doubts);
        doors::check(settings, tenant, doubts);
        quota::of_tenant(settings, tenant, doubts);
        places(settings, base, doubts);
        let mut earlier = tenants.iter().take(index).map(|tenant| &tenant.base_path);
        // The root alone may hold others: it has what is left over.
        let collides = |other: &&String| match (base.as_str(), other.as_str()) {
            (ROOT, other) => other == ROOT,
            (_, ROOT) => false,
            (base, other) => lies_in(base, other) || lies_in(other, base),
        };
        if let Some(other) = earlier.find(collides) {
            doubts.add(
                &[("xep0363", "tenants")],
                format!(
                    "two tenants in xep0363.tenants have the base paths {other:?} and {base:?}; \
                     give them paths of which none lies within another"
                ),
            );
        }
    }
}

fn secrets(tenant: &TenantSettings, doubts: &mut Doubts) {
    let wrong = tenant.signs_with().err().or_else(|| tenant.deletes_with().err());
    if let Some(error) = wrong {
        let text = format!("the tenant {:?} in xep0363.tenants: {error}", tenant.base_path);
        doubts.add(&[("xep0363", "tenants")], text);
    }
}

/// What is served elsewhere than at slots and forms: the setting, and where.
pub(super) fn taken(settings: &Settings) -> Vec<(&'static str, &str)> {
    let mut taken = vec![("server.base_path", settings.server.base_path.as_str())];
    if settings.uploads.chunkeduploadsenabled {
        taken.push(("uploads.chunkeduploadsenabled", "/chunked-upload"));
        taken.push(("uploads.chunkeduploadsenabled", "/upload-status"));
    }
    taken
}

/// Where something else is served already. The path of forms may be a base path as well: slots live
/// below it. At the root, the addresses of everything else are simply no slots.
fn places(settings: &Settings, base: &str, doubts: &mut Doubts) {
    if base == ROOT {
        return;
    }
    let uploads = &settings.uploads;
    let mut collision =
        taken(settings).into_iter().find(|(_, at)| lies_in(base, at) || lies_in(at, base));
    if let Some(form) = uploads.form_path.as_deref()
        && form != base
        && lies_in(form, base)
    {
        collision = collision.or(Some(("uploads.form_path", form)));
    }
    if let Some((setting, at)) = collision {
        doubts.add(
            &[("xep0363", "tenants")],
            format!(
                "the tenant {base:?} in xep0363.tenants has slots where {setting} serves {at:?}; \
                 give one of them another path"
            ),
        );
    }
}

/// Whether a path is another one, or below it.
pub(super) fn lies_in(path: &str, other: &str) -> bool {
    let other = if other == ROOT { "" } else { other };
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tenant::SlotScheme;
    use crate::config::token::Secret;

    fn complaints(bases: &[&str]) -> Vec<String> {
        let mut settings = Settings::default();
        settings.xep0363.tenants = bases
            .iter()
            .map(|base| TenantSettings {
                base_path: (*base).to_owned(),
                secret: Some(Secret::new("it-is-secret".to_owned())),
                ..TenantSettings::of(SlotScheme::Prosody)
            })
            .collect();
        let mut doubts = Doubts::default();
        check(&settings, &mut doubts);
        doubts.0.into_iter().map(|doubt| doubt.text).collect()
    }

    #[test]
    fn slots_may_live_below_the_path_of_forms() {
        assert_eq!(complaints(&["/upload", "/uploads", "/chat/slots"]), Vec::<String>::new());
    }

    #[test]
    fn one_tenant_may_have_every_address_that_nothing_else_has() {
        assert_eq!(complaints(&["/"]), Vec::<String>::new());
        for bases in [["/", "/a"], ["/a", "/"]] {
            assert_eq!(complaints(&bases), Vec::<String>::new());
        }
    }

    #[test]
    fn slots_live_nowhere_where_something_else_is_served() {
        for (base, named) in [
            ("/files", "server.base_path"),
            ("/files/slots", "server.base_path"),
            ("/chunked-upload", "chunkeduploadsenabled"),
            ("/upload-status/x", "chunkeduploadsenabled"),
        ] {
            let complaints = complaints(&[base]);
            assert_eq!(complaints.len(), 1, "{complaints:?}");
            assert!(complaints[0].contains(named), "{complaints:?}");
        }
    }

    #[test]
    fn no_base_path_lies_within_another() {
        for bases in [["/a", "/a"], ["/a", "/a/b"], ["/a/b", "/a"], ["/", "/"]] {
            assert!(complaints(&bases)[0].contains("two tenants"), "{bases:?}");
        }
        for base in ["", "//", "upload", "/upload/", "/a//b", "/a b", "/a/../b"] {
            assert!(complaints(&[base])[0].contains("is not a path"), "{base}");
        }
    }

    #[test]
    fn a_tenant_without_a_usable_secret_is_named() {
        let mut settings = Settings::default();
        let text = "[[tenants]]\nscheme = \"prosody\"\n";
        settings.xep0363 = toml::from_str(text).unwrap();
        let mut doubts = Doubts::default();
        check(&settings, &mut doubts);
        let text = &doubts.0[0].text;
        assert!(text.contains("\"/upload\"") && text.contains("secret_file"), "{text}");
    }
}
