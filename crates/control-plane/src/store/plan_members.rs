//! Who is in a wave of a fleet plan, and how they are: fixed when the wave begins, but for those that join late.

use novacula_protocol::LogLevel;
use novacula_protocol::people::{Action, LateArrivers, MemberOutcome, WaveState};
use semver::Version;
use uuid::Uuid;

use super::activity::CONTROL_PLANE;
use super::column::Word;
use super::plan_rows as rows;
use super::plan_sights::Sight;
use super::plan_tick::Tick;
use super::sql::{OptionalExtension, params};
use super::{Sql, groups, plan_overlap};
use crate::plan_document;
use crate::rollout::member::{Member, Seen, look};
use crate::selector::takes;
use crate::window::schedule::Schedule;

impl Tick<'_> {
    pub(super) fn members(&self, wave: usize, is_whole: bool) -> Sql<Vec<Member>> {
        let closed = self.window_closed(wave);
        let known = |id: Uuid| match self.sights.by_id.get(&id) {
            Some(sight) => {
                (sight.presence, Some(sight.restarts), sight.calendar.clone().or_else(|| closed.clone()))
            }
            None => (None, None, None),
        };
        let mut members = rows::members(self.sql, self.plan.id, self.number(wave), is_whole, &known)?;
        if !is_whole {
            let above = plan_overlap::above(self.sql, &self.plan)?;
            for member in &mut members {
                let sight = self.sights.by_id.get(&member.executor_id);
                member.seen.other_plan =
                    sight.and_then(|sight| above.has(member.executor_id, &sight.labels).map(str::to_owned));
            }
        }
        Ok(members)
    }

    /// Why nothing of the wave may begin now, by its own window.
    fn window_closed(&self, wave: usize) -> Option<String> {
        let spec = self.spec(wave);
        let window = spec.window.as_ref()?;
        let never = || Some(format!("the window of the wave `{}` does not open again", spec.name));
        let Ok(schedule) = Schedule::read(&window.cron, window.duration.ms, &window.zone, self.now) else {
            return never();
        };
        match schedule.now_or_next(self.now) {
            Some(span) if span.has(self.now) => None,
            Some(span) => Some(format!("the window of the wave `{}` opens at {}", spec.name, span.opens_at)),
            None => never(),
        }
    }

    /// The wave begins: from now on it is clear who is in it.
    pub(super) fn begin(&mut self, index: usize) -> Sql<()> {
        self.waves[index].began_at = Some(self.now);
        let count = self.fill(index)?;
        let name = self.spec(index).name.clone();
        let said = format!("the wave begins with {count} executors");
        self.tell(LogLevel::Info, Some(&name), None, &said)?;
        self.deed(Action::PlanWaveBegan, CONTROL_PLANE, Some(&name), &said)
    }

    /// Those that it takes, and those that came too late for the waves before it, are its executors. Answers how many.
    pub(super) fn fill(&mut self, index: usize) -> Sql<usize> {
        let late: Vec<usize> =
            (0..index).filter(|before| self.spec(*before).late_arrivers != LateArrivers::Never).collect();
        let count = self.join(index, &[late, vec![index]].concat())?;
        let has_canaries = self.members(index, false)?.iter().any(|member| member.canary);
        self.waves[index].state = if has_canaries { WaveState::Canary } else { WaveState::Running };
        Ok(count)
    }

    /// Who was to go first and cannot, before anything was begun there, gives its place to the next that can.
    pub(super) fn replace_canaries(&self, index: usize, members: &mut [Member]) -> Sql<()> {
        while let Some(lost) = members.iter().position(Member::is_lost_canary) {
            let next = members.iter().position(|member| {
                member.outcome == MemberOutcome::Waiting && !member.canary && member.seen.obstacle().is_none()
            });
            let Some(next) = next else { return Ok(()) };
            (members[lost].canary, members[next].canary) = (false, true);
            for member in [lost, next] {
                rows::update_member(self.sql, self.plan.id, &members[member])?;
            }
            let (wave, first) = (&self.spec(index).name, &members[next].name);
            let said = format!("it goes first in the place of `{}`", members[lost].name);
            self.tell(LogLevel::Info, Some(wave), Some(first), &said)?;
        }
        Ok(())
    }

    /// Nobody is in the wave.
    pub(super) fn is_empty(&self, index: usize) -> Sql<bool> {
        let has_members = self
            .sql
            .prepare_cached("SELECT 1 FROM plan_members WHERE plan_id = ?1 AND wave = ?2")?
            .exists(params![Word(&self.plan.id), self.number(index)])?;
        Ok(!has_members)
    }

    /// Those that the selectors of `waves` take now, and that are in no wave yet, join this one. Answers how many.
    pub(super) fn join(&mut self, index: usize, waves: &[usize]) -> Sql<usize> {
        let groups = groups::selectors(self.sql, self.plan.account_id)?;
        let selectors: Vec<_> =
            waves.iter().filter_map(|wave| plan_document::selector_of(self.spec(*wave), &groups)).collect();
        let is_taken = |sight: &Sight| {
            sight.kind == self.plan.executor_kind
                && selectors.iter().any(|selector| takes(selector, &sight.labels))
        };
        let taken: Vec<Uuid> =
            self.sights.by_id.iter().filter(|(_, sight)| is_taken(sight)).map(|(id, _)| *id).collect();
        let mut new = Vec::new();
        for id in taken {
            if let Some(member) = self.newcomer(id)? {
                new.push(member);
            }
        }
        new.sort_by_key(|member| plan_document::rank(self.plan.id, member.executor_id));
        let number = self.number(index);
        let before: u32 = self
            .sql
            .prepare_cached(
                "SELECT coalesce(max(position), 0) FROM plan_members WHERE plan_id = ?1 AND wave = ?2",
            )?
            .query_row(params![Word(&self.plan.id), number], |row| row.get(0))?;
        if before == 0 {
            let total = u32::try_from(new.len()).unwrap_or(u32::MAX);
            let canaries = plan_document::canary(self.spec(index), total) as usize;
            // Who is not there, or there already, proves nothing.
            let able = new.iter_mut().filter(|member| member.outcome == MemberOutcome::Waiting);
            able.take(canaries).for_each(|member| member.canary = true);
        }
        for (position, member) in (before + 1..).zip(&new) {
            rows::insert_member(self.sql, self.plan.id, (number, position), member)?;
        }
        Ok(new.len())
    }

    /// An executor that is in no wave of the plan yet, as a member.
    fn newcomer(&self, id: Uuid) -> Sql<Option<Member>> {
        let Some(sight) = self.sights.by_id.get(&id) else { return Ok(None) };
        let found: Option<(Version, bool)> = self
            .sql
            .prepare_cached(
                "SELECT current_version, held IS NOT NULL FROM executors WHERE id = ?1 AND deleted_at IS NULL
                   AND NOT EXISTS (SELECT 1 FROM plan_members WHERE plan_id = ?2 AND executor_id = ?1)",
            )?
            .query_row(params![Word(&id), Word(&self.plan.id)], |row| {
                Ok((row.get::<_, Word<_>>(0)?.0, row.get(1)?))
            })
            .optional()?;
        let Some((version, is_held)) = found else { return Ok(None) };
        let mut member = Member {
            executor_id: id,
            name: sight.name.clone(),
            canary: false,
            outcome: MemberOutcome::Waiting,
            reason: String::new(),
            from_version: version.clone(),
            restarts_before: sight.restarts,
            has_turn: false,
            seen: Seen {
                is_deleted: false,
                presence: sight.presence,
                held: is_held.then(String::new),
                version,
                restarts: sight.restarts,
                calendar: sight.calendar.clone(),
                other_plan: None,
                attempt: None,
                other_upgrade: None,
            },
        };
        member.outcome = look(&member, &self.plan.target_version).outcome;
        Ok(Some(member))
    }
}
