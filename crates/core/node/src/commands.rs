//! Routes commands to the files that know them.

use printmesh_queue::Role;

use crate::{command::Command, effect::Answer, node::Node, problem::Problem};

impl Node {
    pub(crate) fn command(&mut self, id: u64, command: Command) {
        // `Ok(None)`: the answer comes later.
        let result = self.carry_out(id, command);
        match result {
            Ok(Some(answer)) => self.reply(id, Ok(answer)),
            Ok(None) => {}
            Err(problem) => self.reply(id, Err(problem)),
        }
    }

    fn carry_out(&mut self, id: u64, command: Command) -> Result<Option<Answer>, Problem> {
        let answer = match command {
            Command::QueueCreate { name } => {
                self.queue_create(&name, false)?;
                Answer::Queue(name)
            }
            Command::LanQueue => {
                self.lan_join(id, true, None);
                return Ok(None);
            }
            Command::QueueShare {
                queue,
                role,
                expires_ms,
                uses,
                with_key,
            } => self.queue_share(&queue, role, expires_ms, uses, with_key)?,
            Command::TicketRevoke { queue, ticket } => self.ticket_revoke(&queue, &ticket)?,
            Command::MemberRole {
                queue,
                member,
                role,
            } => self.member_role(&queue, &member, role)?,
            Command::QueueRotateKey { queue, remove } => self.queue_rotate(&queue, &remove)?,
            Command::MemberRelease { queue, member } => self.member_release(&queue, &member)?,
            Command::MemberRemove { queue, member } => self.member_remove(&queue, &member)?,
            Command::QueueOpen {
                queue,
                role,
                for_ms,
            } => self.queue_open(&queue, role, for_ms)?,
            Command::QueueJoin {
                ticket,
                as_name,
                wan,
            } => {
                self.queue_join(id, ticket, as_name, wan)?;
                return Ok(None);
            }
            Command::QueueAsk { as_name } => {
                if let Some(name) = &as_name {
                    self.check_queue_name(name)?;
                }
                self.lan_join(id, false, as_name);
                return Ok(None);
            }
            Command::QueueLeave { queue } => return self.queue_leave(id, &queue),
            Command::QueueRename { queue, name } => self.queue_rename(&queue, &name)?,
            Command::QueueSet { queue, values } => self.queue_set(&queue, &values)?,
            Command::QueueOrder { queues } => self.queue_order(&queues)?,
            Command::HeatFree { queue, printer } => self.free_heat(&queue, &printer)?,
            Command::VotersSet { queue, hosts } => {
                self.voters_set(id, &queue, &hosts)?;
                return Ok(None);
            }
            Command::VotersAuto { queue } => self.voters_auto(&queue)?,
            Command::QueueRecover { queue, confirm } => self.queue_recover(&queue, &confirm)?,
            Command::MemberApprove {
                queue,
                member,
                role,
            } => self.member_approve(&queue, &member, role)?,
            Command::MemberDeny { queue, member } => self.member_deny(&queue, &member)?,
            Command::JobSubmit(job) => self.job_submit(job)?,
            Command::JobEdit { job, edit } => {
                self.job_edit(id, &job, edit)?;
                return Ok(None);
            }
            Command::JobMove { job, to, place } => {
                self.job_move(id, &job, to.as_deref(), &place)?;
                return Ok(None);
            }
            Command::JobCancel { job } => {
                self.job_cancel(id, &job)?;
                return Ok(None);
            }
            Command::JobStop { job } => {
                self.job_stop(id, &job)?;
                return Ok(None);
            }
            Command::JobStart { job, printer } => self.job_start(&job, &printer)?,
            Command::JobHold { job } => self.job_hold(&job, true)?,
            Command::JobRelease { job } => self.job_hold(&job, false)?,
            Command::JobResolve { copy, resolve } => self.job_resolve(&copy, resolve)?,
            Command::PrinterAdd { name, at } => {
                self.printer_add(id, name, at)?;
                return Ok(None);
            }
            Command::PrinterReady { printers, good } => self.printer_ready(&printers, good)?,
            Command::PrinterPause { printer, reason } => {
                self.printer_pause(&printer, Some(reason))?
            }
            Command::PrinterResume { printer } => self.printer_pause(&printer, None)?,
            Command::PrinterEdit { printer, edit } => self.printer_edit(&printer, edit)?,
            Command::PrinterRemove { printer } => self.printer_remove(&printer)?,
            Command::Match { ask, plan } => self.match_start(&ask, &plan)?,
            Command::Autoprint { printers, on } => self.autoprint(&printers, on, None)?,
            Command::AutoprintFor { printers, cycles } => {
                self.autoprint(&printers, true, Some(cycles))?
            }
        };
        Ok(Some(answer))
    }
}

/// Role that `queue share` and `member approve` give when nothing is said: prints, and may change anybody's jobs.
pub const DEFAULT_ROLE: Role = Role::Operator;
