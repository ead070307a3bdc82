/// The name of this host, as holders and histories show it.
pub fn client_host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// What stands in `applied_by`: `user@host pid`.
pub(crate) fn applied_by(user: Option<&str>) -> String {
    let text = format!(
        "{}@{} {}",
        user.unwrap_or("lockage"),
        client_host(),
        std::process::id()
    );
    text.chars().take(200).collect()
}
