//! Text from plain values: tables, facts and lines, for a terminal or for a pipe. Knows nothing about printing.
//!
//! A terminal gets headings, alignment, colour and lines cut to its width; a pipe gets tabs, no heading, nothing cut.

use clap::builder::styling::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Where the text goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Medium {
    /// Columns of the terminal; `None` = a pipe.
    pub(crate) width: Option<usize>,
    /// Whether colour is wanted.
    pub(crate) colour: bool,
}

/// What a cell means, shown as colour beside its word, never instead of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// Going well.
    Good,
    /// Somebody should look.
    Warn,
    /// Went wrong.
    Bad,
    /// Less important.
    Dim,
    /// An id whose first characters are enough to type.
    Prefix(usize),
}

/// One value: what a person reads and what a program reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    human: String,
    plain: String,
    tone: Tone,
}

impl Cell {
    /// The same text for both.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        let human = text.into();
        Self {
            plain: human.clone(),
            human,
            tone: Tone::Plain,
        }
    }

    /// Short for people, exact for programs.
    pub(crate) fn both(human: impl Into<String>, plain: impl Into<String>) -> Self {
        Self {
            human: human.into(),
            plain: plain.into(),
            tone: Tone::Plain,
        }
    }

    /// `-` for people and nothing for programs when there is no value.
    pub(crate) fn maybe(text: Option<impl Into<String>>) -> Self {
        text.map_or_else(|| Self::both("-", ""), Self::new)
    }

    /// Gives it a meaning.
    #[must_use]
    pub(crate) fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::new(text)
    }
}

/// A piece of an answer.
#[derive(Clone, Debug)]
pub(crate) enum Block {
    /// Rows under headings.
    Table(Table),
    /// Names and values, one pair per line.
    Facts(Vec<(&'static str, Cell)>),
    /// One line for both.
    Line(Cell),
    /// A sentence for people, its values for programs.
    Record {
        /// The sentence.
        human: String,
        /// The values, tab-separated in a pipe.
        plain: Vec<String>,
    },
    /// One line that only people get: what to do next, how fresh this is.
    Note(String),
}

/// Rows under headings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    /// First field of every row in a pipe, when an answer has several tables.
    pub(crate) label: Option<&'static str>,
    /// Headings; a heading that is empty has a column that only programs get.
    pub(crate) head: Vec<&'static str>,
    /// Rows as wide as the head.
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// Everything as text, each line ended.
pub(crate) fn to_text(blocks: &[Block], medium: Medium) -> String {
    let mut out = String::new();
    for block in blocks {
        match (block, medium.width) {
            (Block::Table(table), Some(width)) => {
                out += &for_people(table, width, medium.colour);
            }
            (Block::Table(table), None) => {
                for row in &table.rows {
                    let label = table.label.map(str::to_owned);
                    let cells = row
                        .iter()
                        .map(|cell| paint(&clean(&cell.plain), cell.tone, medium.colour));
                    let cells: Vec<_> = label.into_iter().chain(cells).collect();
                    out += &cells.join("\t");
                    out.push('\n');
                }
            }
            (Block::Facts(facts), Some(_)) => {
                let width = facts
                    .iter()
                    .map(|(name, _)| name.width())
                    .max()
                    .unwrap_or(0);
                for (name, cell) in facts {
                    let gap = " ".repeat(width - name.width());
                    let name = paint(name, Tone::Dim, medium.colour);
                    let value = paint(&clean(&cell.human), cell.tone, medium.colour);
                    out += &format!("  {name}{gap}  {value}\n");
                }
            }
            (Block::Facts(facts), None) => {
                for (name, cell) in facts {
                    out += &format!("{name}\t{}\n", clean(&cell.plain));
                }
            }
            (Block::Line(cell), Some(_)) => {
                out += &paint(&clean(&cell.human), cell.tone, medium.colour);
                out.push('\n');
            }
            (Block::Line(cell), None) => out += &format!("{}\n", clean(&cell.plain)),
            (Block::Record { human, .. }, Some(_)) => out += &format!("{}\n", clean(human)),
            (Block::Record { plain, .. }, None) => {
                let values: Vec<_> = plain.iter().map(|value| clean(value)).collect();
                out += &format!("{}\n", values.join("\t"));
            }
            (Block::Note(text), Some(_)) => out += &format!("{}\n", clean(text)),
            (Block::Note(_), None) => {}
        }
    }
    out
}

fn for_people(table: &Table, width: usize, colour: bool) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let shown: Vec<usize> = (0..table.head.len())
        .filter(|&column| !table.head[column].is_empty())
        .collect();
    let rows: Vec<Vec<String>> = table
        .rows
        .iter()
        .map(|row| {
            shown
                .iter()
                .map(|&column| clean(&row[column].human))
                .collect()
        })
        .collect();
    let mut widths: Vec<usize> = shown
        .iter()
        .map(|&column| table.head[column].width())
        .collect();
    for row in &rows {
        for (column, cell) in row.iter().enumerate() {
            widths[column] = widths[column].max(cell.width());
        }
    }
    narrow(&mut widths, width);

    let mut out = String::new();
    let head = shown
        .iter()
        .map(|&column| (table.head[column].to_owned(), Tone::Dim));
    out += &line(head, &widths, colour);
    for (row, cells) in table.rows.iter().zip(rows) {
        let tones = shown.iter().map(|&column| row[column].tone);
        out += &line(cells.into_iter().zip(tones), &widths, colour);
    }
    out
}

/// Takes columns from the widest one until a line fits; no column goes below a width that still says something.
fn narrow(widths: &mut [usize], width: usize) {
    const LEAST: usize = 8;
    let gaps = 2 * widths.len();
    while widths.iter().sum::<usize>() + gaps > width {
        match widths.iter_mut().max() {
            Some(widest) if *widest > LEAST => *widest -= 1,
            Some(_) | None => return,
        }
    }
}

fn line(cells: impl Iterator<Item = (String, Tone)>, widths: &[usize], colour: bool) -> String {
    let mut out = String::new();
    for ((text, tone), &width) in cells.zip(widths) {
        let text = cut(&text, width);
        out += "  ";
        out += &paint(&text, tone, colour);
        out += &" ".repeat(width - text.width());
    }
    // Trailing blanks would wrap on a terminal of just this width.
    format!("{}\n", out.trim_end_matches(' '))
}

fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

fn paint(text: &str, tone: Tone, colour: bool) -> String {
    if !colour || text.is_empty() {
        return text.to_owned();
    }
    let style = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Good => AnsiColor::Green.on_default(),
        Tone::Warn => AnsiColor::Yellow.on_default(),
        Tone::Bad => AnsiColor::Red.on_default(),
        Tone::Dim => Style::new().dimmed(),
        Tone::Prefix(length) => {
            let end = text
                .char_indices()
                .nth(length)
                .map_or(text.len(), |(at, _)| at);
            let (style, (prefix, rest)) = (Style::new().bold(), text.split_at(end));
            return format!("{style}{prefix}{style:#}{rest}");
        }
    };
    format!("{style}{text}{style:#}")
}

/// Names come from other hosts: what could steer a terminal or break a row becomes a blank or `?`.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' | '\n' | '\r' => ' ',
            // Right-to-left overrides could make one name look like another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
            c if c.is_control() => '?',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIPE: Medium = Medium {
        width: None,
        colour: false,
    };

    fn terminal(width: usize) -> Medium {
        Medium {
            width: Some(width),
            colour: false,
        }
    }

    fn jobs() -> Vec<Block> {
        vec![
            Block::Table(Table {
                label: None,
                head: vec!["JOB", "NAME", "STATE", ""],
                rows: vec![
                    vec![
                        Cell::both("kmzqtwsu", "kmzqtwsunvry").tone(Tone::Prefix(3)),
                        "bracket".into(),
                        Cell::new("printing").tone(Tone::Good),
                        "1182".into(),
                    ],
                    vec![
                        Cell::both("lqwxyzkn", "lqwxyzknaaaa"),
                        "größe 部品 with a very long name".into(),
                        Cell::maybe(None::<String>),
                        "".into(),
                    ],
                ],
            }),
            Block::Note("4 of 5 hosts in sync".to_owned()),
        ]
    }

    #[test]
    fn a_terminal_gets_headings_alignment_and_cut_cells() {
        let expected = [
            "  JOB       NAME              STATE",
            "  kmzqtwsu  bracket           printing",
            "  lqwxyzkn  größe 部品 with…  -",
            "4 of 5 hosts in sync\n",
        ];
        assert_eq!(to_text(&jobs(), terminal(38)), expected.join("\n"));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 30..80 {
            for line in to_text(&jobs(), terminal(width)).lines() {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn a_pipe_gets_tabs_and_everything() {
        let expected = "kmzqtwsunvry\tbracket\tprinting\t1182\n\
                        lqwxyzknaaaa\tgröße 部品 with a very long name\t\t\n";
        assert_eq!(to_text(&jobs(), PIPE), expected);
    }

    #[test]
    fn colour_marks_the_part_to_type() {
        let medium = Medium {
            width: Some(80),
            colour: true,
        };
        let text = to_text(&jobs(), medium);
        assert!(text.contains("\u{1b}[1mkmz\u{1b}[0mqtwsu"), "{text:?}");
        assert!(text.contains("\u{1b}[32mprinting\u{1b}[0m"), "{text:?}");
    }

    #[test]
    fn facts_align_for_people_and_tab_for_programs() {
        let facts = [Block::Facts(vec![
            ("name", "workshop".into()),
            ("identity", Cell::both("k7dm", "k7dm-94qx")),
        ])];
        let people = "  name      workshop\n  identity  k7dm\n";
        assert_eq!(to_text(&facts, terminal(80)), people);
        assert_eq!(
            to_text(&facts, PIPE),
            "name\tworkshop\nidentity\tk7dm-94qx\n"
        );
    }

    #[test]
    fn a_hostile_name_stays_one_harmless_cell() {
        assert_eq!(clean("a\tb\nc\u{1b}[2J\u{202e}x"), "a b c?[2J?x");
    }
}
