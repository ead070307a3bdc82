use std::fmt;

use lockage_core::BoxFuture;

use crate::case_context::CaseContext;
use crate::{Ability, TestError};

/// A guarantee and the function that tests it.
#[derive(Clone, Copy)]
pub struct Case {
    name: &'static str,
    needs: &'static [Ability],
    pub(crate) run: for<'a> fn(&'a CaseContext) -> BoxFuture<'a, Result<(), TestError>>,
}

impl Case {
    pub(crate) const fn new(
        name: &'static str,
        needs: &'static [Ability],
        run: for<'a> fn(&'a CaseContext) -> BoxFuture<'a, Result<(), TestError>>,
    ) -> Self {
        Self { name, needs, run }
    }

    /// Returns the name: `lock::exclusive_while_held_and_free_after_release`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the abilities that the case needs in addition to [`Ability::Engine`].
    pub fn needs(&self) -> &'static [Ability] {
        self.needs
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
