//! Trying inputs, making the one that fails small, and keeping it.

use std::cell::{Cell, RefCell};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::oracle::Checked;
use crate::targets::Target;

/// Tries to make a failing input smaller.
const SHRINKS: u32 = 2000;
const SHRINK_MILLIS: u32 = 20_000;
/// Cases between two looks at the clock.
const BATCH: u32 = 20;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/regressions").join(name)
}

/// The inputs of a target on which something failed once.
pub fn regressions(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(folder(name)).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut inputs: Vec<_> = paths.map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    inputs.sort();
    inputs
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The check, with a panic as a failure. Panics are not printed: shrinking makes hundreds of them.
pub fn guarded(check: fn(&[u8]) -> Checked, input: &[u8]) -> Checked {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match GUARDED.get() {
            true => PANIC.set(info.to_string()),
            false => before(info),
        }));
    });
    GUARDED.set(true);
    let done = catch_unwind(AssertUnwindSafe(|| check(input)));
    GUARDED.set(false);
    done.unwrap_or_else(|_| Err(PANIC.take()))
}

/// The stack of the main thread, in which commands run.
const STACK: usize = 8 << 20;

/// Does it on a stack such as commands have; tests have a quarter of it.
pub fn on_a_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap()
}

/// A fixed number of cases, the same every time.
pub fn some(target: Target) -> Result<(), String> {
    on_a_stack(move || run(&target, target.cases, &[7; 32], &mut |_, _| {}))
}

/// `seen` is told of every input before it is tried, and after it with the time that it took.
fn run(
    target: &Target,
    cases: u32,
    seed: &[u8; 32],
    seen: &mut dyn FnMut(&[u8], Option<Duration>),
) -> Result<(), String> {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: SHRINKS,
        max_shrink_time: SHRINK_MILLIS,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, seed));
    let seen = RefCell::new(seen);
    let failed = runner.run(&(target.input)(), |input| {
        seen.borrow_mut()(&input, None);
        let begun = Instant::now();
        let done = guarded(target.check, &input);
        seen.borrow_mut()(&input, Some(begun.elapsed()));
        done.map_err(TestCaseError::fail)
    });
    match failed {
        Ok(()) => Ok(()),
        Err(TestError::Fail(why, input)) => {
            Err(format!("{}: {why}\nkept in {}", target.name, keep(target, &input).display()))
        }
        Err(TestError::Abort(why)) => Err(format!("{}: {why}", target.name)),
    }
}

/// Where the input is tried again from now on.
fn keep(target: &Target, input: &[u8]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    let path = folder(target.name).join(format!("{:016x}", hasher.finish()));
    fs::create_dir_all(folder(target.name)).unwrap();
    fs::write(&path, input).unwrap();
    path
}

/// New cases for so many minutes; false if one failed. The input that is being tried is in a file, for what ends the
/// process or never comes to an end.
pub fn minutes(target: &Target, minutes: f64) -> bool {
    let current = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}", target.name));
    println!("{}: {minutes} minutes; the case that is being tried is in {}", target.name, current.display());
    let begun = Instant::now();
    let (mut cases, mut bytes, mut slowest) = (0_u64, 0_u64, (Duration::ZERO, 0));
    let mut number = u64::from(std::process::id()) << 32 | u64::from(begun_at());
    while begun.elapsed().as_secs_f64() < minutes * 60.0 {
        number = number.wrapping_add(1);
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        let done = run(target, BATCH, &seed, &mut |input, took| {
            let Some(took) = took else { return fs::write(&current, input).unwrap() };
            cases += 1;
            bytes += input.len() as u64;
            if took > slowest.0 {
                slowest = (took, input.len());
                fs::write(current.with_extension("slowest"), input).unwrap();
            }
        });
        if let Err(why) = done {
            println!("{why}");
            return false;
        }
    }
    println!(
        "{}: {cases} cases, {} MB, no failure; the slowest took {:.2} s for {} bytes",
        target.name,
        bytes / 1_000_000,
        slowest.0.as_secs_f64(),
        slowest.1
    );
    true
}

fn begun_at() -> u32 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.subsec_nanos())
}
