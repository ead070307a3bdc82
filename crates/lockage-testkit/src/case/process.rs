//! Replicas as processes, which die as processes do.

use lockage_core::LockKey;

use super::{long, resume};
use crate::Failure;
use crate::child::{ChildProcess, Role, Said};
use crate::scene::Scene;
use crate::sole_holder::SoleHolder;

cases!("process":
    one_process_holds_it_at_a_time [Processes],
    a_killed_holder_frees_the_lock [Processes],
    killed_mid_migration_the_next_run_completes_it [Processes, Gate],
    killed_mid_statement_frees_the_lock [Processes, Gate, NoticesDeadClient],
    killed_outside_a_transaction_the_next_run_resumes [Processes, Gate],
    a_first_run_of_many_applies_each_migration_once [Processes],
);

async fn one_process_holds_it_at_a_time(scene: &Scene) -> Result<(), Failure> {
    for key in [LockKey::default(), LockKey::named("orders")?] {
        let mut child = scene.child(Role::Hold, &key).await?;
        scene
            .within("the child to hold the lock", child.expect(Said::Holding))
            .await?;
        let waiter = scene.refused(&key).await?;
        let free = scene.locked(&LockKey::id(7)).await?;
        scene.leave(free).await?;
        child.go().await?;
        scene
            .within(
                "the child to give the lock back",
                child.expect(Said::Released),
            )
            .await?;
        let locked = scene.lock_with(waiter, &key).await?;
        scene.leave(locked).await?;
    }
    Ok(())
}

async fn a_killed_holder_frees_the_lock(scene: &Scene) -> Result<(), Failure> {
    let key = LockKey::default();
    let mut child = scene.child(Role::Hold, &key).await?;
    scene
        .within("the child to hold the lock", child.expect(Said::Holding))
        .await?;
    scene
        .within("closing a session", scene.refused(&key).await?.close())
        .await?;
    scene.within("killing the child", child.kill()).await?;
    let next = scene
        .locked_soon("the lock of a process that was killed", &key)
        .await?;
    scene.leave(next).await
}

async fn killed_mid_migration_the_next_run_completes_it(scene: &Scene) -> Result<(), Failure> {
    killed_at_the_gate(scene, false).await
}

async fn killed_mid_statement_frees_the_lock(scene: &Scene) -> Result<(), Failure> {
    killed_at_the_gate(scene, true).await
}

async fn killed_at_the_gate(scene: &Scene, free_while_closed: bool) -> Result<(), Failure> {
    let scripts = long::scripts(scene)?;
    let files = long::files(&scripts);
    let gate = scene.closed_gate().await?;
    let child = started(scene, &files).await?;
    scene
        .within("the migration to reach the gate", gate.reached())
        .await?;
    scene.within("killing the child", child.kill()).await?;
    if free_while_closed {
        let what = "the lock of a process that was killed, while its statement stands";
        let next = scene.locked_soon(what, &LockKey::default()).await?;
        scene.leave(next).await?;
    }
    scene.within("opening the gate", gate.open()).await?;
    long::completes(scene).await
}

async fn killed_outside_a_transaction_the_next_run_resumes(scene: &Scene) -> Result<(), Failure> {
    let statements = resume::statements(scene)?;
    let files: [(&str, &[String]); 1] = [("V1__by_hand.sql no-transaction", &statements)];
    let gate = scene.closed_gate().await?;
    let child = started(scene, &files).await?;
    resume::until_at_the_gate(scene).await?;
    scene.within("killing the child", child.kill()).await?;
    scene.within("opening the gate", gate.open()).await?;
    scene
        .within(
            "the next run",
            scene.patient_runner(&scene.set(&files)?)?.up(),
        )
        .await?;
    resume::is_done(scene).await
}

async fn a_first_run_of_many_applies_each_migration_once(scene: &Scene) -> Result<(), Failure> {
    let files: [(&str, &[String]); 4] = [
        (
            "V1__create.sql",
            &[scene.create("seen"), scene.put("seen", 1)],
        ),
        (
            "V2__more.sql",
            &[scene.put("seen", 2), scene.create("more")],
        ),
        (
            "V3__by_hand.sql no-transaction",
            &[scene.put("seen", 3), scene.put("more", 3)],
        ),
        ("V4__last.sql", &[scene.put("more", 4)]),
    ];
    let mut children = Vec::new();
    for _ in 0..scene.suite().replicas {
        children.push(ready(scene, &files).await?);
    }
    for child in &mut children {
        child.go().await?;
    }
    let mut all_applied = Vec::new();
    for child in &mut children {
        match scene
            .within("every process to be done", child.hear())
            .await?
        {
            Said::Done {
                outcome, applied, ..
            } => {
                ensure_eq!(
                    outcome,
                    if applied.is_empty() {
                        "up_to_date"
                    } else {
                        "applied"
                    },
                    "the outcome of a process that applied {applied:?}"
                );
                all_applied.extend(applied);
            }
            said => return Err(format!("a process failed: {said:?}").into()),
        }
    }
    all_applied.sort();
    ensure_eq!(
        all_applied,
        ["1", "2", "3", "4"],
        "what all processes report as applied"
    );
    ensure!(
        !SoleHolder::saw_two(&scene.path("holder")),
        "two processes held the lock at once"
    );
    ensure_eq!(
        scene.rows("seen").await?,
        Some(vec![1, 2, 3]),
        "the witness"
    );
    ensure_eq!(
        scene.rows("more").await?,
        Some(vec![3, 4]),
        "the second witness"
    );
    ensure_eq!(scene.applied().await?.len(), 4, "rows of the history");
    Ok(())
}

/// A replica that stands ready to run `up`.
async fn ready(scene: &Scene, files: &[(&str, &[String])]) -> Result<ChildProcess, Failure> {
    let role = Role::Up {
        folder: scene.folder(files)?,
        holder_file: scene.path("holder"),
    };
    let mut child = scene.child(role, &LockKey::default()).await?;
    scene
        .within("the child to be ready", child.expect(Said::Ready))
        .await?;
    Ok(child)
}

/// A replica that runs `up`.
async fn started(scene: &Scene, files: &[(&str, &[String])]) -> Result<ChildProcess, Failure> {
    let mut child = ready(scene, files).await?;
    child.go().await?;
    Ok(child)
}
