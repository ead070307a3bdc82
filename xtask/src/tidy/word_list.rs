//! The words that texts must not use, and the exceptions.

/// A word or phrase, in lower case, and a better one.
pub(super) type BannedWord = (&'static str, &'static str);

/// The banned words. Phrases match across line breaks.
pub(super) const BANNED_WORDS: &[BannedWord] = &[
    // Passive or impersonal reports.
    (
        "told",
        "reported, or name the actor: \"Lockage reports ...\"",
    ),
    ("tells", "reports, returns, prints"),
    ("whoever", "name the actor: the caller, the session"),
    (
        "somebody",
        "name the actor: another session, another process",
    ),
    ("nobody", "name the actor: no client, no session"),
    ("anybody", "name the actor: any session, any process"),
    // Verbs for \"is\".
    ("stands", "is, exists"),
    ("stands in", "is in"),
    ("stood", "was, existed"),
    // Prepositions and adverbs.
    ("anew", "again; use retry, reconnect or recreate"),
    ("afresh", "again; use retry, reconnect or recreate"),
    ("at once", "immediately, or at the same time"),
    ("in hand", "running, current"),
    ("behind it", "after it"),
    ("behind them", "after them"),
    ("behind that", "after that"),
    ("behind what", "after the statements that"),
    ("stand behind", "follow"),
    ("of ours", "name the owner: Lockage's, internal"),
    ("as far as", "if, up to"),
    ("be it", "whether, or list the alternatives"),
    ("that there is", "name the thing: every file, all rows"),
    ("that there are", "name the things"),
    // Verbs of the old language.
    ("taken back", "rolled back, undone"),
    ("take back", "roll back, undo"),
    ("takes back", "rolls back, undoes"),
    ("taking back", "rolling back, undoing"),
    ("give back", "release"),
    ("gives back", "releases"),
    ("gave back", "released"),
    ("given back", "released"),
    ("giving back", "releasing"),
    ("give up", "time out, abandon, release"),
    ("gives up", "times out, abandons, releases"),
    ("gave up", "timed out, abandoned, released"),
    ("given up", "abandoned, released"),
    ("giving up", "timing out, abandoning"),
    ("looked after", "monitored"),
    ("looks after", "monitors"),
    ("looked at", "read, probed, inspected"),
    ("looks at", "reads, probes, inspects"),
    ("mend", "repair"),
    ("mends", "repairs"),
    ("mended", "repaired"),
    ("settle", "resolve"),
    ("settles", "resolves"),
    ("settled", "resolved"),
    // Metaphors.
    ("neighbour", "foreign lock, other tool"),
    ("neighbours", "foreign locks, other tools"),
    ("keepsake", "session state"),
    ("luggage", "session state"),
    ("gangway", "name the mechanism"),
    ("convoy", "pipelined statements"),
    ("lookout", "monitor"),
    ("island", "network namespace"),
    ("voyage", "name the process"),
    ("glimpse", "read, probe"),
    ("witness", "probe, test table"),
    ("heart", "lease renewer"),
    ("manner", "statement mode"),
];

/// The exceptions: a path and a banned word that is right there.
pub(super) const ALLOWED_WORDS: &[(&str, &str)] = &[];

/// The marker of an exception in a line of source text: `tidy: allow(word)`.
pub(super) fn has_allow_marker(line: &str, word: &str) -> bool {
    line.split("tidy: allow(")
        .skip(1)
        .any(|rest| rest.split(')').next() == Some(word))
}
