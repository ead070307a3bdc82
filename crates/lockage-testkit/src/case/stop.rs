//! Runs that end early: dropped, interrupted, abandoned at any await.

use std::pin::pin;
use std::task::Poll;

use lockage_core::{ErrorKind, Interrupt, LockKey};

use super::{fails, long};
use crate::scene::Scene;
use crate::{Failure, Gate};

cases!("stop":
    a_run_dropped_mid_migration_frees_the_lock [Gate],
    an_interrupted_run_says_so_and_frees_the_lock [Gate],
    a_try_dropped_at_any_await_leaves_no_lock,
    a_run_dropped_at_any_await_leaves_nothing_half_applied [TransactionalDdl],
);

async fn a_run_dropped_mid_migration_frees_the_lock(scene: &Scene) -> Result<(), Failure> {
    let set = long::set(scene)?;
    let gate = scene.closed_gate().await?;
    let runner = scene.patient_runner(&set)?;
    let running = scene.run_to(&*gate, runner).await?;
    running.abort();
    ensure!(
        running.await.is_err_and(|error| error.is_cancelled()),
        "the run was over before it was dropped"
    );
    finish(scene, gate).await
}

async fn an_interrupted_run_says_so_and_frees_the_lock(scene: &Scene) -> Result<(), Failure> {
    let set = long::set(scene)?;
    let gate = scene.closed_gate().await?;
    let interrupt = Interrupt::new();
    let runner = scene.patient_runner(&set)?.interrupt(interrupt.clone());
    let running = scene.run_to(&*gate, runner).await?;
    interrupt.trigger();
    let done = scene.in_time("the interrupted run", running).await??;
    let error = fails("an interrupted run", done, &[ErrorKind::Interrupted])?;
    let applied = error.report().map(|report| report.applied.len());
    ensure_eq!(
        applied,
        Some(1),
        "migrations that the error reports as applied before"
    );
    finish(scene, gate).await
}

/// With the gate still closed: the lock gets free and nothing is half applied. With the gate open: the next run completes.
async fn finish(scene: &Scene, gate: Box<dyn Gate>) -> Result<(), Failure> {
    let what = "the lock of the run that was stopped";
    let next = scene.locked_soon(what, &LockKey::default()).await?;
    ensure_eq!(
        scene.applied().await?,
        ["1"],
        "applied versions after the stop"
    );
    if scene.suite().backend.capabilities().transactional_ddl {
        ensure_eq!(
            scene.rows("seen").await?,
            Some(vec![1]),
            "the witness after the stop"
        );
    }
    scene.leave(next).await?;
    scene.within("opening the gate", gate.open()).await?;
    long::completes(scene).await
}

async fn a_try_dropped_at_any_await_leaves_no_lock(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    for polls in 1.. {
        let session = scene.connect().await?;
        let what = format!("a try that is dropped after {polls} polls");
        let tried = scene
            .in_time(&what, polled(polls, session.try_lock(&key)))
            .await?;
        let was_ready = tried.is_some();
        drop(tried.transpose()?);
        let next = scene
            .locked_soon(&format!("the lock after {what}"), &key)
            .await?;
        scene.leave(next).await?;
        if was_ready {
            break;
        }
    }
    Ok(())
}

async fn a_run_dropped_at_any_await_leaves_nothing_half_applied(
    scene: &Scene,
) -> Result<(), Failure> {
    let mut files = vec![("V1__create.sql".to_owned(), vec![scene.create("seen")])];
    let set_of = |files: &[(String, Vec<String>)]| {
        let files: Vec<_> = files
            .iter()
            .map(|(name, text)| (name.as_str(), &text[..]))
            .collect();
        scene.set(&files)
    };
    for polls in 1.. {
        let n = files.len() as i64 + 1;
        files.push((
            format!("V{n}__more.sql"),
            vec![scene.put("seen", n), scene.put("seen", -n)],
        ));
        let runner = scene.runner(&set_of(&files)?)?;
        let what = format!("a run that is dropped after {polls} polls");
        if let Some(done) = scene.in_time(&what, polled(polls, runner.up())).await? {
            done?;
            break;
        }
    }
    let runner = scene.runner(&set_of(&files)?)?;
    scene.within("the last run", runner.up()).await?;
    let last = files.len() as i64;
    let expected: Vec<i64> = (-last..=last).filter(|n| !(-1..=1).contains(n)).collect();
    ensure_eq!(scene.rows("seen").await?, Some(expected), "the witness");
    let versions: Vec<String> = (1..=last).map(|n| n.to_string()).collect();
    ensure_eq!(scene.applied().await?, versions, "applied versions");
    Ok(())
}

/// Polls a future so many times, each time when it asks for it, and then drops it in the state that it is in.
async fn polled<T>(times: u32, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut left = times;
    std::future::poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => {
            left -= 1;
            if left == 0 {
                Poll::Ready(None)
            } else {
                Poll::Pending
            }
        }
    })
    .await
}
