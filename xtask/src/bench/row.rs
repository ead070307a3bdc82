/// A result of the benchmark, with its target on an idle machine.
pub(super) struct BenchRow {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) target: &'static str,
}
