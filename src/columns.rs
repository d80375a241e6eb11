//! Tables for a terminal: columns two blanks apart, words on the left of their column and numbers on the right.

use comfy_table::{CellAlignment, Table, presets};

/// The blanks between two columns.
const APART: u16 = 2;

/// A table that grows by rows.
pub(crate) struct Columns(Table);

impl Columns {
    /// A table with these titles; the columns from number `figures` on hold numbers.
    pub(crate) fn new(titles: &[&str], figures: usize) -> Columns {
        let mut table = Table::new();
        table
            .load_preset(presets::NOTHING)
            .set_header(titles.iter().copied());
        for (number, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, APART));
            if number >= figures {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Columns(table)
    }

    /// Adds a row. It may have fewer cells than there are columns.
    pub(crate) fn row<C: ToString>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.0.add_row(cells.into_iter().map(|cell| cell.to_string()));
    }

    /// The lines of the table, each with its line break and without blanks at its end.
    pub(crate) fn text(&self) -> String {
        self.0.trim_fmt() + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut columns = Columns::new(&["queue", "calls"], 1);
        columns.row(["support", "7"]);
        columns.row(["überlänge", "12345678"]);
        columns.row(["-"]);
        assert_eq!(
            columns.text(),
            "queue         calls\nsupport           7\nüberlänge  12345678\n-\n"
        );
    }
}
