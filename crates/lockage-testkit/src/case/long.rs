//! A migration that stands at a gate in its middle, behind one that makes a table: for cases in which the run ends there.

use lockage_core::MigrationSet;

use crate::Failure;
use crate::scene::Scene;

/// The statements of the two.
pub(super) fn scripts(scene: &Scene) -> Result<[Vec<String>; 2], Failure> {
    let create = vec![scene.create("seen"), scene.put("seen", 1)];
    let long = vec![
        scene.put("seen", 2),
        scene.fixture().gate("gate")?,
        scene.put("seen", 3),
    ];
    Ok([create, long])
}

/// The same as files.
pub(super) fn files([create, long]: &[Vec<String>; 2]) -> [(&str, &[String]); 2] {
    [("V1__create.sql", create), ("V2__long.sql", long)]
}

/// The same as migrations.
pub(super) fn set(scene: &Scene) -> Result<MigrationSet, Failure> {
    scene.set(&files(&scripts(scene)?))
}

/// With the gate open, the next run brings both to their end.
pub(super) async fn completes(scene: &Scene) -> Result<(), Failure> {
    scene
        .within("the next run", scene.patient_runner(&set(scene)?)?.up())
        .await?;
    ensure_eq!(
        scene.rows("seen").await?,
        Some(vec![1, 2, 3]),
        "the witness"
    );
    ensure_eq!(scene.applied().await?, ["1", "2"], "applied versions");
    Ok(())
}
