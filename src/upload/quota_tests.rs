use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_unix_milliseconds(1_000_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn ago(hours: u64) -> Timestamp {
    Timestamp::from_unix_milliseconds(NOW.unix_milliseconds() - hours * 3_600_000)
}

fn in_hours(hours: u32) -> Timestamp {
    NOW.after(HOUR * hours)
}

/// A finished file of `bytes` bytes that was created some hours ago and is kept.
fn file(name: u8, hours_ago: u64, bytes: u64) -> Holding {
    Holding {
        id: UploadId::from_bytes([name; 16]),
        standing: Standing::Kept,
        created_at: ago(hours_ago),
        expires_at: None,
        bytes,
        day_bytes: bytes,
    }
}

fn total(bytes: u64, when_full: WhenFull) -> Quota {
    Quota { total: Some(Total { bytes, when_full }), ..Quota::default() }
}

fn reached(retry_at: Option<Timestamp>) -> Result<Grant, Refusal> {
    Err(Refusal::QuotaReached { retry_at })
}

fn removed(names: &[u8]) -> Result<Grant, Refusal> {
    let remove = names.iter().map(|name| UploadId::from_bytes([*name; 16])).collect();
    Ok(Grant { remove, max_bytes: None })
}

#[test]
fn without_bounds_everything_fits() {
    let holdings = [file(1, 1, u64::MAX), file(2, 1, u64::MAX)];
    assert_eq!(Quota::default().judge(&holdings, Some(1 << 40), NOW), removed(&[]));
    assert!(!Quota::default().is_bounded());
}

#[test]
fn the_last_byte_of_a_total_fits_and_one_more_does_not() {
    let quota = total(100, WhenFull::Refuse);
    let holdings = [file(1, 30, 60)];
    assert_eq!(quota.judge(&holdings, Some(40), NOW), removed(&[]));
    assert_eq!(quota.judge(&holdings, Some(41), NOW), reached(None));
}

#[test]
fn what_could_never_fit_is_too_large_and_the_bound_is_named() {
    let max = UploadLength::new(100).unwrap();
    let day = Quota { bytes_per_day: Some(100), ..Quota::default() };
    for quota in [day, total(100, WhenFull::DeleteOldest { down_to: 50 })] {
        assert_eq!(quota.judge(&[], Some(101), NOW), Err(Refusal::TooLarge { max }));
        assert_eq!(quota.judge(&[], Some(100), NOW), removed(&[]));
    }
}

#[test]
fn a_full_total_says_when_files_that_expire_will_have_made_room() {
    let quota = total(100, WhenFull::Refuse);
    let expiring =
        |name, hours, bytes| Holding { expires_at: Some(in_hours(hours)), ..file(name, 30, bytes) };
    let holdings = [expiring(1, 9, 50), expiring(2, 3, 30), expiring(3, 5, 20)];
    assert_eq!(quota.judge(&holdings, Some(10), NOW), reached(Some(in_hours(3))));
    assert_eq!(quota.judge(&holdings, Some(50), NOW), reached(Some(in_hours(5))));
    assert_eq!(quota.judge(&holdings, Some(100), NOW), reached(Some(in_hours(9))));
}

#[test]
fn the_oldest_files_go_until_the_lower_bound_is_met() {
    let quota = total(100, WhenFull::DeleteOldest { down_to: 60 });
    let holdings = [file(1, 10, 30), file(2, 40, 30), file(3, 20, 30)];
    assert_eq!(quota.judge(&holdings, Some(10), NOW), removed(&[]), "there is room");
    assert_eq!(quota.judge(&holdings, Some(20), NOW), removed(&[2, 3]));
    assert_eq!(quota.judge(&holdings, Some(100), NOW), removed(&[2, 3, 1]));
}

#[test]
fn what_is_running_or_a_part_never_goes_and_nothing_is_deleted_in_vain() {
    let quota = total(100, WhenFull::DeleteOldest { down_to: 60 });
    let running =
        Holding { standing: Standing::Running, expires_at: Some(in_hours(2)), ..file(1, 50, 80) };
    let part = Holding { standing: Standing::Part, ..running };
    for stays in [running, part] {
        let holdings = [stays, file(2, 40, 10)];
        assert_eq!(quota.judge(&holdings, Some(20), NOW), removed(&[2]));
        assert_eq!(quota.judge(&holdings, Some(30), NOW), reached(Some(in_hours(2))));
    }
}

#[test]
fn a_day_counts_what_came_in_it_even_if_it_is_gone() {
    let quota = Quota { bytes_per_day: Some(100), ..Quota::default() };
    let gone = Holding { standing: Standing::Gone, bytes: 0, ..file(1, 23, 50) };
    let holdings = [gone, file(2, 12, 40), file(3, 24, 1000)];
    assert_eq!(quota.judge(&holdings, Some(10), NOW), removed(&[]));
    assert_eq!(quota.judge(&holdings, Some(11), NOW), reached(Some(in_hours(1))));
    assert_eq!(quota.judge(&holdings, Some(61), NOW), reached(Some(in_hours(12))));
}

#[test]
fn running_uploads_are_counted_until_they_end_or_expire() {
    let quota = Quota { running: Some(2), ..Quota::default() };
    let running = |name, hours| Holding {
        standing: Standing::Running,
        expires_at: Some(in_hours(hours)),
        ..file(name, 1, 0)
    };
    let expired = Holding { expires_at: Some(NOW), ..running(3, 0) };
    let holdings = [running(1, 4), expired, file(4, 1, 5)];
    assert_eq!(quota.judge(&holdings, Some(1), NOW), removed(&[]));
    let holdings = [running(1, 4), running(2, 3)];
    assert_eq!(quota.judge(&holdings, Some(1), NOW), reached(Some(in_hours(3))));
}

#[test]
fn an_upload_of_unknown_length_may_have_what_is_left() {
    let quota = Quota { bytes_per_day: Some(90), ..total(100, WhenFull::Refuse) };
    let grant = quota.judge(&[file(1, 30, 60), file(2, 1, 20)], None, NOW);
    assert_eq!(grant, Ok(Grant { remove: Vec::new(), max_bytes: Some(20) }));
}

#[test]
fn usage_adds_up_what_is_there() {
    let gone = Holding { standing: Standing::Gone, bytes: 0, ..file(1, 2, 7) };
    let running = Holding { standing: Standing::Running, ..file(2, 30, 5) };
    let usage = Usage::of(&[gone, running, file(3, 1, 10)], NOW);
    assert_eq!(usage, Usage { uploads: 2, running: 1, bytes: 15, day_bytes: 17 });
    assert!(!gone.is_history(NOW));
    assert!(Holding { created_at: ago(24), ..gone }.is_history(NOW));
    assert!(Holding { day_bytes: 0, ..gone }.is_history(NOW));
    assert!(!running.is_history(NOW));
}

fn any_holding() -> impl Strategy<Value = Holding> {
    let standing = prop_oneof![
        Just(Standing::Running),
        Just(Standing::Part),
        Just(Standing::Kept),
        Just(Standing::Gone)
    ];
    let expiry = proptest::option::of(0_u32..50);
    (any::<[u8; 16]>(), standing, 0_u64..50, expiry, 0_u64..100).prop_map(
        |(id, standing, hours, expiry, bytes)| Holding {
            id: UploadId::from_bytes(id),
            standing,
            created_at: ago(hours),
            expires_at: expiry.map(in_hours),
            bytes: if standing == Standing::Gone { 0 } else { bytes },
            day_bytes: bytes,
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_granted_keeps_every_bound_and_a_retry_succeeds_when_it_was_said(
        holdings in proptest::collection::vec(any_holding(), 0..20),
        wanted in 0_u64..200,
        day in proptest::option::of(0_u64..500),
        bytes in 0_u64..500,
        down_to in proptest::option::of(0_u64..500),
        running in proptest::option::of(1_usize..5),
    ) {
        let when_full =
            down_to.map_or(WhenFull::Refuse, |down_to| WhenFull::DeleteOldest { down_to });
        let quota = Quota { running, bytes_per_day: day, ..total(bytes, when_full) };
        match quota.judge(&holdings, Some(wanted), NOW) {
            Ok(grant) => {
                let after: Vec<_> =
                    holdings.iter().filter(|one| !grant.remove.contains(&one.id)).copied().collect();
                let usage = Usage::of(&after, NOW);
                prop_assert!(usage.bytes + wanted <= bytes);
                prop_assert!(running.is_none_or(|most| usage.running < most));
                let spent = Usage::of(&holdings, NOW).day_bytes;
                prop_assert!(day.is_none_or(|most| spent + wanted <= most));
            }
            Err(Refusal::QuotaReached { retry_at: Some(later) }) => {
                prop_assert!(later > NOW);
                // Each bound may be reached for its own reason; after as many waits all are met.
                let mut moment = later;
                for _ in 0..holdings.len() + 3 {
                    match quota.judge(&holdings, Some(wanted), moment) {
                        Ok(_) | Err(Refusal::QuotaReached { retry_at: None }) => return Ok(()),
                        Err(Refusal::QuotaReached { retry_at: Some(next) }) => {
                            prop_assert!(next > moment);
                            moment = next;
                        }
                        Err(other) => prop_assert!(false, "{other:?}"),
                    }
                }
                prop_assert!(false, "never");
            }
            Err(Refusal::QuotaReached { retry_at: None }) => {}
            Err(Refusal::TooLarge { max }) => prop_assert!(wanted > max.get()),
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }
}
