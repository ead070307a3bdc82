//! What a statement can reach in the database beyond the objects that it names: through triggers, views and routines.

use std::collections::{BTreeMap, BTreeSet};

use lockage_core::Result;
use lockage_sql::Row;

use crate::dialect::literal;
use crate::driver::DriverConnection;
use crate::statement::mentioned_names;

/// The tables without transactions, and the texts of triggers, views and routines, in some schemas. Names of objects are in lower
/// case.
#[derive(Debug, Default)]
pub(crate) struct SchemaCode {
    /// The names of the schemas that were read.
    read: BTreeSet<String>,
    /// The schemas of the server that this user may see, by name in lower case. Schemas of the server itself that no statement can
    /// write are left out.
    schemas: BTreeMap<String, String>,
    nontransactional_tables: BTreeSet<String>,
    /// The texts by name: of a view, of a routine, or of the triggers of a table. A text is `None` if this user may not see it.
    texts: BTreeMap<String, Vec<(Kind, Option<String>)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    View,
    /// A trigger or a routine, which can run any statement.
    Routine,
}

/// What a statement can reach.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// It may write a table whose engine has no transactions.
    pub(crate) nontransactional: bool,
    /// It may run a trigger or a routine.
    pub(crate) routines: bool,
}

impl SchemaCode {
    /// Reads the current schema and others. The texts of this many schemas are read in one round trip.
    pub(crate) async fn read(
        driver: &mut DriverConnection,
        schemas: &BTreeSet<String>,
    ) -> Result<Self> {
        let list: Vec<String> = schemas.iter().map(|schema| literal(schema)).collect();
        let list = format!("(DATABASE(), {})", list.join(", "));
        let sql = format!(
            "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA \
             WHERE SCHEMA_NAME NOT IN ('information_schema', 'performance_schema', 'sys'); \
             SELECT LOWER(t.TABLE_NAME) FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
             WHERE t.TABLE_SCHEMA IN {list} AND e.TRANSACTIONS <> 'YES' AND t.TABLE_TYPE IN ('BASE TABLE', 'SEQUENCE'); \
             SELECT LOWER(EVENT_OBJECT_TABLE), ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA IN {list}; \
             SELECT LOWER(ROUTINE_NAME), ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA IN {list}; \
             SELECT LOWER(TABLE_NAME), NULLIF(VIEW_DEFINITION, '') FROM information_schema.VIEWS WHERE TABLE_SCHEMA IN {list}; \
             SELECT DATABASE()"
        );
        let mut sets = driver.query_sets(&sql).await?.into_iter();
        let mut next = || sets.next().unwrap_or_default();
        let (names, tables) = (next(), next());
        let mut code = Self {
            read: schemas.clone(),
            schemas: first_column(names)
                .map(|name| (name.to_lowercase(), name))
                .collect(),
            nontransactional_tables: first_column(tables).collect(),
            texts: BTreeMap::new(),
        };
        code.add_texts(Kind::Routine, next());
        code.add_texts(Kind::Routine, next());
        code.add_texts(Kind::View, next());
        code.read.extend(first_column(next()));
        Ok(code)
    }

    fn add_texts(&mut self, kind: Kind, rows: Vec<Row>) {
        for row in rows {
            let mut columns = row.into_iter();
            if let Some(name) = columns.next().flatten() {
                let text = columns.next().flatten();
                self.texts.entry(name).or_default().push((kind, text));
            }
        }
    }

    /// Returns whether this cannot say anything about the statement: no code and no such table exists, and no other schema is named.
    fn is_irrelevant(&self, statement: &str) -> bool {
        self.texts.is_empty() && self.nontransactional_tables.is_empty() && !statement.contains('.')
    }

    /// Follows the names in a statement to all that it can reach. `None`: its text is unknown.
    ///
    /// # Errors
    /// The schemas that must be read before.
    pub(crate) fn reach(&self, statement: Option<&str>) -> Result<Reach, BTreeSet<String>> {
        let mut reach = Reach::default();
        let Some(statement) = statement else {
            return Ok(Reach {
                nontransactional: !self.nontransactional_tables.is_empty(),
                routines: true,
            });
        };
        if self.is_irrelevant(statement) {
            return Ok(reach);
        }
        let mut is_unknown = false;
        let mut missing = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut names: Vec<String> = mentioned_names(statement).collect();
        // Dynamic SQL in a block.
        is_unknown |= names.iter().any(|word| word == "execute");
        while let Some(name) = names.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            if let Some(schema) = self.schemas.get(&name)
                && !self.read.contains(schema)
            {
                missing.insert(schema.clone());
            }
            reach.nontransactional |= self.nontransactional_tables.contains(&name);
            for (kind, text) in self.texts.get(&name).into_iter().flatten() {
                reach.routines |= *kind == Kind::Routine;
                match text {
                    Some(text) => {
                        let in_text: Vec<String> = mentioned_names(text).collect();
                        // Dynamic SQL can write anything.
                        is_unknown |=
                            *kind == Kind::Routine && in_text.iter().any(|word| word == "execute");
                        names.extend(in_text);
                    }
                    None => is_unknown = true,
                }
            }
        }
        if !missing.is_empty() {
            missing.extend(self.read.iter().cloned());
            return Err(missing);
        }
        reach.nontransactional |= is_unknown && !self.nontransactional_tables.is_empty();
        Ok(reach)
    }
}

fn first_column(rows: Vec<Row>) -> impl Iterator<Item = String> {
    rows.into_iter().filter_map(|row| row.into_iter().next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> SchemaCode {
        let text = |text: &str| Some(text.to_owned());
        SchemaCode {
            read: BTreeSet::from(["app".into()]),
            schemas: BTreeMap::from([
                ("app".into(), "app".into()),
                ("other".into(), "Other".into()),
            ]),
            nontransactional_tables: BTreeSet::from(["old".into()]),
            texts: BTreeMap::from([
                (
                    "t".into(),
                    vec![(Kind::Routine, text("insert into Old values (1)"))],
                ),
                (
                    "v".into(),
                    vec![(Kind::View, text("select `app`.`t`.`n` from `app`.`t`"))],
                ),
                (
                    "f".into(),
                    vec![(Kind::Routine, text("begin call g(); return 1; end"))],
                ),
                (
                    "g".into(),
                    vec![(Kind::Routine, text("insert into plain values (1)"))],
                ),
                (
                    "dynamic".into(),
                    vec![(Kind::Routine, text("prepare s from @x; execute s"))],
                ),
                ("hidden".into(), vec![(Kind::Routine, None)]),
                (
                    "far".into(),
                    vec![(Kind::Routine, text("insert into other.x values (1)"))],
                ),
            ]),
        }
    }

    #[test]
    fn reach_follows_triggers_views_and_routines() {
        let code = code();
        let reach = |text: &str| {
            let reach = code.reach(Some(text)).unwrap();
            (reach.nontransactional, reach.routines)
        };
        assert_eq!(reach("insert into plain values (1)"), (false, false));
        assert_eq!(reach("insert into old values (1)"), (true, false));
        assert_eq!(reach("INSERT INTO `T` VALUES (1)"), (true, true));
        assert_eq!(reach("update v set n = 1"), (true, true));
        assert_eq!(reach("do f()"), (false, true));
        assert_eq!(reach("call dynamic()"), (true, true));
        assert_eq!(reach("set @x = hidden()"), (true, true));
        assert_eq!(reach("insert into plain values ('t')"), (false, false));
        assert!(code.reach(None).unwrap().nontransactional);
        assert!(
            code.reach(Some("call far()"))
                .unwrap_err()
                .contains("Other")
        );
    }
}
