//! The suite notices when a server is broken: a proxy between the suite and a sound gateway breaks
//! one thing at a time, and a case has to fail for it.

#![expect(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

#[path = "../support/gateway.rs"]
mod gateway;
mod head;
mod proxy;
mod table;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use conformance_tests::context::{Context, Parameters};
use conformance_tests::runner::{self, Filter, Listed, Outcome};
use conformance_tests::suites;
use conformance_tests::target::Target;

use gateway::Gateway;
use proxy::Proxy;
use table::{MUTATIONS, Mutation, SOUND, Setting};

/// How many mutations are tried at a time.
const THREADS: usize = 4;

fn case(name: &str) -> Listed {
    let all = runner::list(suites::ALL, &Filter::default());
    all.into_iter().find(|listed| listed.case.name == name).unwrap()
}

/// How the case ends when the server does `mutation`.
fn judged(gateway: &Gateway, mutation: &'static Mutation) -> Outcome {
    let proxy = Proxy::before(gateway.address(), mutation);
    let target = Target::parse(&format!("http://{}/files", proxy.address())).unwrap();
    let offers = target.probe().unwrap();
    let context = Context { target, offers, parameters: Parameters::default() };
    let mut run = runner::run(&context, &[case(mutation.noticed_by)], 1, &mut |_| {});
    run.judged.remove(0).outcome
}

/// Runs `work` for every mutation, some at a time.
fn for_each(work: impl Fn(&'static Mutation) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(mutation) = MUTATIONS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(mutation);
                }
            });
        }
    });
}

#[test]
fn a_case_notices_each_mutation_and_passes_without_it() {
    let usual = Gateway::start("usual", &[]);
    let short = Gateway::start(
        "short",
        &[("TIDEGATE__UPLOADS__SESSIONTIMEOUT", "2s"), ("TIDEGATE__STORAGE__REAP_INTERVAL", "1s")],
    );
    for_each(|mutation| {
        let gateway = match mutation.setting {
            Setting::Usual => &usual,
            Setting::ShortLives => &short,
        };
        let sound: &'static Mutation =
            Box::leak(Box::new(Mutation { noticed_by: mutation.noticed_by, ..SOUND }));
        let without = judged(gateway, sound);
        assert_eq!(without, Outcome::Passed, "{:?}, unbroken", mutation.noticed_by);
        let with = judged(gateway, mutation);
        let noticed = matches!(with, Outcome::Failed { .. });
        assert!(noticed, "{:?} does not notice that {}", mutation.noticed_by, mutation.name);
    });
}

#[test]
fn there_are_mutations_of_requests_and_of_answers_and_each_is_there_once() {
    let names: std::collections::BTreeSet<_> = MUTATIONS.iter().map(|found| found.name).collect();
    assert_eq!(names.len(), MUTATIONS.len());
    assert!(MUTATIONS.len() >= 10);
}
