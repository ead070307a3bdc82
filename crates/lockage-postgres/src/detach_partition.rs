//! `ALTER TABLE … DETACH PARTITION … CONCURRENTLY`, which can stop half way: the partition is then pending.

use lockage_core::Result;
use lockage_sql::CommandError;

use crate::connection::PostgresConnection;
use crate::dialect::{literal, qualified_name, to_bool};
use crate::statement_mode::is_detach_concurrently;

/// The tables of the statement, quoted, with their schemas if they have one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DetachPartition {
    table: String,
    pub(crate) partition: String,
}

/// How far a partition is detached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartitionState {
    Attached,
    /// The first of two transactions has committed. `FINALIZE` completes it.
    Pending,
    Detached,
}

impl DetachPartition {
    /// Parses the leading words of a statement.
    pub(crate) fn parse(words: &[String]) -> Option<Self> {
        if words.first()? != "ALTER" || !is_detach_concurrently(words) {
            return None;
        }
        let table = words
            .iter()
            .skip(2)
            .skip_while(|word| matches!(word.as_str(), "IF" | "EXISTS" | "ONLY"));
        let partition = words.iter().skip_while(|word| *word != "PARTITION").skip(1);
        Some(Self {
            table: qualified_name(table)?,
            partition: qualified_name(partition)?,
        })
    }

    /// Returns the statement that completes a pending detachment.
    pub(crate) fn finalize_sql(&self) -> String {
        format!(
            "ALTER TABLE {} DETACH PARTITION {} FINALIZE",
            self.table, self.partition
        )
    }
}

impl PostgresConnection {
    pub(crate) async fn partition_state(
        &mut self,
        detach: &DetachPartition,
    ) -> Result<PartitionState, CommandError> {
        let query = format!(
            "SELECT inhdetachpending FROM pg_catalog.pg_inherits WHERE inhrelid = pg_catalog.to_regclass({})",
            literal(&detach.partition)
        );
        let pending = self.driver.query_value(&query).await?;
        Ok(match pending {
            None => PartitionState::Detached,
            Some(pending) if to_bool(Some(&pending)) => PartitionState::Pending,
            Some(_) => PartitionState::Attached,
        })
    }

    /// Adds to the error of a failed statement that the partition is pending.
    pub(crate) async fn with_partition_state(
        &mut self,
        detach: &DetachPartition,
        failure: CommandError,
    ) -> CommandError {
        let _guard = self.driver.canceller().suspend_cancel();
        match self.partition_state(detach).await {
            Ok(PartitionState::Pending) => failure.map_error(|error| {
                error
                    .with_context(
                        "partition",
                        format!("{} is partly detached", detach.partition),
                    )
                    .with_hint(format!(
                        "run again: the next run completes it; or do it by hand: {}",
                        detach.finalize_sql()
                    ))
            }),
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement_mode::leading_keywords;

    #[test]
    fn detach_partition_is_parsed() {
        let statement = "ALTER TABLE IF EXISTS ONLY s.p DETACH PARTITION \"C\" CONCURRENTLY";
        let detach = DetachPartition::parse(&leading_keywords(statement)).unwrap();
        assert_eq!(
            detach.finalize_sql(),
            "ALTER TABLE \"s\".\"p\" DETACH PARTITION \"C\" FINALIZE"
        );
        let plain = leading_keywords("ALTER TABLE p DETACH PARTITION c");
        assert_eq!(DetachPartition::parse(&plain), None);
    }
}
