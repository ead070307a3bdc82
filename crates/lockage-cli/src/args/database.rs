use clap::Args;

use crate::config::{Layer, Setting};

/// How a command that needs a database reaches it, and which lock it means.
#[derive(Args)]
#[command(next_help_heading = "Database options")]
pub(crate) struct DatabaseArgs {
    /// The schema of the history table and of unqualified names [env: LOCKAGE_SCHEMA] [default: the connection's]
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,

    /// How long connecting may take [env: LOCKAGE_CONNECT_TIMEOUT] [default: 10s]
    #[arg(long, value_name = "TIME")]
    connect_timeout: Option<String>,

    /// The lock, by number [env: LOCKAGE_LOCK_ID] [default: 4006]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        conflicts_with = "lock_name"
    )]
    lock_id: Option<String>,

    /// The lock, by name [env: LOCKAGE_LOCK_NAME]
    #[arg(long, value_name = "S")]
    lock_name: Option<String>,

    /// Takes the locks of other tools too: their names, `auto` for those whose tables are in the database, or `lock:` and the engine's
    /// own number or name of a lock [env: LOCKAGE_ALIGN]
    #[arg(long, value_name = "TOOL", num_args = 1.., value_delimiter = ',')]
    align: Vec<String>,

    /// How the lock is made: auto, advisory, transaction or table; the same for every run on a database [env:
    /// LOCKAGE_LOCK_STRATEGY] [default: auto]
    #[arg(long, value_name = "HOW")]
    lock_strategy: Option<String>,
}

impl DatabaseArgs {
    pub(crate) fn settings(&self, layer: &mut Layer) {
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
    /// How long to wait for the lock: a time, `no` or `forever` [env: LOCKAGE_WAIT] [default: 60s]
    #[arg(long, value_name = "TIME", conflicts_with = "no_wait")]
    wait: Option<String>,

    /// Gives up at once when another run holds the lock
    #[arg(long)]
    no_wait: bool,

    /// How long a statement may wait for a table before it is taken back and tried again: a time or `none` [env:
    /// LOCKAGE_DDL_LOCK_TIMEOUT] [default: 5s]
    #[arg(long, value_name = "TIME")]
    ddl_lock_timeout: Option<String>,

    /// How long a statement may run: a time or `none` [env: LOCKAGE_STATEMENT_TIMEOUT] [default: none]
    #[arg(long, value_name = "TIME")]
    statement_timeout: Option<String>,
}

impl WriteArgs {
    pub(super) fn settings(&self, layer: &mut Layer) {
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

/// What a command puts up with.
#[derive(Args)]
pub(crate) struct ToleranceArgs {
    /// Takes migrations that are older than an applied one as pending, instead of as an error [env: LOCKAGE_OUT_OF_ORDER]
    #[arg(long)]
    out_of_order: bool,

    /// Refuses a database that is ahead of the files [env: LOCKAGE_STRICT]
    #[arg(long)]
    strict: bool,
}

impl ToleranceArgs {
    pub(super) fn settings(&self, layer: &mut Layer) {
        layer.switch(Setting::OutOfOrder, self.out_of_order);
        layer.switch(Setting::Strict, self.strict);
    }
}

/// What a command takes that looks and does not write.
#[derive(Args)]
pub(crate) struct LookArgs {
    #[command(flatten)]
    tolerance: ToleranceArgs,
    #[command(flatten)]
    database: DatabaseArgs,
}

impl LookArgs {
    pub(crate) fn settings(&self, layer: &mut Layer) {
        self.tolerance.settings(layer);
        self.database.settings(layer);
    }
}
