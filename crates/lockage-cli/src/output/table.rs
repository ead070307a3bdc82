//! Tables on standard output.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};

use super::Style;

/// A table without lines: it is read by people and cut by columns.
pub(crate) fn table(style: Style, head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // A terminal that does not know its width says that it has none.
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
        head.iter()
            .map(|title| Cell::new(title).add_attribute(Attribute::Bold)),
    );
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// A cell in a colour.
pub(crate) fn colored(text: impl ToString, color: Color) -> Cell {
    Cell::new(text).fg(color)
}
