//! Tables on standard output.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

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

/// Creates a coloured cell.
pub(crate) fn colored(text: impl ToString, color: Color) -> Cell {
    Cell::new(text).fg(color)
}
