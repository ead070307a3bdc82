//! Migrations outside a transaction: what is committed stays, and the next run goes on behind it.

use lockage_core::{ErrorKind, Interrupt, State};

use super::{failing_run, fails};
use crate::Failure;
use crate::scene::{LOOK_AGAIN, Scene};

cases!("resume":
    a_failed_statement_is_where_the_next_run_begins,
    an_interrupted_migration_goes_on_behind_what_is_committed [Gate],
);

async fn a_failed_statement_is_where_the_next_run_begins(scene: &Scene) -> Result<(), Failure> {
    let by_hand = [
        scene.create("seen"),
        scene.put("seen", 1),
        scene.put("missing", 1),
        scene.put("seen", 2),
    ];
    let set = scene.set(&[("V1__by_hand.sql no-transaction", &by_hand)])?;
    failing_run(scene, &set).await?;
    ensure_eq!(
        scene.rows("seen").await?,
        Some(vec![1]),
        "what was committed before the failure"
    );
    stands_at(scene, &[State::Failed], 2).await?;

    scene.make("missing").await?;
    let report = scene
        .within("the next run", scene.runner(&set)?.up())
        .await?;
    ensure_eq!(
        report.applied.len(),
        1,
        "migrations that the next run reports"
    );
    ensure_eq!(scene.rows("seen").await?, Some(vec![1, 2]), "the witness");
    ensure_eq!(
        scene.rows("missing").await?,
        Some(vec![1]),
        "the second witness"
    );
    stands_at(scene, &[State::Applied], 4).await
}

async fn an_interrupted_migration_goes_on_behind_what_is_committed(
    scene: &Scene,
) -> Result<(), Failure> {
    let set = scene.set(&[("V1__by_hand.sql no-transaction", &statements(scene)?)])?;
    let gate = scene.closed_gate().await?;
    let interrupt = Interrupt::new();
    let runner = scene.patient_runner(&set)?.interrupt(interrupt.clone());
    let running = tokio::spawn(async move { runner.up().await });
    until_at_the_gate(scene).await?;
    interrupt.trigger();
    let done = scene.in_time("the interrupted run", running).await??;
    fails("an interrupted run", done, &[ErrorKind::Interrupted])?;
    stands_at(scene, &[State::Failed, State::Running], 2).await?;
    let next = scene
        .locked_soon("the lock of the interrupted run", &Default::default())
        .await?;
    scene.leave(next).await?;

    scene.within("opening the gate", gate.open()).await?;
    scene
        .within("the next run", scene.patient_runner(&set)?.up())
        .await?;
    is_done(scene).await
}

/// Two statements, the gate, one more.
pub(super) fn statements(scene: &Scene) -> Result<[String; 4], Failure> {
    Ok([
        scene.create("seen"),
        scene.put("seen", 1),
        scene.fixture().gate("gate")?,
        scene.put("seen", 2),
    ])
}

/// Waits until the journal says that the gate is the next statement.
pub(super) async fn until_at_the_gate(scene: &Scene) -> Result<(), Failure> {
    scene
        .within("the journal to say that two statements are done", async {
            while !scene
                .history()
                .await?
                .rows
                .iter()
                .any(|row| row.state == State::Running && row.statements_done == 2)
            {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Ok::<(), Failure>(())
        })
        .await
}

/// Each of [`statements`] ran to its end once.
pub(super) async fn is_done(scene: &Scene) -> Result<(), Failure> {
    ensure_eq!(scene.rows("seen").await?, Some(vec![1, 2]), "the witness");
    stands_at(scene, &[State::Applied], 4).await
}

async fn stands_at(scene: &Scene, states: &[State], done: u32) -> Result<(), Failure> {
    let history = scene.history().await?;
    let [row] = &history.rows[..] else {
        return Err(format!("one row expected in the history, found {:?}", history.rows).into());
    };
    ensure!(
        states.contains(&row.state),
        "the state: expected one of {states:?}, found {:?}",
        row.state
    );
    ensure_eq!(
        (row.statements_done, row.statements_total),
        (done, 4),
        "statements done, and in all"
    );
    Ok(())
}
