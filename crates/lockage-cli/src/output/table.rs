//! Tables on standard output.

use comfy_table::{
    Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Row, Table, Width, presets,
};

use super::command_output::Style;

/// Creates a table without borders, which is readable and also easy to cut into columns.
pub(crate) fn new_table(style: Style, header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // A terminal that does not know its width reports zero.
    if style.terminal && table.width() != Some(0) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    if style.color {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(
        header
            .iter()
            .map(|title| Cell::new(title).add_attribute(Attribute::Bold)),
    );
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// The white space after a column.
const PADDING: usize = 2;

/// Formats a table. On a terminal, lines break between words; columns that do not fit then are left out, the last ones first.
pub(crate) fn format_table(mut table: Table) -> String {
    let width = table.width().map(usize::from);
    if let (ContentArrangement::Dynamic, Some(width)) = (table.content_arrangement(), width) {
        let words = longest_words(&table);
        let mut needed: usize = words.iter().map(|word| word + PADDING).sum();
        for (index, word) in words.iter().enumerate().rev() {
            // The first columns identify the row.
            let fits = needed <= width + PADDING || index < 2;
            let Some(column) = table.column_mut(index) else {
                continue;
            };
            let least = u16::try_from(word + PADDING).unwrap_or(u16::MAX);
            column.set_constraint(match fits {
                true => ColumnConstraint::LowerBoundary(Width::Fixed(least)),
                false => ColumnConstraint::Hidden,
            });
            if !fits {
                needed -= word + PADDING;
            }
        }
    }
    table.trim_fmt()
}

/// Returns the length of the longest word in each column, its title included.
fn longest_words(table: &Table) -> Vec<usize> {
    let rows: Vec<&Row> = table.header().into_iter().chain(table.row_iter()).collect();
    let columns = rows.iter().map(|row| row.cell_count()).max().unwrap_or(0);
    let mut words = vec![0; columns];
    for row in rows {
        for (longest, cell) in words.iter_mut().zip(row.cell_iter()) {
            let content = cell.content();
            let lengths = content.split_whitespace().map(|word| word.chars().count());
            *longest = lengths.max().unwrap_or(0).max(*longest);
        }
    }
    words
}

/// Creates a coloured cell.
pub(crate) fn colored(text: impl ToString, color: Color) -> Cell {
    Cell::new(text).fg(color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_not_broken_at_80_columns() {
        let style = Style {
            color: false,
            terminal: true,
        };
        let header = ["version", "name", "kind", "state", "when", "took", "by"];
        let row = [
            "20250102030405",
            "create the table of all orders of a customer",
            "versioned",
            "applied",
            "2026-01-31T09:30:00Z",
            "12 ms",
            "deploy@build-host-17.example.org",
        ];
        for width in [40, 60, 80, 100, 200] {
            let mut table = new_table(style, &header);
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width);
            table.add_row(row);
            let text = format_table(table);
            let known: Vec<&str> = header
                .iter()
                .chain(&row)
                .flat_map(|cell| cell.split(' '))
                .collect();
            for word in text.split_whitespace() {
                assert!(known.contains(&word), "{width}: {word} in\n{text}");
            }
            assert!(text.contains("20250102030405"), "{text}");
            let longest = text.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(usize::from(width)), "{width}:\n{text}");
        }
    }
}
