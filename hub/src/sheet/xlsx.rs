//! The same tables as an Office Open XML workbook. Words are stored as words: nothing in it is a formula.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet};

use super::{Book, Cell, Sheet};

/// What a workbook is served as.
pub const MEDIA_TYPE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

/// Longest text of a cell in a workbook, in characters; the rest of a longer one is left out.
const CELL_CHARACTERS_MAX: usize = 32_000;
/// Narrowest and widest column, in characters.
const WIDTH: (usize, usize) = (6, 48);
/// How many rows are looked at for the width of a column.
const ROWS_MEASURED_MAX: usize = 200;

/// Why there is no workbook.
#[derive(Debug, thiserror::Error)]
#[error("the workbook cannot be written")]
pub struct SheetError(#[from] rust_xlsxwriter::XlsxError);

/// The book's bytes.
pub fn xlsx(book: &Book) -> Result<Vec<u8>, SheetError> {
    let day = book.day;
    let (year, month, date) = (day.year().unsigned_abs(), day.month(), day.day());
    let made = ExcelDateTime::from_ymd(year, month.unsigned_abs(), date.unsigned_abs())?;
    let about = DocProperties::new().set_title(&book.title).set_creation_datetime(&made);
    let mut workbook = Workbook::new();
    workbook.set_properties(&about);
    for sheet in &book.sheets {
        write(workbook.add_worksheet(), sheet)?;
    }
    Ok(workbook.save_to_buffer()?)
}

fn write(to: &mut Worksheet, sheet: &Sheet) -> Result<(), SheetError> {
    let head = Format::new().set_bold().set_text_wrap().set_align(FormatAlign::Top);
    let words = Format::new().set_text_wrap().set_align(FormatAlign::Top);
    let count = Format::new().set_num_format("#,##0").set_align(FormatAlign::Top);
    let share = Format::new().set_num_format("0.00%").set_align(FormatAlign::Top);
    let tenths = Format::new().set_num_format("0.0").set_align(FormatAlign::Top);
    to.set_name(&sheet.name)?;
    for (column, text) in (0u16..).zip(&sheet.heads) {
        to.write_string_with_format(0, column, text, &head)?;
        to.set_column_width(column, width(sheet, column.into()) as f64)?;
    }
    for (row, cells) in (1u32..).zip(&sheet.rows) {
        for (column, cell) in (0u16..).zip(cells) {
            match cell {
                Cell::Empty => {}
                Cell::Text(text) => {
                    let text: String = text.chars().take(CELL_CHARACTERS_MAX).collect();
                    to.write_string_with_format(row, column, text, &words)?;
                }
                Cell::Count(it) => {
                    to.write_number_with_format(row, column, *it as f64, &count)?;
                }
                Cell::Share { part, whole } => {
                    if let Some(it) = Cell::hundredths(*part, *whole) {
                        to.write_number_with_format(row, column, it as f64 / 10_000.0, &share)?;
                    }
                }
                Cell::Tenths(it) => {
                    to.write_number_with_format(row, column, *it as f64 / 10.0, &tenths)?;
                }
            }
        }
    }
    to.set_freeze_panes(1, 1)?;
    to.set_landscape().set_paper_size(9).set_print_fit_to_pages(1, 0).set_repeat_rows(0, 0)?;
    Ok(())
}

/// As wide as its longest cell asks for; a Chinese character takes two places.
fn width(sheet: &Sheet, column: usize) -> usize {
    let places =
        |text: &str| text.chars().map(|it| if it.is_ascii() { 1 } else { 2 }).sum::<usize>();
    let rows = sheet.rows.iter().take(ROWS_MEASURED_MAX);
    let cells = rows.filter_map(|it| it.get(column)).map(|it| places(&it.shown()));
    // Heads may break; their longest word may not.
    let head = sheet.heads.get(column).map_or("", String::as_str);
    let head = head.split(' ').map(places).max().unwrap_or(0);
    (cells.max().unwrap_or(0).max(head) + 2).clamp(WIDTH.0, WIDTH.1)
}
