//! Rows that are counted as they come, for tests of databases that hold them before anybody counts.

/// An account with a plan of three members and three upgrades; no bytes are written otherwise by each engine.
pub(crate) fn rows(no_bytes: &str) -> String {
    format!(
        "INSERT INTO accounts (id, name, created_at) VALUES ('c', 'counted', 0);
    INSERT INTO executor_keys (id, account_id, hash, created_by, created_at) VALUES ('ck', 'c', {no_bytes}, 'owner', 0);
    INSERT INTO executors (id, account_id, key_id, revision, name, kind, current_version, channel, target, labels,
        created_at)
      VALUES ('e1', 'c', 'ck', 1, 'one', 'agent', '1.0.0', 'stable', 't', '{{}}', 0),
        ('e2', 'c', 'ck', 1, 'two', 'agent', '1.0.0', 'stable', 't', '{{}}', 0),
        ('e3', 'c', 'ck', 1, 'three', 'agent', '1.0.0', 'stable', 't', '{{}}', 0);
    INSERT INTO presence (executor_id, last_seen_at, restarts) SELECT id, 0, 0 FROM executors WHERE account_id = 'c';
    INSERT INTO plans (id, account_id, name, document, executor_kind, target_version, priority, state, reason,
        requested_by, created_at, warnings)
      VALUES ('p', 'c', 'plan', '{{}}', 'agent', '1.1.0', 0, 'running', '', 'owner', 0, '[]');
    INSERT INTO plan_members (plan_id, executor_id, executor_name, wave, position, canary, outcome, reason,
        from_version, restarts_before)
      VALUES ('p', 'e1', 'one', 0, 0, FALSE, 'completed', '', '1.0.0', 0),
        ('p', 'e2', 'two', 0, 1, FALSE, 'completed', '', '1.0.0', 0),
        ('p', 'e3', 'three', 1, 0, FALSE, 'waiting', '', '1.0.0', 0);
    INSERT INTO upgrades (id, account_id, executor_id, executor_name, kind, from_version, target_version, direction,
        confirm, intent, attempt, health_window_ms, stage, status, ended_by_server, bytes_done, bytes_total,
        description, requested_by, created_at, scheduled_at, expires_at, ended_at, target, size, sha256, signature)
      SELECT 'u' || id, 'c', id, name, kind, '1.0.0', '1.1.0', 'upgrade', 'auto', 'run', 1, 0,
        CASE id WHEN 'e3' THEN 'DOWNLOAD' ELSE 'FAILED' END, 'UNDERWAY', FALSE, 0, 0, '', 'owner', 0, 0, 0,
        CASE id WHEN 'e3' THEN NULL ELSE 5 END, 't', 1, '', ''
      FROM executors WHERE account_id = 'c';"
    )
}

/// A line for every count of those rows.
pub(crate) const QUESTION: &str = "SELECT plan_id || ' ' || wave || ' ' || outcome || ' ' || sum(count)
       FROM plan_wave_counts GROUP BY plan_id, wave, outcome
     UNION ALL SELECT account_id || ' ' || stage || ' ' || count FROM upgrade_counts ORDER BY 1";

/// What is answered.
pub(crate) const ANSWER: [&str; 3] = ["c FAILED 2", "p 0 completed 2", "p 1 waiting 1"];
