//! How holders and history rows name this process.

/// Returns the name of this host, as holders and history rows show it.
pub fn client_host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// Returns the text of the column `applied_by`: `user@host pid`, at most 200 characters.
pub(crate) fn applied_by(user: Option<&str>) -> String {
    let text = format!(
        "{}@{} {}",
        user.unwrap_or("lockage"),
        client_host(),
        std::process::id()
    );
    text.chars().take(200).collect()
}
