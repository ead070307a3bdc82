//! Flags that several commands share: connection, lock, limits and plan policy.

use clap::Args;

use crate::config::{Setting, SettingsLayer};

/// How a command connects, and which locks it uses.
#[derive(Args)]
#[command(next_help_heading = "Database options")]
pub(crate) struct DatabaseArgs {
    /// Schema of the history table and of unqualified names [env: LOCKAGE_SCHEMA] [default: the connection's]
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,

    /// Timeout for connecting [env: LOCKAGE_CONNECT_TIMEOUT] [default: 10s]
    #[arg(long, value_name = "TIME")]
    connect_timeout: Option<String>,

    /// Number of the lock [env: LOCKAGE_LOCK_ID] [default: 4006]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        conflicts_with = "lock_name"
    )]
    lock_id: Option<String>,

    /// Name of the lock, instead of a number [env: LOCKAGE_LOCK_NAME]
    #[arg(long, value_name = "S")]
    lock_name: Option<String>,

    /// Also acquire the locks of other migration tools: tool names, `auto` to detect them, or `lock:<native id>` [env:
    /// LOCKAGE_ALIGN]
    #[arg(long, value_name = "TOOL", num_args = 1.., value_delimiter = ',')]
    align: Vec<String>,

    /// Kind of lock: auto, advisory or table; must be the same for every run on a database [env: LOCKAGE_LOCK_STRATEGY]
    /// [default: auto]
    #[arg(long, value_name = "HOW", value_parser = ["auto", "advisory", "table"], hide_possible_values = true)]
    lock_strategy: Option<String>,
}

impl DatabaseArgs {
    pub(crate) fn settings(&self, layer: &mut SettingsLayer) {
        layer.flag(Setting::Schema, self.schema.as_deref());
        layer.flag(Setting::ConnectTimeout, self.connect_timeout.as_deref());
        layer.flag(Setting::LockId, self.lock_id.as_deref());
        layer.flag(Setting::LockName, self.lock_name.as_deref());
        layer.flag(Setting::LockStrategy, self.lock_strategy.as_deref());
        let align = (!self.align.is_empty()).then(|| self.align.join(","));
        layer.flag(Setting::ForeignLocks, align.as_deref());
    }
}

/// How a command that writes waits for the lock and limits its statements.
#[derive(Args)]
#[command(next_help_heading = "Database options")]
pub(crate) struct WriteArgs {
    /// How long to wait for the lock: a duration, `no` or `forever` [env: LOCKAGE_WAIT] [default: 60s]
    #[arg(long, value_name = "TIME", conflicts_with = "no_wait")]
    wait: Option<String>,

    /// Fail immediately if another run holds the lock
    #[arg(long)]
    no_wait: bool,

    /// Lock timeout for DDL: a duration or `none`; the statement is rolled back and retried [env: LOCKAGE_DDL_LOCK_TIMEOUT]
    /// [default: 5s]
    #[arg(long, value_name = "TIME")]
    ddl_lock_timeout: Option<String>,

    /// Timeout for each statement: a duration or `none` [env: LOCKAGE_STATEMENT_TIMEOUT] [default: none]
    #[arg(long, value_name = "TIME")]
    statement_timeout: Option<String>,
}

impl WriteArgs {
    pub(super) fn settings(&self, layer: &mut SettingsLayer) {
        let wait = if self.no_wait {
            Some("no")
        } else {
            self.wait.as_deref()
        };
        layer.flag(Setting::Wait, wait);
        layer.flag(Setting::DdlLockTimeout, self.ddl_lock_timeout.as_deref());
        layer.flag(Setting::StatementTimeout, self.statement_timeout.as_deref());
    }
}

/// Which differences between files and history a command accepts.
#[derive(Args)]
pub(crate) struct PlanPolicyArgs {
    /// Apply pending migrations older than the newest applied one instead of failing [env: LOCKAGE_OUT_OF_ORDER]
    #[arg(long)]
    out_of_order: bool,

    /// Fail if the database is ahead of the files [env: LOCKAGE_STRICT]
    #[arg(long)]
    strict: bool,
}

impl PlanPolicyArgs {
    pub(super) fn settings(&self, layer: &mut SettingsLayer) {
        layer.switch(Setting::OutOfOrder, self.out_of_order);
        layer.switch(Setting::Strict, self.strict);
    }
}

/// Flags of a command that only reads.
#[derive(Args)]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    policy: PlanPolicyArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl ReadArgs {
    pub(crate) fn settings(&self, layer: &mut SettingsLayer) {
        self.policy.settings(layer);
        self.database.settings(layer);
    }
}
