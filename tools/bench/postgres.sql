-- The same books in PostgreSQL, built with care for speed: one function call is one debit in one transaction. It joins
-- running totals into a meter with a pinned price, draws on the allowance, then bonus, then debt, updates the balance,
-- and writes the journal. Low fill factors leave room to update frequently changed rows in place.
CREATE TABLE balances (
  enterprise text PRIMARY KEY,
  allowance_micros bigint NOT NULL,
  monthly_used_micros bigint NOT NULL DEFAULT 0,
  bonus_micros bigint NOT NULL,
  bonus_used_micros bigint NOT NULL DEFAULT 0,
  debt_micros bigint NOT NULL DEFAULT 0,
  seq bigint NOT NULL DEFAULT 0,
  CHECK (monthly_used_micros BETWEEN 0 AND allowance_micros),
  CHECK (bonus_used_micros BETWEEN 0 AND bonus_micros)
) WITH (fillfactor = 10);

CREATE TABLE runs (
  enterprise text NOT NULL,
  run text NOT NULL,
  surface text NOT NULL,
  workspace text NOT NULL,
  user_id text NOT NULL,
  started_at timestamptz NOT NULL,
  PRIMARY KEY (enterprise, run)
);

CREATE TABLE meters (
  enterprise text NOT NULL,
  run text NOT NULL,
  model text NOT NULL,
  book_version int NOT NULL,
  credits_per_usd int NOT NULL,
  rate_input bigint NOT NULL,
  rate_output bigint NOT NULL,
  rate_cache_read bigint NOT NULL,
  rate_cache_write bigint NOT NULL,
  input_tokens bigint NOT NULL,
  output_tokens bigint NOT NULL,
  cache_read_tokens bigint NOT NULL,
  cache_write_tokens bigint NOT NULL,
  charged_micros bigint NOT NULL,
  from_monthly_micros bigint NOT NULL,
  from_bonus_micros bigint NOT NULL,
  from_debt_micros bigint NOT NULL,
  final boolean NOT NULL,
  first_report_at timestamptz NOT NULL,
  last_report_at timestamptz NOT NULL,
  PRIMARY KEY (enterprise, run, model)
) WITH (fillfactor = 70);

CREATE TABLE journal (
  enterprise text NOT NULL,
  seq bigint NOT NULL,
  at timestamptz NOT NULL,
  run text NOT NULL,
  model text NOT NULL,
  charged_micros bigint NOT NULL,
  surface text NOT NULL,
  workspace text NOT NULL,
  user_id text NOT NULL,
  PRIMARY KEY (enterprise, seq)
);

CREATE FUNCTION debit(
  p_enterprise text, p_run text, p_model text, p_surface text, p_workspace text, p_user text, p_started_at timestamptz,
  p_input bigint, p_output bigint, p_cache_read bigint, p_cache_write bigint, p_final boolean,
  p_book int, p_per_usd int, p_rate_input bigint, p_rate_output bigint, p_rate_cache_read bigint,
  p_rate_cache_write bigint,
  OUT refusal text, OUT charged_micros bigint, OUT run_total_micros bigint, OUT remaining_micros bigint,
  OUT used_micros bigint, OUT total_micros bigint, OUT seq bigint
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  r runs;
  m meters;
  b balances;
  known boolean;
  cost bigint;
  delta bigint;
  monthly bigint;
  bonus bigint;
BEGIN
  SELECT * INTO r FROM runs WHERE enterprise = p_enterprise AND run = p_run;
  IF NOT FOUND THEN
    INSERT INTO runs VALUES (p_enterprise, p_run, p_surface, p_workspace, p_user, p_started_at) ON CONFLICT DO NOTHING;
  ELSIF r.surface <> p_surface OR r.workspace <> p_workspace OR r.user_id <> p_user THEN
    refusal := 'run_attribution_conflict';
    RETURN;
  END IF;
  SELECT * INTO m FROM meters WHERE enterprise = p_enterprise AND run = p_run AND model = p_model FOR UPDATE;
  known := FOUND;
  IF NOT known THEN
    m := ROW(p_enterprise, p_run, p_model, p_book, p_per_usd, p_rate_input, p_rate_output, p_rate_cache_read,
      p_rate_cache_write, p_input, p_output, p_cache_read, p_cache_write, 0, 0, 0, 0, p_final, now(), now());
  ELSIF NOT m.final OR p_final THEN
    IF p_final AND NOT m.final THEN
      m.input_tokens := p_input;
      m.output_tokens := p_output;
      m.cache_read_tokens := p_cache_read;
      m.cache_write_tokens := p_cache_write;
      m.final := true;
    ELSE
      m.input_tokens := greatest(m.input_tokens, p_input);
      m.output_tokens := greatest(m.output_tokens, p_output);
      m.cache_read_tokens := greatest(m.cache_read_tokens, p_cache_read);
      m.cache_write_tokens := greatest(m.cache_write_tokens, p_cache_write);
    END IF;
  END IF;
  cost := ((m.input_tokens * m.rate_input + m.output_tokens * m.rate_output + m.cache_read_tokens * m.rate_cache_read
    + m.cache_write_tokens * m.rate_cache_write) * m.credits_per_usd + 999999) / 1000000;
  delta := cost - m.charged_micros;
  -- The row that all debits want is locked as late as can be.
  SELECT * INTO b FROM balances WHERE enterprise = p_enterprise FOR UPDATE;
  IF delta >= 0 THEN
    monthly := least(delta, b.allowance_micros - b.monthly_used_micros);
    bonus := least(delta - monthly, b.bonus_micros - b.bonus_used_micros);
  ELSE
    -- A refund undoes the latest draws first: debt, then bonus, then the allowance.
    bonus := -least(m.from_bonus_micros, greatest(0, -delta - m.from_debt_micros));
    monthly := -least(m.from_monthly_micros, greatest(0, -delta - m.from_debt_micros - m.from_bonus_micros));
  END IF;
  UPDATE balances SET monthly_used_micros = monthly_used_micros + monthly,
      bonus_used_micros = bonus_used_micros + bonus,
      debt_micros = debt_micros + delta - monthly - bonus, seq = balances.seq + 1
    WHERE enterprise = p_enterprise RETURNING * INTO b;
  m.charged_micros := cost;
  m.from_monthly_micros := m.from_monthly_micros + monthly;
  m.from_bonus_micros := m.from_bonus_micros + bonus;
  m.from_debt_micros := m.from_debt_micros + delta - monthly - bonus;
  m.last_report_at := now();
  IF known THEN
    UPDATE meters SET input_tokens = m.input_tokens, output_tokens = m.output_tokens,
        cache_read_tokens = m.cache_read_tokens, cache_write_tokens = m.cache_write_tokens,
        charged_micros = m.charged_micros, from_monthly_micros = m.from_monthly_micros,
        from_bonus_micros = m.from_bonus_micros, from_debt_micros = m.from_debt_micros, final = m.final,
        last_report_at = m.last_report_at
      WHERE enterprise = p_enterprise AND run = p_run AND model = p_model;
  ELSE
    INSERT INTO meters SELECT m.*;
  END IF;
  INSERT INTO journal
    VALUES (p_enterprise, b.seq, now(), p_run, p_model, delta, p_surface, p_workspace, p_user);
  charged_micros := delta;
  SELECT sum(charged_micros) INTO run_total_micros FROM meters WHERE enterprise = p_enterprise AND run = p_run;
  remaining_micros := b.allowance_micros - b.monthly_used_micros + b.bonus_micros - b.bonus_used_micros;
  used_micros := b.monthly_used_micros + b.bonus_used_micros + b.debt_micros;
  total_micros := b.allowance_micros + b.bonus_micros;
  seq := b.seq;
END
$$;
