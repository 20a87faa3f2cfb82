//! Whether a printer of this host starts prints by itself, and for how many copies before a person is asked again.

use crate::{
    effect::Answer,
    event::Event,
    node::Node,
    problem::{Code, Problem},
};

impl Node {
    /// `autoprint on` and `autoprint off`; `cycles` is how many copies are printed before it switches itself off.
    ///
    /// # Errors
    /// `printer.unknown`; `number.bad` for no copy at all.
    pub(crate) fn autoprint(
        &mut self,
        names: &[String],
        on: bool,
        cycles: Option<u32>,
    ) -> Result<Answer, Problem> {
        if cycles == Some(0) {
            let title = "a printer that prints no copy by itself has autoprint off";
            return Err(Problem::new(Code::BadNumber, title)
                .fix("printmesh autoprint off", "start nothing by itself"));
        }
        let chosen = self.own_printers(names)?;
        let mut changed = Vec::new();
        for name in chosen {
            let Some(printer) = self.printers.get_mut(&name) else {
                continue;
            };
            if (printer.entry.autoprint, printer.entry.cycles_left) == (on, cycles) {
                continue;
            }
            printer.entry.autoprint = on;
            printer.entry.cycles_left = cycles;
            self.save_printer(&name);
            if !on {
                self.give_back(
                    &name,
                    "the printer does not start prints by itself any more",
                );
            }
            changed.push(name);
        }
        let word = match (on, cycles) {
            (false, _) => "off".to_owned(),
            (true, None) => "on".to_owned(),
            (true, Some(1)) => "on for 1 copy".to_owned(),
            (true, Some(n)) => format!("on for {n} copies"),
        };
        let text = match changed.as_slice() {
            [] => format!("autoprint was {word} already"),
            names => format!("autoprint is {word}: {}", names.join(", ")),
        };
        Ok(Answer::Done {
            already: changed.is_empty(),
            text,
        })
    }

    /// A copy has ended on a printer, however it did. One that a person asked for does not count. The caller saves the printer.
    pub(crate) fn count_cycle(&mut self, name: &str) {
        let Some(printer) = self.printers.get_mut(name) else {
            return;
        };
        let asked = printer.work.as_ref().is_none_or(|work| work.asked);
        let Some(left) = printer.entry.cycles_left.filter(|_| !asked) else {
            return;
        };
        if left > 1 {
            printer.entry.cycles_left = Some(left - 1);
            return;
        }
        printer.entry.cycles_left = None;
        printer.entry.autoprint = false;
        tracing::info!(printer = name, "printed as many copies as it may by itself");
        let printer = Some(self.printer_id(name));
        self.tell(Event {
            printer,
            state: Some("off".into()),
            text: Some("it has printed as many copies as it may by itself".into()),
            ..Event::new("printer.autoprint")
        });
    }
}
