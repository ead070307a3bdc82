//! The decision of the rules about a statement.

/// Whether the following tokens of a statement matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrackWords {
    On,
    /// The statement contains no others.
    Off,
}
