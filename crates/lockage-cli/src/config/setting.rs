//! The settings that flags, environment and files share.

/// A setting that several sources can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Setting {
    Url,
    Password,
    PasswordFile,
    Dir,
    Schema,
    LockId,
    LockName,
    LockStrategy,
    ForeignLocks,
    Wait,
    ConnectTimeout,
    DdlLockTimeout,
    StatementTimeout,
    Create,
    OutOfOrder,
    Strict,
}

impl Setting {
    pub(super) const ALL: [Self; 16] = [
        Self::Url,
        Self::Password,
        Self::PasswordFile,
        Self::Dir,
        Self::Schema,
        Self::LockId,
        Self::LockName,
        Self::LockStrategy,
        Self::ForeignLocks,
        Self::Wait,
        Self::ConnectTimeout,
        Self::DdlLockTimeout,
        Self::StatementTimeout,
        Self::Create,
        Self::OutOfOrder,
        Self::Strict,
    ];

    /// Returns the environment variables of the setting. The first that is set wins.
    pub(super) fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Url => &["LOCKAGE_URL", "DATABASE_URL"],
            Self::Password => &["LOCKAGE_PASSWORD"],
            Self::PasswordFile => &["LOCKAGE_PASSWORD_FILE"],
            Self::Dir => &["LOCKAGE_DIR"],
            Self::Schema => &["LOCKAGE_SCHEMA"],
            Self::LockId => &["LOCKAGE_LOCK_ID"],
            Self::LockName => &["LOCKAGE_LOCK_NAME"],
            Self::LockStrategy => &["LOCKAGE_LOCK_STRATEGY"],
            Self::ForeignLocks => &["LOCKAGE_ALIGN"],
            Self::Wait => &["LOCKAGE_WAIT"],
            Self::ConnectTimeout => &["LOCKAGE_CONNECT_TIMEOUT"],
            Self::DdlLockTimeout => &["LOCKAGE_DDL_LOCK_TIMEOUT"],
            Self::StatementTimeout => &["LOCKAGE_STATEMENT_TIMEOUT"],
            Self::Create => &["LOCKAGE_CREATE"],
            Self::OutOfOrder => &["LOCKAGE_OUT_OF_ORDER"],
            Self::Strict => &["LOCKAGE_STRICT"],
        }
    }

    /// Returns the flag without the dashes, which is also the key in `lockage.toml`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Password => "password",
            Self::PasswordFile => "password-file",
            Self::Dir => "dir",
            Self::Schema => "schema",
            Self::LockId => "lock-id",
            Self::LockName => "lock-name",
            Self::LockStrategy => "lock-strategy",
            Self::ForeignLocks => "align",
            Self::Wait => "wait",
            Self::ConnectTimeout => "connect-timeout",
            Self::DdlLockTimeout => "ddl-lock-timeout",
            Self::StatementTimeout => "statement-timeout",
            Self::Create => "create",
            Self::OutOfOrder => "out-of-order",
            Self::Strict => "strict",
        }
    }
}
